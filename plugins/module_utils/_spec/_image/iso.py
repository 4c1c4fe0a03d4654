# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether an ISO 9660 image is whole."""

from __future__ import annotations

import struct

from .inspection import SECTOR_BYTES, Inspection, Reader

_PRIMARY_DESCRIPTOR = 0x8000
_DESCRIPTOR = struct.Struct("<B5sB73xI44xH")
_PRIMARY = 1


def inspect_iso(read: Reader, size_bytes: int) -> Inspection:
    """Judge an ISO 9660 image by its primary volume descriptor."""
    content = read(_PRIMARY_DESCRIPTOR, _DESCRIPTOR.size)
    if len(content) < _DESCRIPTOR.size:
        return Inspection("iso", size_bytes, ("ends within its volume descriptor",))
    kind, _signature, _version, blocks, block_bytes = _DESCRIPTOR.unpack(content)
    if kind == _PRIMARY and blocks * block_bytes > size_bytes:
        return Inspection("iso", size_bytes, (f"ends before its {blocks} blocks of {block_bytes} bytes are over",))
    if size_bytes % SECTOR_BYTES:
        return Inspection("iso", size_bytes, (f"has {size_bytes} bytes, which is no whole number of disk sectors",))
    return Inspection("iso", size_bytes)
