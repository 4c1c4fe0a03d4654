# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for tables of numbers."""

from __future__ import annotations

from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.tables import (
    big_endian,
    crc32c,
    little_endian,
)


def test_numbers_are_read_in_the_images_order() -> None:
    """Both orders and both widths; what is no whole number is left out."""
    assert list(big_endian("I", b"\0\0\0\1\0\0\1\0\7")) == [1, 256]
    assert list(little_endian("Q", b"\2\0\0\0\0\0\0\0")) == [2]
    assert list(little_endian("I", b"\2\0\0")) == []


def test_checksum() -> None:
    """The value that everybody's Castagnoli checksum has for these digits."""
    assert crc32c(b"123456789") == 0xE3069283
