# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Bytes into and out of a volume, through libvirt's streams: the same for a local and a remote hypervisor."""

from __future__ import annotations

import contextlib
import io
import typing as t

from .connection import Connection, libvirt

CHUNK_BYTES = 1024 * 1024
MESSAGE_BYTES = 256 * 1024 - 64
"""What fits into one of libvirt's messages: sending more at once makes libvirt-python lose the rest."""
_ZEROS = bytes(CHUNK_BYTES)

_AT_HOLE = -3
"""What libvirt returns in place of bytes where a hole begins."""


class Source(t.Protocol):
    """Where an upload reads from."""

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""


class Sink(t.Protocol):
    """Where a download writes to."""

    def write(self, data: bytes, /) -> object:
        """Take ``data``."""


@contextlib.contextmanager
def open_stream(connection: Connection) -> t.Iterator[t.Any]:
    """Give a stream that is finished when the block ends well, and aborted when it does not."""
    stream = connection.raw.newStream(0)
    try:
        yield stream
        stream.finish()
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        raise


def send(stream: t.Any, source: Source, length: int, sparse: bool) -> int:
    """Send at most ``length`` bytes and return how many there were; with ``sparse``, zeros travel as holes."""
    sent = 0
    while sent < length:
        chunk = source.read(min(CHUNK_BYTES, length - sent))
        if not chunk:
            break
        if sparse and chunk == _ZEROS[: len(chunk)]:
            stream.sendHole(len(chunk), 0)
        else:
            _send_chunk(stream, memoryview(chunk))
        sent += len(chunk)
    return sent


def _send_chunk(stream: t.Any, chunk: memoryview) -> None:
    while chunk:
        done = stream.send(bytes(chunk[:MESSAGE_BYTES]))
        chunk = chunk[done:]


def receive(stream: t.Any, sink: Sink) -> int:
    """Write everything that comes to ``sink`` and return how many bytes that was."""
    received = 0
    while True:
        chunk = stream.recv(MESSAGE_BYTES)
        if not chunk:
            return received
        sink.write(chunk)
        received += len(chunk)


class SparseReader:
    """Reads what comes piece by piece; a hole is zeros to who reads, and travels as its length."""

    def __init__(self, stream: t.Any) -> None:
        """Read a download that was begun sparse."""
        self._stream = stream
        self._hole = 0

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""
        while not self._hole:
            piece = _receive_piece(self._stream, min(size, MESSAGE_BYTES))
            if isinstance(piece, bytes):
                return piece
            self._hole = piece
        zeros = _ZEROS[: min(size, self._hole)]
        self._hole -= len(zeros)
        return zeros


def receive_sparse(stream: t.Any, file: t.BinaryIO) -> None:
    """Write everything that comes to ``file``; holes travel as their length, and are left out."""
    while True:
        piece = _receive_piece(stream, MESSAGE_BYTES)
        if isinstance(piece, int):
            file.seek(piece, io.SEEK_CUR)
        elif piece:
            file.write(piece)
        else:
            return


def _receive_piece(stream: t.Any, size: int) -> bytes | int:
    """Return at most ``size`` bytes, none at the end, or the length of a hole."""
    chunk: bytes | int = stream.recvFlags(size, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
    return t.cast(int, stream.recvHole(0)) if chunk == _AT_HOLE else t.cast(bytes, chunk)
