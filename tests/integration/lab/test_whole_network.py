# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Virtual networks that run, which takes root: changed while a guest is on them, seen from the guest and on the host's devices."""

from __future__ import annotations

import typing as t
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .conftest import Hypervisor, lab_tool, run_module, wait_until
from .killing import Runs
from .subjects import BOOTING, SWITCHED_OFF, Subject, effects, removed_after
from .test_network import made, network

ADDRESS, MAC, OTHER_MAC = "10.82.0.1/24", "52:54:00:82:00:01", "52:54:00:82:00:02"
RESERVED = {"mac": MAC, "ip": "10.82.0.7", "name": "guest"}
RANGE = {"start": "10.82.0.100", "end": "10.82.0.199"}
V6 = {"address": "fd00:82::1/64"}
LAN: dict[str, t.Any] = {
    "mode": "nat",
    "domain": "one.example",
    # Names that are not there are nobody else's to know, which takes time.
    "domain_local_only": True,
    "ips": [{"address": ADDRESS, "dhcp_ranges": [RANGE], "dhcp_hosts": [RESERVED]}, V6],
}
WGET = "wget -qO- -T 2 http://10.82.0.7/ || true"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab with one whole host."""
    directory = str(tmp_path_factory.mktemp("networks"))
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


@pytest.fixture
def host(directory: str) -> t.Iterator[Hypervisor]:
    """Return the host, where network "lan" is gone afterwards."""
    host = Hypervisor("host1", lab_tool("uri", "host1", "--dir", directory))
    yield host
    for name in ("lan", "other"):
        host.virsh("net-destroy", name, check=False)
        host.virsh("net-undefine", name, check=False)


def on(directory: str, script: str) -> str:
    """Return what a shell on the host prints."""
    return lab_tool("exec", "--dir", directory, "host1", "--", "sh", "-c", script)


def both(host: Hypervisor, name: str = "lan") -> tuple[str, str]:
    """Return how a network runs and how it is defined."""
    return host.virsh("net-dumpxml", name), host.virsh("net-dumpxml", name, "--inactive")


def tap_of(machine: Subject, mac: str) -> str:
    """Return the host's end of a NIC's cable."""
    nic = machine.tree().find(f"devices/interface/mac[@address='{mac}']/../target")
    return "" if nic is None else nic.get("dev", "")


def is_plugged(directory: str, host: Hypervisor, machine: Subject, mac: str) -> bool:
    """Tell whether a NIC's cable leads to the network's bridge, and its network counts it."""
    bridge = ElementTree.fromstring(host.virsh("net-dumpxml", "lan")).find("bridge")
    assert bridge is not None
    ports = on(directory, f"ls /sys/class/net/{bridge.get('name')}/brif").split()
    return tap_of(machine, mac) in ports and mac in host.virsh(
        "net-port-dumpxml", "lan", port_of(machine, mac), check=False
    )


def port_of(machine: Subject, mac: str) -> str:
    """Return by which of the network's ports the NIC says that it is plugged in."""
    source = machine.tree().find(f"devices/interface/mac[@address='{mac}']/../source")
    return "" if source is None else source.get("portid", "none")


def test_a_network_changes_under_a_guest(directory: str, host: Hypervisor, guest_image: Path) -> None:
    """Who stays connected meanwhile; what can't change so waits, and comes with a restart after which it still is."""
    assert not run_module("compute_image", uri=host.uri, name="guest", src=str(guest_image)).failed
    done = made(host, "lan", **LAN, autostart=True)
    assert done["actions"] == ["define_network lan", "start_network lan", "set_autostart lan"]
    with removed_after(Subject(host, "guest", **{**BOOTING, "networks": [{"network": "lan", "mac": MAC}]})) as guest:
        guest.run()
        wait_until(lambda: "guest" in on(directory, WGET), "the guest answers at its reserved address")
        tap = tap_of(guest, MAC)

        def look_up(name: str, kind: str = "a") -> str:
            return guest.inside(f"nslookup -type={kind} {name} 10.82.0.1 2>&1 || true")

        changes_live(directory, host, look_up)
        assert tap_of(guest, MAC) == tap
        assert is_plugged(directory, host, guest, MAC)
        assert "guest" in on(directory, WGET)
        changes_by_restart(directory, host, guest, look_up)
        survives(directory, host, guest)
        assert tap_of(guest, MAC) == tap
        guest.absent(**SWITCHED_OFF)
    made(host, "lan", state="absent")
    assert "lan" not in host.virsh("net-list", "--all", "--name").split()


