# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Networks on what is no Linux bridge: Open vSwitch with VLANs and throttles, and a device of the machine's, with guests on them."""

from __future__ import annotations

import typing as t

import pytest

from ..lab.conftest import run_module, wait_until
from ..lab.subjects import Subject, effects
from ..lab.test_network import made
from .conftest import LEFT_NIC, RIGHT_NIC, SLOW, MachineHost

SWITCH = "ovs-lab"
SWITCHED_LEFT, SWITCHED_RIGHT, DIRECT_MAC = "52:54:00:85:00:01", "52:54:00:85:00:02", "52:54:00:86:00:01"
SLOWER = {"average": 500}
GROUPS = [
    {"name": "red", "vlan": {"tags": [10]}, "inbound": SLOW, "outbound": SLOW},
    {"name": "blue", "vlan": {"tags": [20]}},
]


@pytest.fixture
def switched(machine: MachineHost) -> t.Iterator[MachineHost]:
    """Return the machine with a switch of Open vSwitch, and without the networks of these tests afterwards."""
    machine.on(f"ovs-vsctl --may-exist add-br {SWITCH}")
    yield machine
    for name in ("switched", "direct"):
        machine.virsh("net-destroy", name, check=False)
        machine.virsh("net-undefine", name, check=False)


def tap(guest: Subject, mac: str) -> str:
    """Return the machine's end of a NIC's cable."""
    nic = guest.tree().find(f"devices/interface/mac[@address='{mac}']/../target")
    assert nic is not None
    return nic.get("dev", "")


def told(machine: MachineHost, table: str, name: str, column: str) -> str:
    """Return what Open vSwitch says of a port or an interface."""
    return machine.on(f"ovs-vsctl get {table} {name} {column}")


def device(guest: Subject, mac: str) -> str:
    """Return how the guest itself calls a NIC, once it has seen it."""
    script = f"basename $(dirname $(grep -l {mac} /sys/class/net/*/address))"
    return str(wait_until(lambda: (seen := guest.inside(script)) != "." and seen, f"{mac} in {guest.name}"))


def reaches(guest: Subject, address: str) -> bool:
    """Tell whether a guest gets an answer from an address."""
    return ", 0% packet loss" in guest.inside(f"ping -c 3 -W 20 {address} 2>&1 || true")


def meet(left: Subject, right: Subject) -> bool:
    """Tell whether two guests reach each other; their addresses are set anew, since a DHCP client that begins takes them away."""
    for guest, mac, address in ((left, SWITCHED_LEFT, "10.85.0.1"), (right, SWITCHED_RIGHT, "10.85.0.2")):
        guest.inside(f"ip address replace {address}/24 dev {device(guest, mac)}")
    met = reaches(left, "10.85.0.2")
    kept = right.inside(f"ip -4 address show dev {device(right, SWITCHED_RIGHT)}")
    return met if "10.85.0.2" in kept else meet(left, right)


def test_the_vlans_of_a_switch_part_guests(switched: MachineHost, pair: tuple[Subject, Subject]) -> None:
    """In one port group they reach each other, in two they do not; the throttles of a group hold for those in it."""
    left, right = pair
    network: dict[str, t.Any] = {"mode": "bridge", "bridge": SWITCH, "openvswitch": True, "portgroups": GROUPS}
    assert made(switched, "switched", **network)["network"]["active"]
    for guest, kept, mac in ((left, LEFT_NIC, SWITCHED_LEFT), (right, RIGHT_NIC, SWITCHED_RIGHT)):
        guest.wait_for_boot()
        done = guest.declare(networks=[kept, {"network": "switched", "portgroup": "red", "mac": mac}])
        assert set(effects(done).values()) == {"live"}
        assert told(switched, "port", tap(guest, mac), "tag") == "10"
    port = tap(left, SWITCHED_LEFT)
    assert told(switched, "interface", port, "ingress_policing_rate") == "8000"
    qos = told(switched, "port", port, "qos")
    assert 'min-rate="8000000"' in switched.on(f"ovs-vsctl list qos {qos}")
    wait_until(lambda: meet(left, right), "both are in one VLAN")

    number, blue = right.number, {"network": "switched", "portgroup": "blue", "mac": SWITCHED_RIGHT}
    done = right.declare(networks=[RIGHT_NIC, blue])
    assert (set(effects(done).values()), done["restart_required"], right.number) == ({"live"}, False, number)
    port = tap(right, SWITCHED_RIGHT)
    assert (told(switched, "port", port, "tag"), told(switched, "port", port, "qos")) == ("20", "[]")
    assert told(switched, "interface", port, "ingress_policing_rate") == "0"
    assert not meet(left, right)
    assert run_module("compute_network", uri=switched.uri, name="switched", state="absent").failed

    own = {"network": "switched", "portgroup": "red", "mac": SWITCHED_LEFT, "inbound": SLOWER}
    done = left.declare(networks=[LEFT_NIC, own])
    assert set(effects(done).values()) == {"live"}
    qos = told(switched, "port", tap(left, SWITCHED_LEFT), "qos")
    assert 'min-rate="4000000"' in switched.on(f"ovs-vsctl list qos {qos}")

    left.declare(networks=[LEFT_NIC])
    right.declare(networks=[RIGHT_NIC])
    assert switched.on(f"ovs-vsctl list-ports {SWITCH}") == ""
    made(switched, "switched", state="absent")
    assert SWITCH in switched.on("ovs-vsctl list-br")


def test_a_guest_goes_out_by_a_device_of_its_host(switched: MachineHost, pair: tuple[Subject, Subject]) -> None:
    """By macvtap, past the machine's own network, to the address server and the gateway that are out there."""
    left, _right = pair
    assert made(switched, "direct", mode="macvtap", devices=["eth1"])["network"]["active"]
    left.wait_for_boot()
    done = left.declare(networks=[LEFT_NIC, {"network": "direct", "mac": DIRECT_MAC}])
    assert set(effects(done).values()) == {"live"}
    assert "macvtap mode bridge" in switched.on(f"ip -d link show {tap(left, DIRECT_MAC)}")
    nic = device(left, DIRECT_MAC)
    wait_until(lambda: "10.0.3." in left.inside(f"ip -4 address show dev {nic}"), "an address from outside")
    assert reaches(left, "10.0.3.2")
    assert run_module("compute_network", uri=switched.uri, name="direct", state="inactive").failed
    left.declare(networks=[LEFT_NIC])
    assert made(switched, "direct", state="absent")["changed"]
