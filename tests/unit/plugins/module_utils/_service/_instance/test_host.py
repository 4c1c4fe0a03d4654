# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how instances are found on a host, on libvirt's test driver."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import Host
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Lifecycle, Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import render

LIFECYCLE = Lifecycle("default-pool", "auto", Limits(4.0, 1.0, 1.0, 0, 512, 0), force=False, shutdown_timeout=0)
DISKS = (OwnedDisk("vda", "default-pool", "web-vda.qcow2"), OwnedDisk("vdb", "gone", "web-data"))
MACHINE = Machine("test", "web", record=InstanceRecord(disks=DISKS), memory_kib=2048, vcpus=1, os=OsBoot("hvm"))


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection to a node that has instance web, but one of its pools is gone."""
    with Connection("test:///default") as opened:
        handle = driver.define(opened, "web", render(MACHINE))
        yield opened
        driver.undefine(opened, "web", handle)


def test_disks_in_a_pool_that_is_gone_are_told(connection: Connection) -> None:
    """They can't be deleted, and are not forgotten either."""
    with pytest.raises(ConflictError, match=r"vdb of instance web is in storage pool gone.*keep_disks: true"):
        Host(connection, LIFECYCLE).existing("web")


def test_disks_that_are_kept_need_not_be_there(connection: Connection) -> None:
    """Who lets go of them does not look into their pool."""
    existing = Host(connection, replace(LIFECYCLE, keep_disks=True)).existing("web")
    assert existing is not None
    assert [disk.target for disk in existing.disks] == ["vda"]