def changes_live(directory: str, host: Hypervisor, look_up: t.Callable[..., str]) -> None:
    """Change all that libvirt can; the DHCP server knows of it, the guest sees it, and a restart would keep it."""
    more = {"mac": OTHER_MAC, "ip": "10.82.0.8", "name": "second"}
    span = {**RANGE, "end": "10.82.0.180"}
    ips = [{"address": ADDRESS, "dhcp_ranges": [span], "dhcp_hosts": [RESERVED, more]}, V6]
    dns = {
        "hosts": [{"ip": "10.82.0.20", "hostnames": ["printer"]}],
        "txt": [{"name": "note.one.example", "value": "hello"}],
        "srv": [{"service": "ldap", "protocol": "tcp", "target": "printer", "port": 389}],
    }
    done = made(host, "lan", ips=ips, dns=dns, portgroups=[{"name": "group", "default": True}])
    assert done["actions"] == ["update_network lan"]
    assert {change["effect"] for change in done["changes"]} == {"live"}
    assert (done["restart_required"], done["network"]["active"]) == (False, True)
    for text in both(host):
        for word in (OTHER_MAC, "end='10.82.0.180'", "<hostname>printer", "hello", "service='ldap'", "name='group'"):
            assert word in text
        assert "end='10.82.0.199'" not in text
    assert f"{OTHER_MAC},10.82.0.8,second" in on(directory, "cat /var/lib/libvirt/dnsmasq/lan.hostsfile")
    wait_until(lambda: "10.82.0.20" in look_up("printer.one.example"), "the guest finds the new name")
    assert "hello" in look_up("note.one.example", "txt")
    assert "389" in look_up("_ldap._tcp.one.example", "srv")
    done = made(host, "lan", dns={**dns, "hosts": []})
    assert done["actions"] == ["update_network lan"]
    wait_until(lambda: "10.82.0.20" not in look_up("printer.one.example"), "the name is gone")


def changes_by_restart(directory: str, host: Hypervisor, guest: Subject, look_up: t.Callable[..., str]) -> None:
    """Change the domain; under the guest the network is restarted only when allowed, and is not stopped nor removed."""
    for state in ("inactive", "absent"):
        refused = network(host, "lan", state=state)
        assert "guest has NICs in it" in refused.message
    started = on(directory, "cat /run/libvirt/network/lan.pid")
    done = made(host, "lan", domain="two.example", ips=LAN["ips"])
    assert done["restart_required"]
    assert {change["effect"] for change in done["changes"]} == {"live", "restart"}
    running, defined = both(host)
    assert ("two.example" in running, "two.example" in defined) == (False, True)
    assert OTHER_MAC not in running + defined
    assert "guest" in on(directory, WGET)
    assert network(host, "lan", domain="two.example").data["restart_required"]

    planned = network(host, "lan", domain="two.example", allow_restart=True, check=True)
    assert planned.data["actions"] == ["restart_network lan", f"replug_nic {MAC} of guest"]
    cable = f"cat $(dirname $(grep -l {MAC} /sys/class/net/*/address))/carrier_changes"
    before = int(guest.inside(cable))
    done = made(host, "lan", domain="two.example", allow_restart=True)
    assert not done["restart_required"]
    assert on(directory, "cat /run/libvirt/network/lan.pid") != started
    assert is_plugged(directory, host, guest, MAC)
    wait_until(lambda: "guest" in on(directory, WGET), "the guest answers after the restart")
    assert int(guest.inside(cable)) == before + 2
    assert "10.82.0.7" in look_up("guest.two.example")


def survives(directory: str, host: Hypervisor, guest: Subject) -> None:
    """Stop the network behind our back, and declare what can't start: the guest is in the network afterwards."""
    host.virsh("net-destroy", "lan")
    done = made(host, "lan")
    assert done["actions"] == ["start_network lan", f"replug_nic {MAC} of guest"]
    for text in both(host):
        assert "two.example" in text
    assert is_plugged(directory, host, guest, MAC)

    # A subnet of the host's own, which libvirt finds out about only when it starts the network.
    taken = on(directory, "ip -br -4 address show br0").split()[2]
    subnet = {"address": f"{taken.partition('/')[0].rpartition('.')[0]}.77/24"}
    refused = network(host, "lan", ips=[subnet], allow_restart=True)
    assert refused.data["option"] == "ips"
    wait_until(lambda: "guest" in on(directory, WGET), "the guest answers on the network as it was")
    assert not network(host, "lan", ips=LAN["ips"], domain="two.example").changed
    refused = network(host, "other", mode="isolated", ips=[subnet])
    assert refused.data["option"] == "ips"
    assert "other" not in host.virsh("net-list", "--all", "--name").split()


def test_the_default_network_is_changed_by_its_own_terms(host: Hypervisor) -> None:
    """Somebody else made it; what is declared is added, runs, and stays when it is restarted."""
    running, defined = both(host, "default")
    assert made(host, "default")["actions"] == []
    ip = ElementTree.fromstring(running).find("ip")
    assert ip is not None
    subnet = ip.get("address", "").rpartition(".")[0]
    declared = {"address": f"{subnet}.1/24", "dhcp_hosts": [{"mac": MAC, "ip": f"{subnet}.9"}]}
    assert made(host, "default", ips=[declared], dns={"txt": [{"name": "a", "value": "b"}]})["actions"] == [
        "update_network default"
    ]
    host.virsh("net-destroy", "default")
    host.virsh("net-start", "default")
    for text in both(host, "default"):
        assert MAC in text
        assert "<txt name='a' value='b'/>" in text
    made(host, "default", ips=[{**declared, "dhcp_hosts": []}], dns={"txt": []})
    assert both(host, "default") == (running, defined)


