# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the first bytes of an image say: its format, its virtual size, and whether it is safe to boot from.

Nothing is run and no file is opened here: a hostile image is judged by these bytes alone, before any other program
sees it.
"""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass

from .._errors import ImageError

HEADER_BYTES = 64 * 1024
"""How much of the beginning is needed; an ISO 9660 signature stands at 32 KiB."""
FORMATS = ("qcow2", "raw")
BACKING_FILE = "has a backing file, so it is not complete by itself"

_SIGNATURES = (
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vpc"),
    (0, b"QED\0", "qed"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0x8001, b"CD001", "iso"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"\x1f\x8b\x08", "gzip"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"BZh", "bzip2"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
)
_COMPRESSED = frozenset({"gzip", "xz", "zstd", "bzip2", "zip", "7z"})
_PAGES = (b"<!doctype html", b"<html", b"<?xml")

_QCOW2_MAGIC = b"QFI\xfb"
_QCOW2_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_QCOW2_VERSIONS = (2, 3)
_QCOW2_V3 = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_DATA_FILE_EXTENSION = 0x44415441
_CORRUPT = 1 << 1
_DATA_FILE = 1 << 2
_EXTENDED_L2 = 1 << 4
_KNOWN_INCOMPATIBLE = 0b11111
_MIN_CLUSTER_BITS = 9
_MAX_CLUSTER_BITS = 21
_LARGEST_DISK = 1 << 62
_SECTOR_BYTES = 512


class _Qcow2Header(t.NamedTuple):
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


@dataclass(frozen=True)
class Inspection:
    """What was found: ``problems`` are reasons to refuse the image, in words that follow "the image"."""

    format: str
    virtual_size_bytes: int
    problems: tuple[str, ...] = ()


def inspect(header: bytes, size_bytes: int) -> Inspection:
    """Judge an image of ``size_bytes`` by its ``header``, its first :data:`HEADER_BYTES`."""
    if not size_bytes:
        return Inspection("raw", 0, ("is empty",))
    if header.startswith(_QCOW2_MAGIC):
        return _inspect_qcow2(header, size_bytes)
    for offset, signature, name in _SIGNATURES:
        if header[offset : offset + len(signature)] == signature:
            return Inspection(name, size_bytes)
    if header.lstrip()[:16].lower().startswith(_PAGES):
        return Inspection("html", size_bytes)
    if size_bytes % _SECTOR_BYTES:
        return Inspection("raw", size_bytes, (f"has {size_bytes} bytes, which is no whole number of disk sectors",))
    return Inspection("raw", size_bytes)


def check_safe(inspection: Inspection, declared: str | None) -> None:
    """Raise :class:`ImageError` unless the image is what it was declared to be, and stands for itself alone."""
    found = inspection.format
    if found in _COMPRESSED:
        raise ImageError(f"The image is a {found} archive and not a disk: publish the unpacked image.")
    if found == "html":
        raise ImageError("The image is an HTML or XML page and not a disk: check where it comes from.")
    if found not in FORMATS:
        raise ImageError(
            f"The image{f' was declared {declared} but' if declared else ''} is of format {found}:"
            f" only {' and '.join(FORMATS)} images are accepted, so convert it first."
        )
    if declared and declared != found:
        raise ImageError(f"Option format: the image was declared {declared} but is of format {found}.")
    if inspection.problems:
        raise ImageError(f"The {found} image is refused: it {' and it '.join(inspection.problems)}.")


def _inspect_qcow2(header: bytes, size_bytes: int) -> Inspection:
    if len(header) < _QCOW2_HEADER.size:
        return Inspection("qcow2", 0, ("ends within its header",))
    fields = _Qcow2Header(*_QCOW2_HEADER.unpack_from(header))
    if fields.version not in _QCOW2_VERSIONS:
        return Inspection("qcow2", 0, (f"has the unknown version {fields.version}",))
    problems = []
    if fields.backing_offset or fields.backing_size:
        problems.append(BACKING_FILE)
    if fields.encryption:
        problems.append("is encrypted")
    features = _v3_features(header, problems) if fields.version == max(_QCOW2_VERSIONS) else 0
    problems += _size_problems(fields, size_bytes, bool(features & _EXTENDED_L2))
    return Inspection("qcow2", fields.virtual_size, tuple(problems))


def _v3_features(header: bytes, problems: list[str]) -> int:
    """Return the incompatible feature bits; what is wrong with them is added to ``problems``."""
    if len(header) < _QCOW2_HEADER.size + _QCOW2_V3.size:
        problems.append("ends within its header")
        return 0
    incompatible, *_unused, length = _QCOW2_V3.unpack_from(header, _QCOW2_HEADER.size)
    if incompatible & _DATA_FILE or _has_extension(header, length, _DATA_FILE_EXTENSION):
        problems.append("keeps its data in another file")
    if incompatible & _CORRUPT:
        problems.append("is marked as corrupt")
    if incompatible & ~_KNOWN_INCOMPATIBLE:
        problems.append(f"needs unknown features (bits {incompatible & ~_KNOWN_INCOMPATIBLE:#x})")
    return int(incompatible)


def _has_extension(header: bytes, offset: int, wanted: int) -> bool:
    while offset + _EXTENSION.size <= len(header):
        kind, length = _EXTENSION.unpack_from(header, offset)
        if kind == wanted:
            return True
        if kind == 0:
            return False
        offset += _EXTENSION.size + (length + 7) // 8 * 8
    return False


def _size_problems(fields: _Qcow2Header, size_bytes: int, extended_l2: bool) -> list[str]:
    if not _MIN_CLUSTER_BITS <= fields.cluster_bits <= _MAX_CLUSTER_BITS:
        return [f"has clusters of 2^{fields.cluster_bits} bytes"]
    if not 0 < fields.virtual_size < _LARGEST_DISK:
        return [f"claims a virtual size of {fields.virtual_size} bytes"]
    cluster = 1 << fields.cluster_bits
    covered_by_entry = cluster * (cluster // (16 if extended_l2 else 8))
    if fields.l1_entries * covered_by_entry < fields.virtual_size:
        return [f"has an L1 table too small for its virtual size of {fields.virtual_size} bytes"]
    if fields.l1_offset + fields.l1_entries * 8 > size_bytes:
        return ["ends before its L1 table, so a part of it is missing"]
    return []
