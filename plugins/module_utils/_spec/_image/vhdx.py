# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a VHDX image is safe, and where its data is."""

from __future__ import annotations

import struct
import typing as t
import uuid
from array import array
from dataclasses import dataclass

from .inspection import BrokenError, Inspection, Reader, check_places, check_size
from .tables import crc32c, little_endian

_KIB, _MIB = 1024, 1024**2
_HEADERS, _HEADER_BYTES = (64 * _KIB, 128 * _KIB), 4 * _KIB
_HEADER = struct.Struct("<4sIQ16s16s16sHH")
_REGIONS, _REGION_TABLE_BYTES = (192 * _KIB, 256 * _KIB), 64 * _KIB
_REGION_TABLE, _REGION = struct.Struct("<4sIII"), struct.Struct("<16sQII")
_METADATA_TABLE, _ITEM = struct.Struct("<8sHH20x"), struct.Struct("<16sIIII")
_MOST_ENTRIES = 2047
_TABLE = "2dc27766-f623-4200-9d64-115e9bfd4a08"
_METADATA = "8b7ca206-4790-4b9a-b8fe-575f050f886e"
_PARAMETERS = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
_DISK_SIZE = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
_SECTOR_SIZE = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
_PARENT = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
_KNOWN_ITEMS = {
    _PARAMETERS,
    _DISK_SIZE,
    _SECTOR_SIZE,
    _PARENT,
    "beca12ab-b2e6-4523-93ef-c309e000c746",  # the disk's identity
    "cda348c7-445d-4471-9cc9-e9885251c556",  # physical sector size
}
_HAS_PARENT = 1 << 1
_REQUIRED_ITEM = 1 << 2
_PRESENT, _PARTLY_PRESENT = 6, 7
_SECTORS_PER_CHUNK = 1 << 23


