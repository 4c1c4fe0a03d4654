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
_BLOCK_BYTES = 4096
"""What file systems keep, or leave out, at least."""
_ZERO_BLOCK = bytes(_BLOCK_BYTES)

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


class EndKeeper:
    """Reads from a source, and keeps the last bytes of it that are no zeros.

    A daemon that could not write the last of what it was sent may call the stream's end fine all the same. Since nothing
    is written after what failed, whoever finds these bytes where they belong knows that all of them are there.
    """

    def __init__(self, source: Source) -> None:
        """Read on from where ``source`` is."""
        self._source = source
        self._read = 0
        self._place, self._chunk = 0, b""

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""
        chunk = self._source.read(size)
        if chunk != _ZEROS[: len(chunk)]:
            self._place, self._chunk = self._read, chunk
        self._read += len(chunk)
        return chunk

    @property
    def end(self) -> tuple[int, bytes]:
        """Return where the last bytes are, and them."""
        content = self._chunk.rstrip(b"\0")
        kept = content[-_BLOCK_BYTES:]
        return self._place + len(content) - len(kept), kept


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
    sent = hole = 0
    while sent < length:
        chunk = source.read(min(CHUNK_BYTES, length - sent))
        if not chunk:
            break
        sent += len(chunk)
        for piece in _pieces(chunk) if sparse else (memoryview(chunk),):
            if isinstance(piece, int):
                hole += piece
                continue
            if hole:
                stream.sendHole(hole, 0)
                hole = 0
            _send_chunk(stream, piece)
    if hole:
        stream.sendHole(hole, 0)
    return sent


def _pieces(chunk: bytes) -> t.Iterator[memoryview | int]:
    """Give runs of data, and the lengths of runs of blocks that are all zeros, in order."""
    if chunk == _ZEROS[: len(chunk)]:
        yield len(chunk)
        return
    view, start, is_hole = memoryview(chunk), 0, False
    for place in range(0, len(chunk), _BLOCK_BYTES):
        block = chunk[place : place + _BLOCK_BYTES]
        zeros = block == _ZERO_BLOCK[: len(block)]
        if zeros != is_hole:
            if place > start:
                yield place - start if is_hole else view[start:place]
            start, is_hole = place, zeros
    yield len(chunk) - start if is_hole else view[start:]


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
