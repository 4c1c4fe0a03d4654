# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A disk written as a qcow2 image: the same disk always gives the same bytes."""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass, field

CLUSTER_BITS = 16
CLUSTER_BYTES = 1 << CLUSTER_BITS
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQIIQ")
_HEADER_BYTES = 104
_VERSION = 3
_REFCOUNT_ORDER = 4
_ENTRIES = CLUSTER_BYTES // 8
_COUNTED_BY_BLOCK = CLUSTER_BYTES // 2
_COPIED = 1 << 63
"""Set where a cluster is used once, as all of them are here."""


@dataclass
class _Image:
    file: t.BinaryIO
    clusters: int
    """How many are taken so far."""
    tables: dict[int, int] = field(default_factory=dict)
    """The offset of each L2 table."""

    def append(self, content: bytes) -> int:
        """Write clusters behind the others and return their offset."""
        offset = self.clusters * CLUSTER_BYTES
        padded = content.ljust(_round_up(len(content)), b"\0")
        self.file.seek(offset)
        self.file.write(padded)
        self.clusters += len(padded) // CLUSTER_BYTES
        return offset


def write_qcow2(file: t.BinaryIO, virtual_size: int, clusters: t.Iterable[tuple[int, bytes]]) -> None:
    """Write a disk to the empty ``file``; ``clusters`` are (number, content) of those with data, in rising order."""
    l1_entries = -(-virtual_size // (CLUSTER_BYTES * _ENTRIES))
    l1_clusters = _round_up(l1_entries * 8) // CLUSTER_BYTES
    image = _Image(file, 1 + l1_clusters)
    table, entries = -1, [0] * _ENTRIES
    for number, content in clusters:
        if number // _ENTRIES != table:
            _end_table(image, table, entries)
            table, entries = number // _ENTRIES, [0] * _ENTRIES
        entries[number % _ENTRIES] = image.append(content) | _COPIED
    _end_table(image, table, entries)
    refcount_offset, refcount_clusters = _write_refcounts(image)
    file.seek(CLUSTER_BYTES)
    l1_table = [image.tables[number] | _COPIED if number in image.tables else 0 for number in range(l1_entries)]
    file.write(_packed("Q", l1_table).ljust(l1_clusters * CLUSTER_BYTES, b"\0"))
    file.seek(0)
    fields = (b"QFI\xfb", _VERSION, 0, 0, CLUSTER_BITS, virtual_size, 0, l1_entries, CLUSTER_BYTES)
    counts = (refcount_offset, refcount_clusters, 0, 0, 0, 0, 0, _REFCOUNT_ORDER, _HEADER_BYTES, 0)
    file.write(_HEADER.pack(*fields, *counts).ljust(CLUSTER_BYTES, b"\0"))
    file.flush()


def _end_table(image: _Image, table: int, entries: list[int]) -> None:
    if table >= 0:
        image.tables[table] = image.append(_packed("Q", entries))


def _write_refcounts(image: _Image) -> tuple[int, int]:
    """Count every cluster once, those that hold the counts included; return where their table is and its clusters."""
    blocks = table_clusters = 0
    while True:
        total = image.clusters + blocks + table_clusters
        needed = -(-total // _COUNTED_BY_BLOCK)
        needed_for_table = -(-needed // _ENTRIES)
        if (needed, needed_for_table) == (blocks, table_clusters):
            break
        blocks, table_clusters = needed, needed_for_table
    offsets = []
    for block in range(blocks):
        counted = min(_COUNTED_BY_BLOCK, total - block * _COUNTED_BY_BLOCK)
        offsets.append(image.append((b"\0\1" * counted).ljust(CLUSTER_BYTES, b"\0")))
    return image.append(_packed("Q", offsets)), table_clusters


def _packed(code: str, numbers: t.Sequence[int]) -> bytes:
    return struct.pack(f">{len(numbers)}{code}", *numbers)


def _round_up(length: int) -> int:
    return -(-length // CLUSTER_BYTES) * CLUSTER_BYTES
