# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where a qcow2 image's data is."""

from __future__ import annotations

import struct
import typing as t
import zlib
from dataclasses import dataclass

from .inspection import SECTOR_BYTES, Reader
from .qcow2 import COMPRESSED, EXTENDED_L2, OFFSET, Qcow2Header, compressed_shift, read_header
from .tables import big_endian
from .zstd import Stream, open_zstd, unpack_zstd

_INCOMPATIBLE_OFFSET, _COMPRESSION_OFFSET = 72, 104
_OTHER_COMPRESSION = 1 << 3
_ZERO = 1
_SUBCLUSTERS = 32
_WINDOW_BITS = -12
_DEFLATE, _ZSTD = 0, 1


@dataclass(frozen=True)
class _Image:
    read: Reader
    cluster_bits: int
    extended: bool
    compression: int

    @property
    def cluster_bytes(self) -> int:
        """Return the bytes of a cluster."""
        return 1 << self.cluster_bits


def qcow2_blocks(read: Reader, _size_bytes: int) -> t.Iterator[tuple[int, bytes]]:
    """Give what an image without problems holds, as (offset on the disk, bytes) in rising order."""
    header = read_header(read)
    features = struct.unpack(">Q", read(_INCOMPATIBLE_OFFSET, 8))[0] if header.version > 2 else 0  # noqa: PLR2004
    compression = read(_COMPRESSION_OFFSET, 1)[0] if features & _OTHER_COMPRESSION else _DEFLATE
    image = _Image(read, header.cluster_bits, bool(features & EXTENDED_L2), compression)
    for offset, content in _clusters(image, header):
        if offset < header.virtual_size:
            yield offset, content[: header.virtual_size - offset]


def _clusters(image: _Image, header: Qcow2Header) -> t.Iterator[tuple[int, bytes]]:
    width = 2 if image.extended else 1
    per_table = image.cluster_bytes // 8 // width
    for number, entry in enumerate(big_endian("Q", image.read(header.l1_offset, header.l1_entries * 8))):
        if not entry & OFFSET:
            continue
        entries = big_endian("Q", image.read(entry & OFFSET, image.cluster_bytes))
        for place in range(per_table):
            offset = (number * per_table + place) * image.cluster_bytes
            found = entries[place * width]
            if found & COMPRESSED:
                yield offset, _unpack(image, found)
            elif found & OFFSET and image.extended:
                yield from _subclusters(image, offset, found & OFFSET, entries[place * width + 1])
            elif found & OFFSET and not found & _ZERO:
                yield offset, _padded(image, found & OFFSET, image.cluster_bytes)


def _subclusters(image: _Image, offset: int, place: int, bitmap: int) -> t.Iterator[tuple[int, bytes]]:
    length = image.cluster_bytes // _SUBCLUSTERS
    for number in range(_SUBCLUSTERS):
        if bitmap >> number & 1:
            yield offset + number * length, _padded(image, place + number * length, length)


def _padded(image: _Image, place: int, length: int) -> bytes:
    """Return a part of the image; the last cluster needs not be there to its end."""
    return image.read(place, length).ljust(length, b"\0")


def _unpack(image: _Image, entry: int) -> bytes:
    shift = compressed_shift(image.cluster_bits)
    place = entry & ((1 << shift) - 1)
    sectors = (entry >> shift & ((1 << (image.cluster_bits - 8)) - 1)) + 1
    packed = image.read(place, sectors * SECTOR_BYTES - place % SECTOR_BYTES)
    if image.compression == _DEFLATE:
        return _inflate(packed, image.cluster_bytes)
    if image.compression == _ZSTD:
        return unpack_zstd(packed, image.cluster_bytes, _open_zstd)
    raise ValueError(f"it is compressed in a way that is not known (type {image.compression})")


def _inflate(packed: bytes, length: int) -> bytes:
    content = zlib.decompressobj(_WINDOW_BITS).decompress(packed, length)
    if len(content) < length:
        raise ValueError("a compressed part of it breaks off")
    return content


def _open_zstd() -> Stream:
    return open_zstd("The image's clusters are", "publish it as qcow2")
