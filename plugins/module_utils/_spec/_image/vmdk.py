# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a stream-optimized VMDK image is safe, and where its data is.

A VMDK holds a text that may name other files as its extents. Such an image is refused whatever the text says of itself:
it must name one extent, which is the image.
"""

from __future__ import annotations

import re
import struct
import typing as t
import zlib
from array import array
from dataclasses import dataclass

from .inspection import SECTOR_BYTES, BrokenError, Inspection, Reader, check_places, check_size
from .tables import little_endian

_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_GRAIN = struct.Struct("<QI")
_MARKER = struct.Struct("<QII")
_AT_END = 2**64 - 1
_FOOTER, _END_OF_STREAM = 3, 0
_FOOTER_BYTES = 3 * SECTOR_BYTES
_COMPRESSED = 1 << 16
_ZERO_GRAINS = 1 << 2
_KNOWN_FLAGS = 0x30007
_DEFLATE = 1
_SMALLEST_GRAIN, _LARGEST_GRAIN = 8, 4096
_MOST_ENTRIES = 512
_LONGEST_DESCRIPTOR = 64 * 1024
_STREAM_OPTIMIZED = "streamoptimized"
_NO_PARENT = "ffffffff"
_EXTENT = re.compile(r'(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\S+)\s*(?:"([^"]*)")?(.*)', re.IGNORECASE)
_SETTING = re.compile(r'([\w.]+)\s*=\s*"?([^"]*)"?')
_REMEDY = "convert it with qemu-img to subformat=streamOptimized, or to qcow2"
_PLAIN_NAME = re.compile(r"[^/\\:]+")


class _Header(t.NamedTuple):
    magic: bytes
    version: int
    flags: int
    capacity: int
    grain: int
    descriptor_offset: int
    descriptor_size: int
    table_entries: int
    redundant_offset: int
    directory_offset: int
    overhead: int
    unclean: int
    line_ends: bytes
    compression: int

    @property
    def tables(self) -> int:
        """Return how many grain tables the disk has."""
        return -(-self.capacity // (self.grain * self.table_entries))


@dataclass(frozen=True)
class _Descriptor:
    """What the text within the image says."""

    create_types: tuple[str, ...]
    parents: tuple[str, ...]
    has_parent_file: bool
    extents: tuple[tuple[str, int, str], ...]
    """Kind, sectors and name of each."""


def inspect_vmdk(read: Reader, size_bytes: int) -> Inspection:
    """Judge a VMDK image by its header, its footer, the text within, and its tables."""
    content = read(0, SECTOR_BYTES)
    if not content.startswith(b"KDMV"):
        return Inspection("vmdk", 0, ("keeps its data in other files, or is of a kind that is not stream-optimized",))
    if len(content) < SECTOR_BYTES:
        return Inspection("vmdk", 0, ("ends within its header",))
    header = _Header(*_HEADER.unpack_from(content))
    try:
        _check_header(header)
        _check_descriptor(read, header)
        _check_footer(read, size_bytes, header)
        _check_tables(read, size_bytes, header)
    except BrokenError as exc:
        return Inspection("vmdk", header.capacity * SECTOR_BYTES, (str(exc),))
    return Inspection("vmdk", header.capacity * SECTOR_BYTES)


def vmdk_blocks(read: Reader, size_bytes: int) -> t.Iterator[tuple[int, bytes]]:
    """Give what an image without problems holds, as (offset on the disk, bytes) in rising order."""
    header = _effective(read, size_bytes, _Header(*_HEADER.unpack(read(0, _HEADER.size))))
    grain_bytes = header.grain * SECTOR_BYTES
    virtual_size = header.capacity * SECTOR_BYTES
    for number, sector in _grains(read, header):
        offset = number * grain_bytes
        if offset < virtual_size:
            yield offset, _unpack(read, sector, offset // SECTOR_BYTES, grain_bytes)[: virtual_size - offset]


def _unpack(read: Reader, sector: int, place: int, grain_bytes: int) -> bytes:
    stated, length = _GRAIN.unpack(read(sector * SECTOR_BYTES, _GRAIN.size))
    if stated != place or length > 2 * grain_bytes:
        raise ValueError(f"grain at sector {sector} is not the one of sector {place} of the disk")
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(read(sector * SECTOR_BYTES + _GRAIN.size, length), grain_bytes)
    if not unpacker.eof and len(content) < grain_bytes:
        raise ValueError(f"grain at sector {sector} breaks off")
    return content


def _check_header(header: _Header) -> None:
    check_size(header.capacity * SECTOR_BYTES)
    if header.version not in (1, 2, 3):
        raise BrokenError(f"has the unknown version {header.version}")
    if header.flags & ~_KNOWN_FLAGS:
        raise BrokenError(f"needs unknown features (bits {header.flags & ~_KNOWN_FLAGS:#x})")
    if not header.flags & _COMPRESSED or header.compression != _DEFLATE:
        raise BrokenError(f"is not stream-optimized ({_REMEDY})")
    if not _SMALLEST_GRAIN <= header.grain <= _LARGEST_GRAIN or header.grain & (header.grain - 1):
        raise BrokenError(f"has grains of {header.grain} sectors")
    if not 0 < header.table_entries <= _MOST_ENTRIES:
        raise BrokenError(f"has grain tables of {header.table_entries} entries")


def _check_descriptor(read: Reader, header: _Header) -> None:
    length = header.descriptor_size * SECTOR_BYTES
    if not header.descriptor_offset or not 0 < length <= _LONGEST_DESCRIPTOR:
        raise BrokenError("has no descriptor of a usual size")
    text = read(header.descriptor_offset * SECTOR_BYTES, length).partition(b"\0")[0].decode("utf-8", "replace")
    found = _parse(text)
    if [name.lower() for name in found.create_types] != [_STREAM_OPTIMIZED]:
        kinds = " and ".join(map(repr, found.create_types)) or "no kind"
        raise BrokenError(f"is of {kinds}, and only streamOptimized is accepted")
    if found.has_parent_file or any(parent.lower() != _NO_PARENT for parent in found.parents):
        raise BrokenError("has a parent image, so it is not complete by itself")
    if len(found.extents) != 1:
        raise BrokenError(f"names {len(found.extents)} extents instead of itself alone")
    kind, sectors, name = found.extents[0]
    if kind.upper() != "SPARSE" or not _PLAIN_NAME.fullmatch(name):
        raise BrokenError("names an extent in another file")
    if sectors != header.capacity:
        raise BrokenError(f"has {header.capacity} sectors by its header and {sectors} by its descriptor")


def _parse(text: str) -> _Descriptor:
    settings: list[tuple[str, str]] = []
    extents = []
    for line in (line.strip() for line in re.split(r"[\r\n]+", text)):
        if extent := _EXTENT.match(line):
            # Whatever stands behind the name has no meaning for an extent of this kind.
            kind = "unknown" if extent[5].strip() else extent[3]
            extents.append((kind, int(extent[2]), extent[4] or ""))
        elif setting := _SETTING.match(line):
            settings.append((setting[1].lower(), setting[2].strip()))
    return _Descriptor(
        create_types=tuple(value for key, value in settings if key == "createtype"),
        parents=tuple(value for key, value in settings if key == "parentcid"),
        has_parent_file=any(key == "parentfilenamehint" for key, _value in settings),
        extents=tuple(extents),
    )


def _check_footer(read: Reader, size_bytes: int, header: _Header) -> None:
    if header.directory_offset != _AT_END:
        return
    content = read(max(0, size_bytes - _FOOTER_BYTES), _FOOTER_BYTES)
    if len(content) < _FOOTER_BYTES:
        raise BrokenError("has no footer, so a part of it is missing")
    footer = _Header(*_HEADER.unpack_from(content, SECTOR_BYTES))
    ending = _MARKER.unpack_from(content, 2 * SECTOR_BYTES)
    if _MARKER.unpack_from(content)[2] != _FOOTER or ending[1:] != (0, _END_OF_STREAM) or footer.magic != header.magic:
        raise BrokenError("has no footer, so a part of it is missing")
    if _but_for_places(header) != _but_for_places(footer):
        raise BrokenError("has a header that differs from its footer")


def _but_for_places(header: _Header) -> tuple[t.Any, ...]:
    """Return all but the places of the tables, which the header leaves to the footer."""
    return (*header[:8], *header[10:])


def _effective(read: Reader, size_bytes: int, header: _Header) -> _Header:
    if header.directory_offset != _AT_END:
        return header
    return _Header(*_HEADER.unpack(read(size_bytes - 2 * SECTOR_BYTES, _HEADER.size)))


def _check_tables(read: Reader, size_bytes: int, stated: _Header) -> None:
    header = _effective(read, size_bytes, stated)
    if header.directory_offset * SECTOR_BYTES + header.tables * 4 > size_bytes:
        raise BrokenError("ends before its grain directory, so a part of it is missing")
    tables = [sector * SECTOR_BYTES for sector in _directory(read, header) if sector]
    check_places(tables, size_bytes, "grain table")
    check_places([sector * SECTOR_BYTES for _number, sector in _grains(read, header)], size_bytes, "grain")


def _directory(read: Reader, header: _Header) -> array[int]:
    return little_endian("I", read(header.directory_offset * SECTOR_BYTES, header.tables * 4))


def _grains(read: Reader, header: _Header) -> t.Iterator[tuple[int, int]]:
    """Give the number of each grain that is there, and its sector in the image."""
    for table, place in enumerate(_directory(read, header)):
        if not place:
            continue
        first = table * header.table_entries
        sectors = little_endian("I", read(place * SECTOR_BYTES, header.table_entries * 4))
        for number, sector in enumerate(sectors, first):
            if sector > 1 or (sector and not header.flags & _ZERO_GRAINS):
                yield number, sector
