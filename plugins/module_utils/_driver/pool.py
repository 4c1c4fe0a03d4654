# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Storage pools as they are defined, running or not: looked up, defined, started, stopped, undefined."""

from __future__ import annotations

import contextlib

from .._errors import NotFoundError
from .._xml.pool import read_pool_types
from .capabilities import supported
from .connection import Connection, libvirt
from .storage import Pool, look_up_pool, while_busy


def find_defined_pool(connection: Connection, name: str) -> DefinedPool | None:
    """Return the pool ``name``, be it running or not, or None."""
    try:
        return DefinedPool(connection, look_up_pool(connection, name))
    except NotFoundError:
        return None


def define_pool(connection: Connection, name: str, text: str) -> DefinedPool:
    """Define a pool, or have a running one that is not persistent stay."""
    raw = connection.call(f"define storage pool {name}", connection.raw.storagePoolDefineXML, text, 0)
    return DefinedPool(connection, raw)


def known_pool_types(connection: Connection) -> frozenset[str] | None:
    """Return the types of pools that the hypervisor has backends for; None where it can't tell."""
    ask = getattr(connection.raw, "getStoragePoolCapabilities", None)
    text = supported(connection, "read what storage pools there can be", ask) if ask else None
    return read_pool_types(text) if text else None


class DefinedPool(Pool):
    """A storage pool that may be running or not; use :func:`find_defined_pool`."""

    @property
    def is_active(self) -> bool:
        """Tell whether the pool is running."""
        return bool(self._call("read the state of storage pool", self._raw.isActive))

    @property
    def is_persistent(self) -> bool:
        """Tell whether the pool is there when it does not run."""
        return bool(self._call("read the state of storage pool", self._raw.isPersistent))

    @property
    def autostart(self) -> bool:
        """Tell whether the pool starts with its host."""
        return bool(self._call("read autostart of storage pool", self._raw.autostart))

    def build(self, keep_content: bool = False) -> None:
        """Make what the pool stands on; ``keep_content`` also makes a file system, where there is no data."""
        flags = libvirt.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE if keep_content else libvirt.VIR_STORAGE_POOL_BUILD_NEW
        self._call("build storage pool", self._raw.build, flags)

    def start(self) -> None:
        """Start the pool."""
        self._call("start storage pool", self._raw.create, 0)

    def stop(self) -> None:
        """Stop the pool, which leaves what is in it; waits for jobs in it."""
        while_busy(lambda: self._call("stop storage pool", self._raw.destroy), "VIR_ERR_INTERNAL_ERROR")

    def set_autostart(self, enabled: bool) -> None:
        """Have the pool start with its host, or not."""
        self._call("set autostart of storage pool", self._raw.setAutostart, int(enabled))

    def undefine(self) -> None:
        """Forget the pool, which leaves what is in it."""
        with contextlib.suppress(NotFoundError):
            self._call("undefine storage pool", self._raw.undefine)
