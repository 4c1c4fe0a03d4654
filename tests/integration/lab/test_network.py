# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Virtual networks as they are defined, which takes no root, read with virsh. How they run is in ``test_whole_network``."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree

import pytest

from .conftest import Hypervisor, Result, run_module
from .killing import Runs

SUBNET, SUBNET6 = "10.83.0.1/24", "fd00:83::1/64"
RANGE = {"start": "10.83.0.100", "end": "10.83.0.199"}
KEPT = {"ip": "10.83.0.7", "mac": "52:54:00:83:00:01", "name": "kept"}
LAN: dict[str, t.Any] = {
    "state": "present",
    "mode": "nat",
    "domain": "lan.example",
    "ips": [{"address": SUBNET, "dhcp_ranges": [RANGE], "dhcp_hosts": [KEPT]}],
}


def network(host: Hypervisor, name: str, *, check: bool = False, **declared: t.Any) -> Result:
    """Declare a network."""
    return run_module("compute_network", check=check, diff=True, uri=host.uri, name=name, **declared)


def made(host: Hypervisor, name: str, **declared: t.Any) -> dict[str, t.Any]:
    """Return what a run says that did not fail; check mode foretells it, and a second run does nothing."""
    before = definition(host, name)
    foretold = network(host, name, check=True, **declared)
    assert definition(host, name) == before
    first = network(host, name, **declared)
    assert not first.failed, first.message
    for key in ("changed", "actions", "changes", "restart_required", "diff"):
        assert foretold.data[key] == first.data[key]
    again = network(host, name, **declared)
    assert not again.failed, again.message
    assert (again.changed, again.data["changes"], again.data["actions"]) == (False, [], [])
    assert again.data["restart_required"] == first.data["restart_required"]
    return first.data


def definition(host: Hypervisor, name: str) -> str:
    """Return a network's definition; empty where there is none."""
    return host.virsh("net-dumpxml", name, "--inactive", check=False)


def tree(host: Hypervisor, name: str) -> ElementTree.Element:
    """Return a network's definition to be searched."""
    return ElementTree.fromstring(definition(host, name))


def networks(host: Hypervisor) -> set[str]:
    """Return the names of all networks."""
    return set(host.virsh("net-list", "--all", "--name").split())


@pytest.fixture
def host(hypervisor: Hypervisor) -> t.Iterator[Hypervisor]:
    """Return a hypervisor whose networks are gone afterwards."""
    yield hypervisor
    for name in networks(hypervisor):
        hypervisor.virsh("net-undefine", name)


def test_a_definition_is_made_changed_and_removed(host: Hypervisor, name: str) -> None:
    """What is not declared stays, be it known here or not, and a list that is declared is the whole list."""
    done = made(host, name, **LAN)
    assert done["actions"] == [f"define_network {name}"]
    assert (done["network"]["mode"], done["network"]["active"]) == ("nat", False)
    changed = definition(host, name).replace("<dhcp>", "<tftp root='/srv/tftp'/><dhcp>")
    changed = changed.replace(" ip='10.83.0.7'/>", " ip='10.83.0.7'><lease expiry='2' unit='hours'/></host>")
    host.feed(changed, "net-define")

    more = {"ip": "10.83.0.8", "mac": "52:54:00:83:00:02"}
    done = made(
        host, name, state="present", ips=[{"address": SUBNET, "dhcp_hosts": [KEPT, more]}, {"address": SUBNET6}]
    )
    assert done["actions"] == [f"update_network {name}"]
    assert {change["path"]: change["after"] for change in done["changes"]} == {
        "network.ips": [SUBNET, SUBNET6],
        f"network.ips[{SUBNET}].dhcp_hosts[{more['mac']}]": f"{more['ip']} {more['mac']}",
    }
    found = tree(host, name)
    assert found.find("ip/tftp[@root='/srv/tftp']") is not None
    assert found.find("ip/dhcp/host[@name='kept']/lease[@expiry='2']") is not None
    assert found.find("ip/dhcp/range[@end='10.83.0.199']") is not None
    assert found.find("domain[@name='lan.example']") is not None
    assert found.find("ip[@family='ipv6'][@prefix='64']") is not None

    made(host, name, state="present", domain="", ips=[{"address": SUBNET, "dhcp_hosts": []}])
    found = tree(host, name)
    assert (found.find("domain"), found.find("ip/dhcp/host"), len(found.findall("ip"))) == (None, None, 1)
    assert network(host, name, state="absent", check=True).changed
    assert name in networks(host)
    assert made(host, name, state="absent")["actions"] == [f"undefine_network {name}"]
    assert name not in networks(host)