@dataclass(frozen=True)
class _Layout:
    table_offset: int
    table_bytes: int
    virtual_size: int
    block_bytes: int
    sector_bytes: int
    has_parent: bool

    @property
    def blocks(self) -> int:
        """Return how many blocks the disk has."""
        return -(-self.virtual_size // self.block_bytes)

    @property
    def chunk(self) -> int:
        """Return after how many blocks an entry of another kind stands in the table."""
        return _SECTORS_PER_CHUNK * self.sector_bytes // self.block_bytes

    @property
    def entries(self) -> int:
        """Return how many entries the table must have."""
        return self.blocks + (self.blocks - 1) // self.chunk


def inspect_vhdx(read: Reader, size_bytes: int) -> Inspection:
    """Judge a VHDX image by its headers, its metadata and its block table."""
    virtual_size = 0
    try:
        layout = _layout(read, size_bytes)
        virtual_size = layout.virtual_size
        _check_blocks(read, size_bytes, layout)
    except BrokenError as exc:
        return Inspection("vhdx", virtual_size, (str(exc),))
    return Inspection("vhdx", virtual_size)


def vhdx_blocks(read: Reader, size_bytes: int) -> t.Iterator[tuple[int, bytes]]:
    """Give what an image without problems holds, as (offset on the disk, bytes) in rising order."""
    layout = _layout(read, size_bytes)
    for number, entry in enumerate(_payload_entries(read, layout)):
        if entry & 7 == _PRESENT:
            offset = number * layout.block_bytes
            yield offset, read(entry >> 20 << 20, min(layout.block_bytes, layout.virtual_size - offset))


def _check_blocks(read: Reader, size_bytes: int, layout: _Layout) -> None:
    if layout.has_parent:
        raise BrokenError("has a parent image, so it is not complete by itself")
    if layout.entries * 8 > layout.table_bytes:
        raise BrokenError(f"has a block table too small for its virtual size of {layout.virtual_size} bytes")
    entries = _payload_entries(read, layout)
    if any(entry & 7 == _PARTLY_PRESENT for entry in entries):
        raise BrokenError("has blocks that are completed by a parent image")
    check_places([entry >> 20 << 20 for entry in entries if entry & 7 == _PRESENT], size_bytes, "block")


def _payload_entries(read: Reader, layout: _Layout) -> array[int]:
    table = little_endian("Q", read(layout.table_offset, layout.entries * 8))
    del table[layout.chunk :: layout.chunk + 1]
    return table


def _layout(read: Reader, size_bytes: int) -> _Layout:
    _check_log(read)
    regions = _regions(read)
    for offset, length in regions.values():
        if offset + length > size_bytes:
            raise BrokenError("ends before its tables are over, so a part of it is missing")
    items = _metadata(read, *regions[_METADATA])
    block_bytes, flags = struct.unpack("<II", items[_PARAMETERS])
    (virtual_size,) = struct.unpack("<Q", items[_DISK_SIZE])
    (sector_bytes,) = struct.unpack("<I", items[_SECTOR_SIZE])
    check_size(virtual_size)
    if not _MIB <= block_bytes <= 256 * _MIB or block_bytes & (block_bytes - 1):
        raise BrokenError(f"has blocks of {block_bytes} bytes")
    if sector_bytes not in (512, 4096):
        raise BrokenError(f"has sectors of {sector_bytes} bytes")
    has_parent = bool(flags & _HAS_PARENT) or _PARENT in items
    return _Layout(*regions[_TABLE], virtual_size, block_bytes, sector_bytes, has_parent)


def _check_log(read: Reader) -> None:
    """Find the header that counts, which must say that nothing is left to be replayed from the log."""
    newest: tuple[int, bytes] | None = None
    for offset in _HEADERS:
        content = read(offset, _HEADER_BYTES)
        if _is_whole(content, b"head", _HEADER_BYTES):
            fields = _HEADER.unpack_from(content)
            newest = max(newest or (0, b""), (fields[2], fields[5]))
    if newest is None:
        raise BrokenError("has no header with a right checksum")
    if any(newest[1]):
        raise BrokenError("was not closed cleanly, so its log is to be replayed where it was made")


def _regions(read: Reader) -> dict[str, tuple[int, int]]:
    for place in _REGIONS:
        content = read(place, _REGION_TABLE_BYTES)
        if not _is_whole(content, b"regi", _REGION_TABLE_BYTES):
            continue
        _signature, _checksum, count, _reserved = _REGION_TABLE.unpack_from(content)
        found = {}
        for number in range(min(count, _MOST_ENTRIES)):
            guid, offset, length, required = _REGION.unpack_from(content, _REGION_TABLE.size + number * _REGION.size)
            name = str(uuid.UUID(bytes_le=guid))
            if required & 1 and name not in (_TABLE, _METADATA):
                raise BrokenError(f"needs an unknown feature (region {name})")
            found[name] = (offset, length)
        if {_TABLE, _METADATA} <= set(found):
            return {name: found[name] for name in (_TABLE, _METADATA)}
    raise BrokenError("has no region table that can be used")


def _metadata(read: Reader, offset: int, length: int) -> dict[str, bytes]:
    content = read(offset, min(length, _MIB))
    if len(content) < _REGION_TABLE_BYTES or not content.startswith(b"metadata"):
        raise BrokenError("has no metadata")
    count = _METADATA_TABLE.unpack_from(content)[2]
    found = {}
    for number in range(min(count, _MOST_ENTRIES)):
        guid, place, size, flags, _reserved = _ITEM.unpack_from(content, _METADATA_TABLE.size + number * _ITEM.size)
        name = str(uuid.UUID(bytes_le=guid))
        if name not in _KNOWN_ITEMS and flags & _REQUIRED_ITEM:
            raise BrokenError(f"needs an unknown feature (metadata {name})")
        found[name] = content[place : place + size]
    for name, size in ((_PARAMETERS, 8), (_DISK_SIZE, 8), (_SECTOR_SIZE, 4)):
        if len(found.get(name, b"")) != size:
            raise BrokenError("lacks metadata about the disk")
    return found


def _is_whole(content: bytes, signature: bytes, length: int) -> bool:
    if len(content) < length or not content.startswith(signature):
        return False
    (stated,) = struct.unpack_from("<I", content, 4)
    return crc32c(content[:4] + bytes(4) + content[8:]) == stated
