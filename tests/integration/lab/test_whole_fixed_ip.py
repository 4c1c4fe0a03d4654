# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Fixed addresses of NICs, on a network that runs: what its DHCP server keeps, what the guest gets, and who can't have it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, lab_tool, run_module, wait_until
from .killing import Runs
from .subjects import BOOTING, LIMITS, SWITCHED_OFF, Subject, removed_after
from .test_network import made

SUBNET = "10.83.0"
RANGE = {"start": f"{SUBNET}.100", "end": f"{SUBNET}.199"}
MAC, OTHER_MAC, PRINTER = "52:54:00:83:00:01", "52:54:00:83:00:02", "52:54:00:83:00:03"
LAN: dict[str, t.Any] = {"mode": "nat", "ips": [{"address": f"{SUBNET}.1/24", "dhcp_ranges": [RANGE]}]}
BLANK: dict[str, t.Any] = {"flavor": {"name": "tiny", "vcpus": 1, "memory_mb": 64, "disk_gb": 1}, "limits": LIMITS}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab with one whole host."""
    directory = str(tmp_path_factory.mktemp("fixed"))
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


@pytest.fixture(scope="module")
def host(directory: str) -> Hypervisor:
    """Return the host with network "lan", whose DHCP server has addresses to give out, and "mute", which has none."""
    host = Hypervisor("host1", lab_tool("uri", "host1", "--dir", directory))
    made(host, "lan", **LAN)
    made(host, "mute", mode="isolated", ips=[{"address": "10.84.0.1/24"}])
    return host


def on(directory: str, script: str) -> str:
    """Return what a shell on the host prints."""
    return lab_tool("exec", "--dir", directory, "host1", "--", "sh", "-c", script)


def kept(host: Hypervisor) -> list[set[str]]:
    """Return what network "lan" keeps for NICs as it runs, and as it is defined."""
    texts = host.virsh("net-dumpxml", "lan"), host.virsh("net-dumpxml", "lan", "--inactive")
    return [{line.strip() for line in text.splitlines() if "<host mac=" in line} for text in texts]


def entry(last: int, name: str = "guest", mac: str = MAC) -> str:
    """Return how the network writes it down."""
    return f"<host mac='{mac}' name='{name}' ip='{SUBNET}.{last}'/>"


def nic(last: int | str, **more: t.Any) -> list[dict[str, t.Any]]:
    """Return the declaration of one NIC that shall have an address."""
    address = f"{SUBNET}.{last}" if isinstance(last, int) else last
    return [{"network": "lan", "mac": MAC, "fixed_ip": address, **more}]


def test_a_guest_gets_its_address(directory: str, host: Hypervisor, guest_image: Path) -> None:
    """From its first request on, and no other; it is kept while the network's own list changes, and freed with the instance."""
    assert not run_module("compute_image", uri=host.uri, name="guest", src=str(guest_image)).failed
    with removed_after(Subject(host, "guest", **{**BOOTING, "networks": nic(7)})) as guest:
        foretold = guest.run(check=True)
        assert kept(host) == [set(), set()]
        done = guest.run()
        assert done["changes"] == foretold["changes"]
        assert f"reserve_address guest/{MAC}" in done["actions"]
        assert kept(host) == [{entry(7)}] * 2
        # Before the guest has sent anything.
        assert f"--ip-src {SUBNET}.7 " in on(directory, "ebtables -t nat -L")
        assert not guest.run()["changed"]
        told = run_module("compute_instance_info", uri=host.uri, names=["guest"]).data["instances"][0]["nics"]
        for nics in (done["nics"], told):
            assert [(one["fixed_ip"], one["security_groups"], one["port_security"]) for one in nics] == [
                (f"{SUBNET}.7", [], True)
            ]

        refuses(host)
        leaves_it_alone(host)
        wget = f"wget -qO- -T 2 http://{SUBNET}.7/ || true"
        wait_until(lambda: "guest" in on(directory, wget), "the guest answers at its address")

        done = guest.declare(networks=nic(9))
        assert done["actions"] == [
            f"update_device guest/nic {MAC}",
            f"release_address guest/{MAC}",
            "update guest",
            f"reserve_address guest/{MAC}",
        ]
        assert f"no security groups; port security for {SUBNET}.9" in [change["after"] for change in done["changes"]]
        assert kept(host) == [{entry(9)}] * 2
        rules = on(directory, "ebtables -t nat -L")
        assert (f"--ip-src {SUBNET}.9 " in rules, f"--ip-src {SUBNET}.7 " in rules) == (True, False)
        assert not guest.absent(**SWITCHED_OFF).failed
    assert kept(host) == [set(), set()]


