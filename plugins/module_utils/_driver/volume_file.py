# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A volume's content as a file to be read from its beginning, as often as is needed."""

from __future__ import annotations

import contextlib
import io
import typing as t
from types import TracebackType

from .connection import Connection, libvirt
from .storage import Volume
from .stream import SparseReader


class VolumeFile:
    """The first ``size`` bytes of a volume; nothing is kept, so what is read twice comes twice."""

    def __init__(self, connection: Connection, volume: Volume, size: int) -> None:
        """Read nothing yet."""
        self._connection = connection
        self._volume = volume
        self._size = size
        self._place = 0
        self._stream: t.Any = None
        self._reader: SparseReader | None = None

    def __enter__(self) -> VolumeFile:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Break off what is half read."""
        self._end()

    def seek(self, place: int, /) -> int:
        """Begin anew at the beginning, the only place there is."""
        if place:
            raise io.UnsupportedOperation("a volume is read from its beginning")
        self._end()
        return 0

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""
        chunk: bytes = self._connection.call(
            f"read volume {self._volume.name} of storage pool {self._volume.pool} at {self._connection.uri}",
            self._download,
            min(size, self._size - self._place),
        )
        self._place += len(chunk)
        return chunk

    def _download(self, size: int) -> bytes:
        if not size:
            return b""
        if self._reader is None:
            flags = libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM
            self._stream = self._connection.raw.newStream(0)
            self._volume.raw.download(self._stream, 0, self._size, flags)
            self._reader = SparseReader(self._stream)
        return self._reader.read(size)

    def _end(self) -> None:
        """Let go of the stream, wherever it is: who reads counts the bytes."""
        stream, self._stream = self._stream, None
        self._place, self._reader = 0, None
        if stream is not None:
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()
