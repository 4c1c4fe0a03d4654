# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a qcow2 image is safe, complete by itself, and whole."""

from __future__ import annotations

import struct
import typing as t

from .inspection import HEADER_BYTES, BrokenError, Inspection, Reader, check_places, check_size
from .tables import big_endian

BACKING_FILE = "has a backing file, so it is not complete by itself"
ENCRYPTED = "is encrypted"
_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_VERSIONS = (2, 3)
_V3 = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_DATA_FILE_EXTENSION = 0x44415441
_CORRUPT = 1 << 1
_DATA_FILE = 1 << 2
EXTENDED_L2 = 1 << 4
_KNOWN_INCOMPATIBLE = 0b11111
_MIN_CLUSTER_BITS = 9
_MAX_CLUSTER_BITS = 21
_LONGEST_L1_BYTES = 32 * 1024**2
COMPRESSED = 1 << 62
OFFSET = 0x00FF_FFFF_FFFF_FE00


class Qcow2Header(t.NamedTuple):
    """The part of the header that version 2 and 3 share, in the file's order."""

    magic: bytes
    version: int
    backing_offset: int
    backing_size: int
    cluster_bits: int
    virtual_size: int
    encryption: int
    l1_entries: int
    l1_offset: int
    refcount_offset: int
    refcount_clusters: int
    snapshots: int
    snapshots_offset: int


def inspect_qcow2(read: Reader, size_bytes: int) -> Inspection:
    """Judge a qcow2 image by its header and the tables that lead to its data."""
    content = read(0, HEADER_BYTES)
    if len(content) < _HEADER.size:
        return Inspection("qcow2", 0, ("ends within its header",))
    header = Qcow2Header(*_HEADER.unpack_from(content))
    if header.version not in _VERSIONS:
        return Inspection("qcow2", 0, (f"has the unknown version {header.version}",))
    problems = []
    if header.backing_offset or header.backing_size:
        problems.append(BACKING_FILE)
    if header.encryption:
        problems.append(ENCRYPTED)
    features = _features(content, header, problems)
    try:
        _check_layout(header, size_bytes, bool(features & EXTENDED_L2))
        if not problems:
            _check_tables(read, header, size_bytes, bool(features & EXTENDED_L2))
    except BrokenError as exc:
        problems.append(str(exc))
    return Inspection("qcow2", header.virtual_size, tuple(problems))


def compressed_shift(cluster_bits: int) -> int:
    """Return how many bits of a compressed cluster's entry are its place; those above are its length."""
    return 62 - (cluster_bits - 8)


def read_header(read: Reader) -> Qcow2Header:
    """Return the header of an image that has one."""
    return Qcow2Header(*_HEADER.unpack(read(0, _HEADER.size)))


def _features(content: bytes, header: Qcow2Header, problems: list[str]) -> int:
    """Return the incompatible feature bits; what is wrong with them is added to ``problems``."""
    incompatible, length = 0, _HEADER.size
    if header.version == max(_VERSIONS):
        if len(content) < _HEADER.size + _V3.size:
            problems.append("ends within its header")
            return 0
        incompatible, *_unused, length = _V3.unpack_from(content, _HEADER.size)
    if incompatible & _DATA_FILE or _has_extension(content, length, _DATA_FILE_EXTENSION):
        problems.append("keeps its data in another file")
    if incompatible & _CORRUPT:
        problems.append("is marked as corrupt")
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        problems.append(f"needs unknown features (bits {incompatible & ~_KNOWN_INCOMPATIBLE:#x})")
    return int(incompatible)


def _has_extension(content: bytes, offset: int, wanted: int) -> bool:
    while offset + _EXTENSION.size <= len(content):
        kind, length = _EXTENSION.unpack_from(content, offset)
        if kind == wanted:
            return True
        if kind == 0:
            return False
        offset += _EXTENSION.size + (length + 7) // 8 * 8
    # What can't be seen may be a data file as well.
    return len(content) == HEADER_BYTES


def _check_layout(header: Qcow2Header, size_bytes: int, extended: bool) -> None:
    if not _MIN_CLUSTER_BITS <= header.cluster_bits <= _MAX_CLUSTER_BITS:
        raise BrokenError(f"has clusters of 2^{header.cluster_bits} bytes")
    check_size(header.virtual_size)
    cluster = 1 << header.cluster_bits
    covered_by_entry = cluster * (cluster // (16 if extended else 8))
    if header.l1_entries * covered_by_entry < header.virtual_size:
        raise BrokenError(f"has an L1 table too small for its virtual size of {header.virtual_size} bytes")
    if header.l1_entries * 8 > _LONGEST_L1_BYTES:
        raise BrokenError(f"has an L1 table of {header.l1_entries} entries")
    if header.l1_offset + header.l1_entries * 8 > size_bytes:
        raise BrokenError("ends before its L1 table, so a part of it is missing")
    if header.refcount_offset + header.refcount_clusters * cluster > size_bytes:
        raise BrokenError("ends before its refcount table, so a part of it is missing")


def _check_tables(read: Reader, header: Qcow2Header, size_bytes: int, extended: bool) -> None:
    """Follow the tables to the last cluster; QEMU itself reads what is cut off as zeros."""
    tables = [
        place for entry in big_endian("Q", read(header.l1_offset, header.l1_entries * 8)) if (place := entry & OFFSET)
    ]
    check_places(tables, size_bytes, "L2 table")
    compressed = (1 << compressed_shift(header.cluster_bits)) - 1
    for table in tables:
        entries = big_endian("Q", read(table, 1 << header.cluster_bits))[:: 2 if extended else 1]
        last = max((entry & (compressed if entry & COMPRESSED else OFFSET) for entry in entries), default=0)
        if last >= size_bytes:
            raise BrokenError("ends before its last cluster, so a part of it is missing")
