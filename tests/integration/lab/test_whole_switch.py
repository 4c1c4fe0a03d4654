# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Networks on Open vSwitch: VLANs as guests see them, and moves from one to another while they run.

The switch works in user space, where it has neither limits of throughput nor, with the checksums that guests leave to their
host, TCP and UDP: those are in the tests of the whole machine.
"""

from __future__ import annotations

import struct
import typing as t
from functools import partial
from pathlib import Path

import pytest

from .conftest import Hypervisor, lab_tool, run_module, wait_until
from .killing import Runs
from .subjects import BOOTING, SWITCHED_OFF, Subject, effects, removed_after
from .test_network import made
from .wire import IPV4, VLAN, Guest, build_program, datagram, frame

SWITCH = "ovs-lab"
LEFT, RIGHT = ("52:54:00:85:00:01", "10.85.0.1"), ("52:54:00:85:00:02", "10.85.0.2")
GROUPS = [
    {"name": "red", "vlan": {"tags": [10]}},
    {"name": "blue", "vlan": {"tags": [20]}},
    {"name": "trunk", "vlan": {"tags": [10, 20], "native": 10}},
]
NETWORK: dict[str, t.Any] = {"mode": "bridge", "bridge": SWITCH, "openvswitch": True, "portgroups": GROUPS}
MAC = "52:54:00:85:00:03"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab with one whole host that has a switch."""
    directory = str(tmp_path_factory.mktemp("switch"))
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        lab_tool("switch", "--dir", directory, "host1", SWITCH, limit=300)
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


@pytest.fixture(scope="module")
def host(directory: str) -> Hypervisor:
    """Return the host, with a network on its switch."""
    host = Hypervisor("host1", lab_tool("uri", "host1", "--dir", directory))
    assert made(host, "switched", **NETWORK)["network"]["active"]
    return host


def nic(mac: str, portgroup: str | None = None, **more: t.Any) -> dict[str, t.Any]:
    """Return a NIC on the switch."""
    return {"network": "switched", "portgroup": portgroup, "mac": mac, **more}


def vlans(directory: str, subject: Subject, mac: str) -> str:
    """Return what Open vSwitch says of a NIC's port: its tag, its trunk, and how the tag is meant there."""
    target = subject.tree().find(f"devices/interface/mac[@address='{mac}']/../target")
    assert target is not None
    columns = "tag", "trunks", "vlan_mode"
    words = (f"ovs-vsctl get port {target.get('dev')} {column}" for column in columns)
    return lab_tool("exec", "--dir", directory, "host1", "--", "sh", "-c", "; ".join(words)).replace("\n", " ")


class Person(t.NamedTuple):
    """An instance, and who sits at it."""

    subject: Subject
    guest: Guest
    mac: str
    address: str

    def goes(self, **how: t.Any) -> dict[str, str]:
        """Plug the guest in anew, and return the effect of each change."""
        number = self.subject.number
        done = self.subject.declare(networks=[{"user": True}, nic(self.mac, **how)])
        assert (self.subject.number, done["restart_required"]) == (number, False)
        return effects(done)

    def shouts(self, word: str, tag: int | None = None) -> None:
        """Put a frame on the wire, in a VLAN or in none."""
        packet = datagram(self.address, "10.85.0.255", (999, 999), word.encode())
        inner = (IPV4, packet) if tag is None else (VLAN, struct.pack("!HH", tag, IPV4) + packet)
        self.guest.send(frame(self.mac, *inner))


