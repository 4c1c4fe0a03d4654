# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for moving bytes through a stream; the stream is libvirt's part and stood for by a list."""

from __future__ import annotations

import io

import hypothesis.strategies as st
import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.stream import (
    CHUNK_BYTES,
    MESSAGE_BYTES,
    EndKeeper,
    SparseReader,
    receive,
    send,
)
from hypothesis import given

DATA = bytes(range(1, 256)) * 9000


class Wire:
    """A stream that keeps what is sent, takes only part of a message, and gives what it is told to."""

    def __init__(self, incoming: bytes = b"", takes: int = MESSAGE_BYTES) -> None:
        """Give ``incoming``; take at most ``takes`` bytes at once."""
        self.sent = io.BytesIO()
        self.holes: list[int] = []
        self._incoming = io.BytesIO(incoming)
        self._takes = takes

    def send(self, data: bytes) -> int:
        """Take bytes."""
        assert len(data) <= MESSAGE_BYTES
        return self.sent.write(data[: self._takes])

    def sendHole(self, length: int, unused_flags: int) -> None:  # noqa: N802  # libvirt's name
        """Take a hole."""
        self.holes.append(length)
        self.sent.write(bytes(length))

    def recv(self, length: int) -> bytes:
        """Give bytes."""
        return self._incoming.read(length)


@pytest.mark.parametrize("takes", [1000, MESSAGE_BYTES])
def test_all_is_sent(takes: int) -> None:
    """What a stream does not take at once is sent again."""
    wire = Wire(takes=takes)
    assert send(wire, io.BytesIO(DATA), len(DATA), False) == len(DATA)
    assert wire.sent.getvalue() == DATA
    assert wire.holes == []


def test_no_more_than_asked_is_sent() -> None:
    """A source that grew meanwhile, and one that ended early."""
    wire = Wire()
    length = 10
    assert send(wire, io.BytesIO(DATA), length, False) == length
    assert wire.sent.getvalue() == DATA[:length]
    assert send(Wire(), io.BytesIO(b"abc"), length, False) == len(b"abc")


@pytest.mark.parametrize(
    ("pieces", "holes"),
    [
        ([b"a" * CHUNK_BYTES, 2 * CHUNK_BYTES, b"end"], [2 * CHUNK_BYTES]),
        ([b"a" * 4096, CHUNK_BYTES, b"b" * 4096, 4096, b"c" * 8192], [CHUNK_BYTES, 4096]),
        ([8192, b"a" * 4096, CHUNK_BYTES - 4096 + 100], [8192, CHUNK_BYTES - 4096 + 100]),
        ([3 * CHUNK_BYTES + 1], [3 * CHUNK_BYTES + 1]),
        ([b"a", 5000, b"b"], []),
        ([], []),
    ],
)
def test_zeros_travel_as_holes(pieces: list[bytes | int], holes: list[int]) -> None:
    """Of any length from a block on, one hole each, also over the chunks that are read; all lands in the right place."""
    data = b"".join(bytes(piece) for piece in pieces)
    wire = Wire()
    assert send(wire, io.BytesIO(data), len(data), True) == len(data)
    assert wire.sent.getvalue() == data
    assert wire.holes == holes


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3 * CHUNK_BYTES // 2)), max_size=6))
def test_no_block_of_zeros_is_sent(pieces: list[tuple[bool, int]]) -> None:
    """Whatever the source holds, it comes out as it was, and no whole block of zeros was sent as data."""
    data = b"".join((b"x" if is_data else b"\0") * length for is_data, length in pieces)
    wire = Wire()
    assert send(wire, io.BytesIO(data), len(data), True) == len(data)
    assert wire.sent.getvalue() == data
    blocks = (data[place : place + 4096] for place in range(0, len(data), 4096))
    assert sum(wire.holes) == sum(len(block) for block in blocks if not any(block))


def test_all_is_received() -> None:
    """Everything until the end."""
    sink = io.BytesIO()
    assert receive(Wire(DATA), sink) == len(DATA)
    assert sink.getvalue() == DATA


class Holed:
    """A stream that gives pieces: bytes, or the length of a hole."""

    def __init__(self, *pieces: bytes | int) -> None:
        """Give ``pieces`` in order."""
        self._pieces = list(pieces)

    def recvFlags(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, length: int, unused_flags: int
    ) -> bytes | int:
        """Give bytes, or tell that a hole begins."""
        if not self._pieces:
            return b""
        if isinstance(self._pieces[0], int):
            return -3
        piece = self._pieces.pop(0)
        assert isinstance(piece, bytes)
        if len(piece) > length:
            self._pieces.insert(0, piece[length:])
        return piece[:length]

    def recvHole(self, unused_flags: int) -> int:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Give the length of a hole."""
        piece = self._pieces.pop(0)
        assert isinstance(piece, int)
        return piece


def test_holes_are_read_as_zeros() -> None:
    """Between, before and after data, longer than is asked for, and empty ones."""
    reader = SparseReader(Holed(5, b"ab", 0, CHUNK_BYTES + 1, b"c", 2))
    content = b""
    while piece := reader.read(CHUNK_BYTES):
        assert len(piece) <= CHUNK_BYTES
        content += piece
    assert content == bytes(5) + b"ab" + bytes(CHUNK_BYTES + 1) + b"c" + bytes(2)


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"abc", (0, b"abc")),
        (b"a" * 5000, (904, b"a" * 4096)),
        (b"ab" + bytes(2 * CHUNK_BYTES), (0, b"ab")),
        (bytes(CHUNK_BYTES) + b"\0a\0", (CHUNK_BYTES, b"\0a")),
        (bytes(5000), (0, b"")),
        (b"", (0, b"")),
    ],
)
def test_end_is_kept(content: bytes, end: tuple[int, bytes]) -> None:
    """The last bytes that are no zeros, at most a block, and where they are; what is read is what there is."""
    keeper = EndKeeper(io.BytesIO(content))
    read = b"".join(iter(lambda: keeper.read(CHUNK_BYTES), b""))
    assert read == content
    assert keeper.end == end
