# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A volume's content from one hypervisor to another: read from the one as it is written to the other."""

from __future__ import annotations

import typing as t

from ..._driver.connection import Connection
from ..._driver.storage import Pool, Volume
from ..._driver.stream import Source
from ..._driver.volume_file import VolumeFile
from ..._errors import DriverError
from ..._plan.migration import DiskMove
from ..._spec._image.qcow2_backing import header_bytes, with_backing
from ..._xml.volume import VolumeDescription

_QCOW2 = "qcow2"
_HEAD_BYTES = 4096


class _Headed:
    """A source whose first bytes are others."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""
        chunk = self._rest.read(size)
        replaced, self._head = self._head[: len(chunk)], self._head[len(chunk) :]
        return replaced + chunk[len(replaced) :]


class _Watched:
    """A source that tells how much of it was read."""

    def __init__(self, source: Source, watch: t.Callable[[int, int], None], total: int) -> None:
        self._source, self._watch, self._total = source, watch, total
        self._done = 0

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""
        chunk = self._source.read(size)
        self._done += len(chunk)
        self._watch(self._done, self._total)
        return chunk


def copy_volume(
    connection: Connection,
    origin: Volume,
    pool: Pool,
    move: DiskMove,
    watch: t.Callable[[int, int], None],
) -> Volume:
    """Make the volume with the content of ``origin``; one of qcow2 lies on the base that is at the destination."""
    size = origin.reread().description.stored_bytes
    head = _head(origin, size, move)
    volume = pool.add(VolumeDescription(move.owned.volume, size, "raw", mode=move.mode))
    try:
        with VolumeFile(connection, origin, size) as file:
            source: t.Any = file if head is None else _Headed(head, file)
            volume.upload(_Watched(source, watch, size), size, sparse=True)
        pool.refresh()
        if volume.reread().capacity != origin.capacity:
            raise DriverError(
                f"Volume {volume.name} has {volume.capacity} bytes at the destination and {origin.capacity} at the source."
            )
    except BaseException:
        volume.delete()
        raise
    return volume


def _head(origin: Volume, size: int, move: DiskMove) -> bytes | None:
    """Return the first cluster as it is to be at the destination; None where it stays."""
    below = origin.backing
    if move.format != _QCOW2 or move.base is None or below is None or below[0] == move.base:
        return None
    read = origin.reader(size)
    cluster = read(0, header_bytes(read(0, _HEAD_BYTES)))
    try:
        return with_backing(cluster, move.base)
    except ValueError as exc:
        raise DriverError(f"Volume {origin.name} can't be told of its base at the destination: {exc}.") from exc