@pytest.fixture(scope="module")
def people(host: Hypervisor, guest_image: Path, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[list[Person]]:
    """Return two guests in one VLAN."""
    assert not run_module("compute_image", uri=host.uri, name="guest", src=str(guest_image)).failed
    people = []
    for name, (mac, address) in (("left", LEFT), ("right", RIGHT)):
        config = {"version": 2, "ethernets": {"lan": {"match": {"macaddress": mac}, "addresses": [f"{address}/24"]}}}
        networks = [{"user": True}, nic(mac, "red")]
        subject = Subject(host, name, **{**BOOTING, "networks": networks, "network_config": config})
        subject.run()
        people.append(Person(subject, Guest(host, name), mac, address))
    program = build_program(tmp_path_factory.mktemp("program") / "wire")
    for person in people:
        person.guest.install(program)
    yield people
    for person in people:
        person.subject.remove()


def test_vlans_part_guests(directory: str, host: Hypervisor, people: list[Person]) -> None:
    """In one port group they reach each other, in two they do not; they go from one to another without a pause."""
    left, right = people
    assert [vlans(directory, one.subject, one.mac) for one in people] == ["10 [] []"] * 2
    assert left.guest.pings(right.address)
    for group, tag, reached in (("blue", 20, False), ("red", 10, True), ("blue", 20, False)):
        assert right.goes(portgroup=group) == {f"nics[{right.mac}].portgroup": "live"}
        assert vlans(directory, right.subject, right.mac) == f"{tag} [] []"
        assert left.guest.pings(right.address) == reached
        assert right.guest.pings(left.address) == reached
    assert left.goes(portgroup="red", vlan=20) == {f"nics[{left.mac}].vlan": "live"}
    assert left.guest.pings(right.address)
    assert left.goes(portgroup="blue", vlan=10) == dict.fromkeys(
        (f"nics[{left.mac}].portgroup", f"nics[{left.mac}].vlan"), "live"
    )
    assert not left.guest.pings(right.address)
    refused = run_module("compute_network", uri=host.uri, name="switched", state="absent")
    assert "left, right have NICs in it" in refused.message
    refused = left.subject.attempt(networks=[{"user": True}, nic(left.mac, port_security=True)])
    assert "has no Linux bridge" in refused.message


def test_a_trunk_carries_several(directory: str, people: list[Person]) -> None:
    """What a guest on a trunk sends with a tag comes to those of that VLAN alone, and what has none to those of the native one."""
    left, right = people
    assert right.goes(portgroup="trunk") == {f"nics[{right.mac}].portgroup": "live"}
    assert vlans(directory, right.subject, right.mac) == "10 [10, 20] native-untagged"
    for vlan, heard, unheard in ((10, None, 20), (20, 20, None)):
        left.goes(portgroup="red", vlan=vlan)
        assert left.guest.pings(right.address) == (heard is None)
        for tag in (unheard, 30, heard):
            right.shouts(f"to-{vlan}-by-{tag}", tag)
        wait_until(partial(left.guest.saw, f"to-{vlan}-by-{heard}"), "the frame comes in")
        assert [tag for tag in (unheard, 30) if left.guest.saw(f"to-{vlan}-by-{tag}")] == []
        left.shouts(f"from-{vlan}")
        wait_until(partial(right.guest.saw, f"from-{vlan}"), "the answer comes in")


def test_what_is_no_switch_is_another_boot(host: Hypervisor) -> None:
    """Libvirt can't plug a NIC over to a switch while its guest runs, nor back: that waits, and filters are not lost unasked."""
    bare = {"port_security": False, "security_groups": []}
    inner, outer = {"network": "default", "mac": MAC, **bare}, nic(MAC, "red", **bare)
    with removed_after(Subject(host, "machine", networks=[{"network": "default", "mac": MAC}])) as machine:
        machine.run()
        refused = machine.attempt(networks=[nic(MAC, "red")])
        assert "declare port_security: false" in refused.message
        for before, after in ((inner, outer), (outer, inner)):
            done = machine.declare(networks=[after])
            assert (effects(done)[f"nics[{MAC}].source"], done["restart_required"]) == ("next_boot", True)
            assert machine.tree().find(f"devices/interface/source[@network='{before['network']}']") is not None
            machine.declare(power_state="stopped", **SWITCHED_OFF)
            machine.declare(power_state="running")
            assert machine.tree().find(f"devices/interface/source[@network='{after['network']}']") is not None


def test_a_move_can_be_killed_anywhere(directory: str, host: Hypervisor) -> None:
    """Whatever call it dies before: the next run finishes, and the NIC was never in all VLANs."""
    with removed_after(Subject(host, "machine", networks=[nic(MAC, "red")])) as machine, Runs(
        "compute_instance"
    ) as runs:
        machine.run()
        target = {"uri": host.uri, "name": "machine", **machine.declared}
        moved = {**target, "networks": [nic(MAC, "blue")]}

        def begin() -> None:
            assert not runs.run("compute_instance", **target).done.failed
            assert vlans(directory, machine, MAC) == "10 [] []"

        deaths = []
        for death in runs.killed_everywhere("compute_instance", begin, **moved):
            deaths.append(death)
            assert vlans(directory, machine, MAC) in ("10 [] []", "20 [] []")
            assert not runs.run("compute_instance", **moved).done.failed
            assert vlans(directory, machine, MAC) == "20 [] []"
            assert not runs.run("compute_instance", **moved).done.changed
        assert {"updateDeviceFlags", "defineXMLFlags"} <= set(deaths)