def refuses(host: Hypervisor) -> None:
    """Refuse another instance what it can't have, with the option named."""
    subject = Subject(host, "second")
    for network, address, words in (
        ("lan", f"{SUBNET}.7", "network lan keeps 10.83.0.7 for guest"),
        ("lan", "10.99.0.7", "10.99.0.7 is outside of 10.83.0.0/24"),
        ("lan", f"{SUBNET}.0", "nobody can have"),
        ("lan", f"{SUBNET}.1", "is the host's own address"),
        ("mute", "10.84.0.7", "network mute has no DHCP for IPv4"),
    ):
        refused = subject.attempt(networks=[{"network": network, "fixed_ip": address}])
        assert refused.failed
        assert "Option networks[0].fixed_ip: " in refused.message
        assert words in refused.message
    assert "second" not in host.domains()


def leaves_it_alone(host: Hypervisor) -> None:
    """Declare the network's own list of reservations, with one and with none."""
    own = {"mac": PRINTER, "ip": f"{SUBNET}.20", "name": "printer"}
    for hosts, expected in (([own], {entry(7), entry(20, "printer", PRINTER)}), ([], {entry(7)})):
        declared = {"ips": [{**LAN["ips"][0], "dhcp_hosts": hosts}]}
        assert made(host, "lan", **declared)["actions"] == ["update_network lan"]
        assert kept(host) == [expected] * 2


def test_a_run_can_be_killed_anywhere(host: Hypervisor) -> None:
    """Whatever call it dies before, the next run finishes, and one that removes the instance by name alone frees the address."""
    target: dict[str, t.Any] = {"uri": host.uri, "name": "half"}
    declared = {**target, **BLANK, "virt_type": "qemu", "power_state": "stopped"}
    nics = [*nic(30), {**nic(31)[0], "mac": OTHER_MAC}]
    with Runs("compute_instance") as runs:

        def remove() -> None:
            assert not runs.run("compute_instance", **target, state="absent").done.failed
            assert kept(host) == [set(), set()]
            assert "half" not in host.domains()

        deaths = []
        for death in runs.killed_everywhere("compute_instance", remove, **declared, networks=nics):
            deaths.append(death)
            if len(deaths) % 2 == 0:
                continue
            assert not runs.run("compute_instance", **declared, networks=nics).done.failed
            expected = {entry(30, "half"), f"<host mac='{OTHER_MAC}' ip='{SUBNET}.31'/>"}
            assert kept(host) == [expected] * 2
        assert deaths.count("update") == 2
        assert not runs.run("compute_instance", **declared, networks=nics).done.changed

        moved = nic(32)

        def back() -> None:
            assert runs.run("compute_instance", **declared, networks=nics).done

        for _death in runs.killed_everywhere("compute_instance", back, **declared, networks=moved):
            assert runs.run("compute_instance", **declared, networks=moved).done
            assert kept(host) == [{entry(32, "half")}] * 2
            assert not runs.run("compute_instance", **declared, networks=moved).done.changed
        assert runs.run("compute_instance", **declared, networks=[{"network": "lan", "mac": MAC}]).done
        assert kept(host) == [{entry(32, "half")}] * 2
        assert runs.run("compute_instance", **declared, networks=nic("")).done.changed
        remove()
