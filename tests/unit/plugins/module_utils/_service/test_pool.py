# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how a pool is started, with libvirt's own object for one that it starts whether or not anything is there."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.pool import DefinedPool
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError
from ansible_collections.kilonova.compute.plugins.module_utils._service.pool import _start_or_build
from ansible_collections.kilonova.compute.plugins.module_utils._spec.pool import PoolSpec


class Zpool:
    """What libvirt 9.0 makes of a ZFS pool: it runs with nothing in it where zpool and zfs find none."""

    def __init__(self, size: int, size_when_built: int = 0) -> None:
        """Be so large, and so large once it was built."""
        self._size, self._built = size, size_when_built
        self.calls: list[str] = []

    def name(self) -> str:
        """Return its name."""
        return "disks"

    def UUIDString(self) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's
        """Return its UUID."""
        return "uuid"

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's
        """Return what libvirt knows of it."""
        source = "<source><name>tank/disks</name></source>"
        return f"<pool type='zfs'><name>disks</name><capacity>{self._size}</capacity>{source}</pool>"

    def create(self, _flags: int) -> None:
        """Be started."""
        self.calls.append("create")

    def destroy(self) -> None:
        """Be stopped."""
        self.calls.append("destroy")

    def build(self, _flags: int) -> None:
        """Be made out of devices."""
        self.calls.append("build")
        self._size = self._built


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection that nothing is asked of."""
    with Connection("test:///default") as opened:
        yield opened


def test_a_zfs_pool_that_is_there_is_started_and_not_built(connection: Connection) -> None:
    """Whether or not it may be."""
    raw = Zpool(5)
    _start_or_build(DefinedPool(connection, raw), PoolSpec("disks", build=True))
    assert raw.calls == ["create"]


def test_a_zfs_pool_that_is_not_there_does_not_run(connection: Connection) -> None:
    """Though libvirt says that it does."""
    raw = Zpool(0)
    with pytest.raises(DriverError, match=r"no ZFS pool named tank/disks.*declare build: true"):
        _start_or_build(DefinedPool(connection, raw), PoolSpec("disks"))
    assert raw.calls == ["create", "destroy"]


def test_a_zfs_pool_is_built_where_there_is_none(connection: Connection) -> None:
    """And looked at again."""
    raw = Zpool(0, 5)
    _start_or_build(DefinedPool(connection, raw), PoolSpec("disks", build=True))
    assert raw.calls == ["create", "destroy", "build", "create"]
    raw = Zpool(0)
    with pytest.raises(DriverError, match="it is made of its devices now"):
        _start_or_build(DefinedPool(connection, raw), PoolSpec("disks", build=True))
