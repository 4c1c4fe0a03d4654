# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which addresses a security group's members have."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._service import group_members
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Nic
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import FixedIp, InstanceRecord

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
