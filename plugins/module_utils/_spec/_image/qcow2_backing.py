# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The header of a qcow2 image, told another path of what it lies over. Pure."""

from __future__ import annotations

import struct

from .qcow2 import Qcow2Header, read_header

LONGEST_BACKING = 1023
_BACKING = struct.Struct(">QI")
_BACKING_PLACE = 8


def header_bytes(read_head: bytes) -> int:
    """Return how many of the first bytes are the header with all that it may have: its first cluster."""
    return 1 << _header(read_head).cluster_bits


def with_backing(cluster: bytes, path: str) -> bytes:
    """Return the first cluster of an image with another backing file; :class:`ValueError` where that has no room.

    The name is the last thing in that cluster, so that a longer one is in nobody's way.
    """
    header, name = _header(cluster), path.encode("utf-8")
    place, end = header.backing_offset, header.backing_offset + len(name)
    if not place or not header.backing_size:
        raise ValueError("it has no backing file")
    if len(name) > LONGEST_BACKING or end > 1 << header.cluster_bits:
        raise ValueError(f"the path {path} is too long for its header")
    changed = bytearray(cluster)
    changed[place : place + header.backing_size] = bytes(header.backing_size)
    changed[place:end] = name
    changed[_BACKING_PLACE : _BACKING_PLACE + _BACKING.size] = _BACKING.pack(place, len(name))
    return bytes(changed)


def _header(content: bytes) -> Qcow2Header:
    return read_header(lambda offset, length: content[offset : offset + length])
