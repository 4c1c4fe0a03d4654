# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which addresses a security group's members have."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.addresses import GuestAddress
from ansible_collections.kilonova.compute.plugins.module_utils._driver.inventory import NetworkReading
from ansible_collections.kilonova.compute.plugins.module_utils._service import group_members
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Nic
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import FixedIp, InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network import NetworkDescription

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"


def test_an_address_that_is_declared_is_a_members_before_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a bridge, where no network keeps it, and while the guest is off; that of a NIC in no group is not."""
    nics = (Nic(MAC, "bridge", "br0", filter="kilonova-nic.clean.web"), Nic(OTHER, "bridge", "br0"))
    record = InstanceRecord(fixed_ips=(FixedIp(MAC, "192.0.2.7"), FixedIp(OTHER, "192.0.2.8")))
    guest: t.Any = SimpleNamespace(
        machine=Machine("qemu", "m", nics=nics), record=record, reading=SimpleNamespace(state="shutoff")
    )
    monkeypatch.setattr(group_members, "read_networks", lambda _connection: [])
    found = group_members.members_here(t.cast("t.Any", None), [guest], {"web", "db"})
    assert found == {"web": {"192.0.2.7"}, "db": frozenset()}


NETWORK = NetworkReading(
    True,
    NetworkDescription(
        "lan",
        "nat",
        "virbr0",
        addresses=("192.0.2.1",),
        subnets=("192.0.2.1/24",),
        reservations=(("192.0.2.9", OTHER),),
    ),
)


@pytest.mark.parametrize(("source", "far"), [(("network", "lan"), False), (("bridge", "br0"), True)])
def test_a_guest_opens_no_more_than_its_own_address(
    monkeypatch: pytest.MonkeyPatch, source: tuple[str, str], far: bool
) -> None:
    """Thousands that it tells, the host's, others' reserved and leased ones, and those of other networks are let be."""
    lies = [f"192.0.2.{last}" for last in range(1, 255)] + [f"198.51.100.{last}" for last in range(1, 255)]
    answers = {"lease": (), "agent": tuple(GuestAddress(one, 24, "ipv4", MAC, "eth0", "agent") for one in lies)}
    monkeypatch.setattr(group_members, "interface_addresses", lambda _connection, _handle, who: answers[who])
    monkeypatch.setattr(group_members, "read_networks", lambda _connection: [NETWORK])
    monkeypatch.setattr(group_members, "leased_addresses", lambda _connection, _network: {"192.0.2.2": OTHER})
    nic = Nic(MAC, *source, filter="kilonova-nic.open.web")
    guest: t.Any = SimpleNamespace(
        machine=Machine("qemu", "m", nics=(nic,)), record=None, reading=SimpleNamespace(state="running", handle=None)
    )
    found = group_members.members_here(t.cast("t.Any", None), [guest], {"web"})["web"]
    assert found == {"192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"}
    answers["agent"] = answers["agent"][254:]
    assert bool(group_members.members_here(t.cast("t.Any", None), [guest], {"web"})["web"]) is far
    answers["lease"] = (GuestAddress("192.0.2.77", 24, "ipv4", MAC, "vnet0", "lease"),)
    assert group_members.members_here(t.cast("t.Any", None), [guest], {"web"})["web"] == {"192.0.2.77"}