@pytest.mark.parametrize(
    "declared",
    [
        {
            "mode": "nat",
            "nat_ports": {"start": 40000, "end": 50000},
            "nat_ipv6": True,
            "devices": ["eth0"],
            "domain": "a.example",
            "domain_local_only": True,
            "mtu": 1400,
            "port_isolation": True,
            "ips": [
                {"address": SUBNET, "dhcp_ranges": [RANGE], "dhcp_hosts": [KEPT, {"ip": "10.83.0.9", "name": "named"}]},
                {
                    "address": SUBNET6,
                    "dhcp_ranges": [{"start": "fd00:83::100", "end": "fd00:83::1ff"}],
                    "dhcp_hosts": [{"ip": "fd00:83::0:7", "id": "00:03:00:01:52:54:00:83:00:01", "name": "kept"}],
                },
            ],
            "routes": [
                {"address": "10.84.0.0/16", "gateway": "10.83.0.9", "metric": 2},
                {"address": "fd00:84::/48", "gateway": "fd00:83::9"},
            ],
            "dns": {
                "forwarders": [{"address": "10.83.0.3"}, {"domain": "b.example", "address": "fd00::3"}],
                "hosts": [{"ip": "10.83.0.20", "hostnames": ["b", "a"]}, {"ip": "fd00:83::20", "hostnames": ["a"]}],
                "txt": [{"name": "_note.a.example", "value": "it's <new> & 'odd'"}],
                "srv": [
                    {"service": "ldap", "protocol": "tcp", "target": "b", "port": 389, "priority": 1, "weight": 2},
                    {"service": "sip", "protocol": "udp", "domain": "c.example"},
                ],
            },
        },
        {"mode": "route", "bridge": "vbr-r", "ips": [{"address": SUBNET}], "dns": {"enabled": False}},
        {"mode": "open", "ips": [{"address": SUBNET}]},
        {
            "mode": "isolated",
            "portgroups": [
                {"name": "slow", "inbound": {"average": 100, "peak": 200, "burst": 50}, "outbound": {"average": 100}},
                {"name": "usual", "default": True},
            ],
        },
        {"mode": "bridge", "bridge": "br0", "port_isolation": True},
        {
            "mode": "bridge",
            "bridge": "ovs0",
            "openvswitch": True,
            "vlan": {"tags": [10, 20], "native": 10},
            "portgroups": [
                {"name": "red", "vlan": {"tags": [10]}},
                {"name": "all", "vlan": {"tags": [30], "trunk": True}},
            ],
        },
        {"mode": "macvtap", "devices": ["eth0", "eth1"]},
        {"mode": "macvtap", "macvtap_mode": "passthrough", "devices": ["eth0"], "vlan": {"tags": [10]}},
    ],
)
def test_each_mode_is_defined(host: Hypervisor, name: str, declared: dict[str, t.Any]) -> None:
    """Libvirt keeps everything that can be declared, and a second run finds it so."""
    assert made(host, name, state="present", **declared)["actions"] == [f"define_network {name}"]
    mode = tree(host, name).find("forward")
    wanted = {"isolated": None, "macvtap": declared.get("macvtap_mode", "bridge")}.get(
        declared["mode"], declared["mode"]
    )
    assert (None if mode is None else mode.get("mode")) == wanted


def test_modes_change_where_libvirt_makes_the_bridge(host: Hypervisor, name: str) -> None:
    """What the new one has no use for goes; one with the host's bridge is another network."""
    subnet = {"ips": [{"address": SUBNET}]}
    made(host, name, state="present", mode="nat", devices=["eth0"], nat_ports={"start": 5000, "end": 6000}, **subnet)
    for mode in ("isolated", "route", "open", "nat"):
        made(host, name, state="present", mode=mode)
    assert tree(host, name).find("forward/interface") is None
    refused = network(host, name, state="present", mode="bridge", bridge="br0")
    assert (refused.failed, refused.data["option"]) == (True, "mode")
    refused = network(host, name, state="present", openvswitch=True)
    assert (refused.failed, refused.data["option"]) == (True, "openvswitch")


def test_overlaps_are_found_first(host: Hypervisor, name: str) -> None:
    """With a network that does not run either, in check mode too; the option and the other network are named."""
    made(host, name, **LAN, bridge="vbr-lan")
    overlapping = {"mode": "isolated", "ips": [{"address": "10.83.0.129/25"}]}
    colliding = {"mode": "isolated", "bridge": "vbr-lan"}
    for check in (True, False):
        for option, declared in (("ips", overlapping), ("bridge", colliding)):
            refused = network(host, f"{name}-other", state="present", check=check, **declared)
            assert (refused.failed, refused.data["option"]) == (True, option)
            assert f"of network {name}" in refused.message
    assert f"{name}-other" not in networks(host)
    refused = network(host, name, ips=[{"address": "10.83.0.1"}])
    assert (refused.failed, refused.data["option"]) == (True, "ips[0].address")
    refused = network(host, f"{name}-other")
    assert (refused.failed, refused.data["option"]) == (True, "mode")


def test_a_network_in_use_is_not_removed(host: Hypervisor, name: str) -> None:
    """Also while who has a NIC in it does not run."""
    made(host, name, **LAN)
    host.feed(
        f"<domain type='qemu'><name>user</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        f"<interface type='network'><source network='{name}'/></interface></devices></domain>",
        "define",
    )
    refused = network(host, name, state="absent")
    assert refused.failed
    assert "user has NICs in it" in refused.message
    host.virsh("undefine", "user")
    made(host, name, state="absent")


def test_a_run_can_be_killed_anywhere(host: Hypervisor, name: str) -> None:
    """Whatever call it dies before: the next run makes or removes the network."""
    target: dict[str, t.Any] = {"uri": host.uri, "name": name}
    with Runs("compute_network") as runs:
        deaths = list(
            runs.killed_everywhere(
                "compute_network",
                lambda: runs.run("compute_network", state="absent", **target).done,
                **target,
                **LAN,
                autostart=True,
            )
        )
        assert {"networkDefineXML", "setAutostart"} <= set(deaths)
        assert not runs.run("compute_network", **target, **LAN, autostart=True).done.changed
        assert "yes" in host.virsh("net-info", name).partition("Autostart:")[2].split()[0]