@pytest.mark.parametrize(
    ("declared", "changed", "action"),
    [
        ({"mode": "isolated"}, {"mtu": 1400}, "restart_network lan"),
        ({"mode": "open", "ips": [{"address": ADDRESS}]}, {"mode": "route"}, "restart_network lan"),
        (
            {"mode": "nat", "ips": [{"address": ADDRESS}], "devices": ["eth0"]},
            {"devices": ["br0"]},
            "update_network lan",
        ),
        (
            {"mode": "isolated", "ips": [{"address": ADDRESS}]},
            {"ips": [{"address": ADDRESS, "dhcp_ranges": [RANGE]}]},
            "update_network lan",
        ),
        ({"mode": "bridge", "bridge": "br0"}, {"portgroups": [{"name": "a"}]}, "update_network lan"),
        ({"mode": "macvtap", "devices": ["eth0"]}, {"devices": ["eth0", "br0"]}, "update_network lan"),
    ],
)
def test_each_mode_runs_and_changes(
    host: Hypervisor, declared: dict[str, t.Any], changed: dict[str, t.Any], action: str
) -> None:
    """Without guests, also by a restart that nobody notices; then it is stopped."""
    assert made(host, "lan", **declared)["network"]["active"]
    assert action in made(host, "lan", **changed)["actions"]
    running, defined = both(host)
    assert list(ElementTree.fromstring(running).iter("portgroup")) == [] or "name='a'" in running
    assert ElementTree.fromstring(running).find("forward") is not None or "<forward" not in defined
    assert made(host, "lan", state="inactive")["actions"] == ["stop_network lan"]


def test_a_run_can_be_killed_anywhere(directory: str, host: Hypervisor) -> None:
    """Whatever call it dies before: the next run finishes, and the NIC of a running guest is in the network again."""
    first = {**LAN, "port_isolation": False, "dns": {"hosts": []}}
    wanted = {
        **LAN,
        "domain": "two.example",
        "port_isolation": True,
        "dns": {"hosts": [{"ip": "10.82.0.20", "hostnames": ["printer"]}]},
    }
    wanted.update(autostart=True, allow_restart=True)
    target: dict[str, t.Any] = {"uri": host.uri, "name": "lan"}
    made(host, "lan", **first)
    with removed_after(Subject(host, "machine", networks=[{"network": "lan", "mac": MAC}])) as machine:
        machine.run()
        with Runs("compute_network") as runs:
            deaths = []

            def link(machine: Subject) -> str:
                return on(directory, f"ip -d link show {tap_of(machine, MAC)}")

            def begin() -> None:
                assert not runs.run(
                    "compute_network", **target, **first, autostart=False, allow_restart=True
                ).done.failed
                assert "one.example" in host.virsh("net-dumpxml", "lan")
                assert is_plugged(directory, host, machine, MAC)
                assert "isolated off" in link(machine)

            for death in runs.killed_everywhere("compute_network", begin, **target, **wanted):
                deaths.append(death)
                assert not runs.run("compute_network", **target, **wanted).done.failed
                for text in both(host):
                    assert "two.example" in text
                    assert "<hostname>printer" in text
                assert is_plugged(directory, host, machine, MAC)
                assert "isolated on" in link(machine)
                assert not runs.run("compute_network", **target, **wanted).done.changed
        assert {"networkDefineXML", "destroy", "create", "updateDeviceFlags", "setAutostart"} <= set(deaths)
        assert deaths.count("updateDeviceFlags") == 2
        assert not machine.run()["changed"]


def test_a_nic_on_a_bridge_of_the_host_stays_in_its_network(host: Hypervisor) -> None:
    """Libvirt calls it otherwise while its guest runs. Whatever changes meanwhile, its network counts it, and no other does."""
    groups = [{"name": "red"}, {"name": "blue"}]
    made(host, "lan", mode="bridge", bridge="br0", portgroups=groups)
    made(host, "other", mode="isolated", portgroups=groups)
    nic: dict[str, t.Any] = {"network": "lan", "portgroup": "red", "mac": MAC}
    with removed_after(Subject(host, "machine", networks=[nic])) as machine:
        machine.run()

        def counts_it(network: str, group: str) -> bool:
            running, defined = (machine.tree(*how).find("devices/interface/source") for how in ((), ("--inactive",)))
            assert running is not None
            assert defined is not None
            assert (defined.get("network"), defined.get("portgroup")) == (network, group)
            assert running.get("network") == network
            return MAC in host.virsh("net-port-dumpxml", network, running.get("portid", "none"), check=False)

        assert counts_it("lan", "red")
        for changed in (
            {"link_state": "down"},
            {"link_state": "up", "portgroup": "blue"},
            {"network": "other", "portgroup": "red"},
            {"network": "lan", "portgroup": "blue"},
        ):
            nic.update(changed)
            assert set(effects(machine.declare(networks=[nic])).values()) == {"live"}
            assert counts_it(nic["network"], nic["portgroup"])
        assert MAC not in "".join(host.virsh("net-port-list", "other").split())
        machine.absent(**SWITCHED_OFF)
