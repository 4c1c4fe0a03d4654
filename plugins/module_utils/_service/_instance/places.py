# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The storage pools that a task works with, each with its volumes."""

from __future__ import annotations

import re
import typing as t
from functools import cached_property

from ..._driver.connection import Connection
from ..._driver.storage import Pool, Volume, find_pool
from ..._errors import DriverError, SpecError
from ..._spec.remote import RemoteSource
from ..._xml.pool import read_layout
from ..._xml.volume import PoolDescription
from ..remote_source import remote_source
from ..seed import seeds_by_instance

_BLOCK_POOLS = frozenset({"logical", "disk", "iscsi", "scsi", "mpath", "zfs"})
_UNIT_POOLS = frozenset({"iscsi", "scsi", "mpath"})
"""Their volumes are there without us, and have other names in libvirt than as devices."""


class Place:
    """One storage pool; what is asked of it once is kept until :meth:`read_again`."""

    def __init__(self, connection: Connection, name: str) -> None:
        """Take the pool's name; it is only looked up when needed."""
        self.name = name
        self._connection = connection

    @cached_property
    def pool(self) -> Pool:
        """Return the pool itself."""
        return find_pool(self._connection, self.name)

    @property
    def is_running(self) -> bool:
        """Tell whether there is such a pool, and libvirt can look into it."""
        try:
            return self.pool is not None
        except DriverError:
            return False

    @cached_property
    def info(self) -> PoolDescription:
        """Return what the pool is."""
        return self.pool.describe()

    @property
    def path(self) -> str:
        """Return the directory of the volumes on the hypervisor, which the pool must have."""
        if not self.info.path:
            remedy = "take a dir, fs or netfs pool"
            if self.info.is_remote:
                remedy += ", and declare its volumes among the instance's volumes, which it boots from where it has no other disk"
            raise SpecError("pool", f"pool {self.name} of type {self.info.type} has no path", remedy)
        return self.info.path

    @cached_property
    def remote(self) -> RemoteSource | None:
        """Return how QEMU gets to the volumes, where these are nowhere on the hypervisor."""
        return remote_source(self.pool) if self.info.is_remote else None

    @property
    def is_block(self) -> bool:
        """Tell whether volumes are block devices, here or in a Ceph cluster, rather than files."""
        return self.info.type in _BLOCK_POOLS or self.info.is_remote

    @cached_property
    def volumes(self) -> dict[str, Volume]:
        """Return the volumes by name."""
        return self.pool.volumes()

    @cached_property
    def seeds(self) -> dict[str, set[str]]:
        """Return the volumes that tell of a first boot, by the instance's name."""
        return seeds_by_instance(self.volumes)

    def read_again(self) -> None:
        """Forget the volumes, because another run may have changed them."""
        self.__dict__.pop("volumes", None)
        self.__dict__.pop("seeds", None)

    def refresh(self) -> None:
        """Make libvirt see what was written behind the pool's back, such as console logs."""
        self.pool.refresh()
        self.read_again()

    def locate(self, volume: str) -> str:
        """Return the path of a volume, be it there or not; in a Ceph cluster it is called so there."""
        if self.info.is_remote:
            return f"{read_layout(self.pool.xml()).name}/{volume}"
        there = self.volumes.get(volume) if self.info.type in _UNIT_POOLS else None
        return there.path if there else f"{self.path}/{volume}"

    def logs(self, path: str) -> t.Iterator[Volume]:
        """Give the volumes that are the console log at ``path``, those that virtlogd rotated away included."""
        rotated = re.compile(re.escape(path) + r"(\.\d+)?")
        for name, volume in self.volumes.items():
            if rotated.fullmatch(self.locate(name)):
                yield volume
