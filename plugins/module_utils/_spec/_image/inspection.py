# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the rooms of the formats share: how an image is read, and what is found."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

HEADER_BYTES = 64 * 1024
"""How much of the beginning tells the format; an ISO 9660 signature stands at 32 KiB."""
SECTOR_BYTES = 512
LARGEST_DISK = 64 * 1024**4
"""No guest has a larger disk, so a header that claims one lies."""

Reader = t.Callable[[int, int], bytes]
"""Gives at most so many bytes (second) from an offset (first) on; fewer only at the end."""


@dataclass(frozen=True)
class Inspection:
    """What was found: ``problems`` are reasons to refuse the image, in words that follow "the image"."""

    format: str
    virtual_size_bytes: int
    problems: tuple[str, ...] = ()


class BrokenError(Exception):
    """The image can't be followed; the words follow "the image"."""


def file_reader(file: t.BinaryIO, size_bytes: int) -> Reader:
    """Read out of an open file; an image may state any offset, and beyond the end there is nothing."""

    def read(offset: int, length: int) -> bytes:
        if offset >= size_bytes:
            return b""
        file.seek(offset)
        return file.read(length)

    return read


def check_size(virtual_size: int) -> None:
    """Refuse a virtual size that no disk has."""
    if not 0 < virtual_size <= LARGEST_DISK or virtual_size % SECTOR_BYTES:
        raise BrokenError(f"claims a virtual size of {virtual_size} bytes")


def check_places(places: t.Collection[int], size_bytes: int, what: str) -> None:
    """Refuse places in the image, by their offsets, that are beyond its end, or used for several parts of the disk."""
    if max(places, default=0) >= size_bytes:
        raise BrokenError(f"ends before its last {what}, so a part of it is missing")
    if len(set(places)) < len(places):
        raise BrokenError(f"uses one {what} for several parts of the disk")
