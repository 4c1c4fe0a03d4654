# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Tables of numbers in an image, read at once, and the checksum that Python lacks."""

from __future__ import annotations

import functools
import sys
from array import array


def big_endian(code: str, content: bytes) -> array[int]:
    """Return the numbers in ``content``, each as wide as ``code`` of :mod:`array` is."""
    return _numbers(code, content, swap=sys.byteorder == "little")


def little_endian(code: str, content: bytes) -> array[int]:
    """Return the numbers in ``content``, each as wide as ``code`` of :mod:`array` is."""
    return _numbers(code, content, swap=sys.byteorder == "big")


def _numbers(code: str, content: bytes, swap: bool) -> array[int]:
    found: array[int] = array(code)
    found.frombytes(content[: len(content) // found.itemsize * found.itemsize])
    if swap:
        found.byteswap()
    return found


@functools.lru_cache(maxsize=1)
def _crc32c_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _bit in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc32c(content: bytes) -> int:
    """Return the Castagnoli checksum of ``content``."""
    table = _crc32c_table()
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF
