# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""NICs in the kernel: who the ARP table says a guest is, and how fast it may send and receive."""

from __future__ import annotations

import typing as t

import pytest

from ..lab.conftest import run_module, wait_until
from ..lab.subjects import Subject, effects
from .conftest import BRIDGE, LEFT_MAC, LEFT_NIC, SLOW, MachineHost

SLOWER = {"average": 500}


@pytest.fixture
def throttled(pair: tuple[Subject, Subject]) -> Subject:
    """Return the guest that was made with throttles."""
    return pair[0]


def tap(guest: Subject) -> str:
    """Return the machine's end of the NIC's cable."""
    return guest.host.virsh("domiflist", guest.name).split()[0]


def rates(guest: Subject, machine: MachineHost) -> tuple[str, str]:
    """Return what the kernel holds the guest to: what it receives, and what it sends."""
    device = tap(guest)
    return (
        machine.on(f"tc class show dev {device}"),
        machine.on(f"tc filter show dev {device} parent ffff:"),
    )


def tuned(guest: Subject, *which: str) -> dict[str, int]:
    """Return what libvirt says of the throttles."""
    lines = guest.host.virsh("domiftune", guest.name, LEFT_MAC, *which).splitlines()
    return {key.strip(): int(value) for key, _colon, value in (line.partition(":") for line in lines) if value.strip()}


def test_the_arp_table_knows_a_guest(machine: MachineHost, throttled: Subject) -> None:
    """On a bridge where neither libvirt's DHCP nor an agent is asked, its address is awaited and told."""
    asked: dict[str, t.Any] = {"wait_for": ["ip"], "wait_timeout": 900, "wait_address": {"sources": ["arp"]}}
    done = throttled.run(**asked)
    leased = wait_until(
        lambda: machine.on(f"ip neighbour show dev {BRIDGE} | grep {LEFT_MAC}"), "the neighbour"
    ).split()[0]
    assert leased.startswith("10.84.0.1")
    assert done["address"] == leased
    assert {entry["source"] for entry in done["addresses"]} == {"arp"}
    assert leased in machine.virsh("domifaddr", throttled.name, "--source", "arp")
    again = throttled.run(**asked)
    assert (again["changed"], again["address"]) == (False, leased)
    told = run_module("compute_instance_info", uri=machine.uri, names=[throttled.name], addresses=["arp"])
    assert not told.failed, told.message
    (row,) = told.data["instances"]
    assert [(entry["address"], entry["source"]) for entry in row["addresses"]] == [(leased, "arp")]


def test_throttles_hold_from_the_start(machine: MachineHost, throttled: Subject) -> None:
    """As declared with the instance, in the kernel and in libvirt's own words."""
    throttled.run()
    received, sent = rates(throttled, machine)
    assert "rate 8Mbit ceil 16Mbit" in received
    assert "rate 8Mbit burst 512Kb" in sent
    assert tuned(throttled)["inbound.average"] == SLOW["average"]


def test_throttles_change_live(machine: MachineHost, throttled: Subject) -> None:
    """Lower, one of them taken away, and back, without another QEMU or another cable; a second run does nothing."""
    throttled.run()
    number, device = throttled.number, tap(throttled)
    done = throttled.declare(networks=[{**LEFT_NIC, "inbound": SLOWER, "outbound": {"average": 0}}])
    assert set(effects(done).values()) == {"live"}
    received, sent = rates(throttled, machine)
    assert "rate 4Mbit ceil 16Mbit" in received
    assert "police" not in sent
    for which in ("--live", "--config"):
        assert tuned(throttled, which)["inbound.average"] == SLOWER["average"]
        assert tuned(throttled, which)["outbound.average"] == 0
    done = throttled.declare(networks=[{**LEFT_NIC, "inbound": {"average": 0}, "outbound": SLOW}])
    assert set(effects(done).values()) == {"live"}
    received, sent = rates(throttled, machine)
    assert "4Mbit" not in received
    assert "rate 8Mbit burst 512Kb" in sent
    assert (throttled.number, tap(throttled)) == (number, device)
    assert "bandwidth" in throttled.xml("--inactive")
