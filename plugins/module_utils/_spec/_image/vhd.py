# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a VHD image (QEMU's vpc) is safe, and where its data is."""

from __future__ import annotations

import struct
import typing as t
from array import array

from .inspection import SECTOR_BYTES, BrokenError, Inspection, Reader, check_places, check_size
from .tables import big_endian

_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII")
_FOOTER_CHECKSUM = 64
_SPARSE = struct.Struct(">8sQQIIII")
_SPARSE_BYTES = 1024
_SPARSE_CHECKSUM = 36
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
_UNUSED = 0xFFFFFFFF
_SMALLEST_BLOCK, _LARGEST_BLOCK = 4096, 256 * 1024**2


class _Footer(t.NamedTuple):
    cookie: bytes
    features: int
    version: int
    data_offset: int
    created: int
    creator: bytes
    creator_version: int
    creator_os: bytes
    original_size: int
    size: int
    cylinders: int
    heads: int
    sectors: int
    type: int
    checksum: int


class _Sparse(t.NamedTuple):
    cookie: bytes
    next_offset: int
    table_offset: int
    version: int
    entries: int
    block_bytes: int
    checksum: int


def inspect_vhd(read: Reader, size_bytes: int) -> Inspection:
    """Judge a VHD image by its footer and, where blocks are allocated on demand, by all that leads to them."""
    content = read(max(0, size_bytes - SECTOR_BYTES), SECTOR_BYTES)
    if len(content) < SECTOR_BYTES or not content.startswith(b"conectix"):
        return Inspection("vhd", 0, ("has no footer, so a part of it is missing",))
    footer = _Footer(*_FOOTER.unpack_from(content))
    try:
        _check(read, size_bytes, content)
    except BrokenError as exc:
        return Inspection("vhd", footer.size, (str(exc),))
    return Inspection("vhd", footer.size)


def vhd_blocks(read: Reader, size_bytes: int) -> t.Iterator[tuple[int, bytes]]:
    """Give what an image without problems holds, as (offset on the disk, bytes) in rising order."""
    footer = _Footer(*_FOOTER.unpack(read(size_bytes - SECTOR_BYTES, _FOOTER.size)))
    if footer.type == _FIXED:
        step = 1024 * 1024
        for offset in range(0, footer.size, step):
            yield offset, read(offset, min(step, footer.size - offset))
        return
    sparse = _Sparse(*_SPARSE.unpack(read(footer.data_offset, _SPARSE.size)))
    bitmap = _bitmap_bytes(sparse.block_bytes)
    for number, sector in enumerate(_table(read, sparse)):
        if sector != _UNUSED:
            offset = number * sparse.block_bytes
            yield offset, read(sector * SECTOR_BYTES + bitmap, min(sparse.block_bytes, footer.size - offset))


def _check(read: Reader, size_bytes: int, content: bytes) -> None:
    footer = _Footer(*_FOOTER.unpack_from(content))
    if _checksum(content, _FOOTER_CHECKSUM) != footer.checksum:
        raise BrokenError("has a footer with a wrong checksum")
    check_size(footer.size)
    if footer.type == _DIFFERENCING:
        raise BrokenError("has a parent image, so it is not complete by itself")
    if footer.type == _FIXED and footer.size != size_bytes - SECTOR_BYTES:
        raise BrokenError(f"claims {footer.size} bytes of data and has {size_bytes - SECTOR_BYTES}")
    if footer.type == _DYNAMIC:
        if read(0, SECTOR_BYTES) != content:
            raise BrokenError("has a header that differs from its footer")
        _check_blocks(read, size_bytes, footer)
    elif footer.type != _FIXED:
        raise BrokenError(f"is of the unknown kind {footer.type}")


def _check_blocks(read: Reader, size_bytes: int, footer: _Footer) -> None:
    content = read(footer.data_offset, _SPARSE_BYTES)
    if len(content) < _SPARSE_BYTES or not content.startswith(b"cxsparse"):
        raise BrokenError("has no header for its blocks, so a part of it is missing")
    sparse = _Sparse(*_SPARSE.unpack_from(content))
    if _checksum(content, _SPARSE_CHECKSUM) != sparse.checksum:
        raise BrokenError("has a header for its blocks with a wrong checksum")
    size = sparse.block_bytes
    if not _SMALLEST_BLOCK <= size <= _LARGEST_BLOCK or size & (size - 1):
        raise BrokenError(f"has blocks of {size} bytes")
    if sparse.entries < -(-footer.size // size):
        raise BrokenError(f"has a block table too small for its virtual size of {footer.size} bytes")
    if sparse.table_offset + sparse.entries * 4 > size_bytes:
        raise BrokenError("ends before its block table, so a part of it is missing")
    starts = [sector * SECTOR_BYTES + _bitmap_bytes(size) for sector in _table(read, sparse) if sector != _UNUSED]
    check_places(starts, size_bytes - SECTOR_BYTES, "block")


def _table(read: Reader, sparse: _Sparse) -> array[int]:
    return big_endian("I", read(sparse.table_offset, sparse.entries * 4))


def _bitmap_bytes(block_bytes: int) -> int:
    """Return the size of what stands before each block, one bit for each of its sectors, in whole sectors."""
    return -(-block_bytes // SECTOR_BYTES // 8 // SECTOR_BYTES) * SECTOR_BYTES


def _checksum(content: bytes, place: int) -> int:
    return ~(sum(content) - sum(content[place : place + 4])) & 0xFFFFFFFF
