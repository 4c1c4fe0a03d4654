# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what an earlier instance left as root disk, on libvirt's test driver."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, NotFoundError
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import Host
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.root_disk import check_root_disk
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Lifecycle, Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec

POOL = "default-pool"
VOLUME = "web-vda.qcow2"
LIFECYCLE = Lifecycle(
    POOL, "auto", Limits(4.0, 1.0, 1.0, 0, 512, 0), force=False, shutdown_timeout=0, has_root_disk=True
)
GIB = 1024**3


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection to a node of libvirt's test driver."""
    with Connection("test:///default") as opened:
        yield opened


def check(connection: Connection, **declared: t.Any) -> None:
    """Look whether instance web may have the volume."""
    check_root_disk(Host(connection, LIFECYCLE), instance_spec(None, name="web", **declared), VOLUME)


def test_one_that_is_not_there(connection: Connection) -> None:
    """It is not made instead."""
    with pytest.raises(NotFoundError, match=f"there is no volume {VOLUME} in pool {POOL}"):
        check(connection)


def test_one_that_is_there(connection: Connection) -> None:
    """Unless it holds something else, lies on something else, or somebody has it."""
    pool = find_pool(connection, POOL)
    made = pool.create(VOLUME, GIB, "qcow2")
    disk = Disk("vda", bus="virtio", source=made.path, format="qcow2", type="file")
    other = Machine("test", "other", disks=(disk,), memory_kib=2048, vcpus=1, os=OsBoot("hvm"))
    try:
        check(connection)
        with pytest.raises(ConflictError, match="holds qcow2, and declared is disk_format: raw"):
            check(connection, disk_format="raw")
        driver.define(connection, "other", render(other))
        with pytest.raises(ConflictError, match="is a disk of other"):
            check(connection)
        driver.undefine(connection, "other", connection.raw.lookupByName("other"))
    finally:
        made.delete()


def test_one_on_something_else(connection: Connection) -> None:
    """What is below it would be read by the guest."""
    pool = find_pool(connection, POOL)
    made = pool.create(VOLUME, GIB, "qcow2", backing=("/etc/shadow", "raw"))
    try:
        with pytest.raises(ConflictError, match="lies on /etc/shadow, and not on nothing"):
            check(connection, image=None)
    finally:
        made.delete()
