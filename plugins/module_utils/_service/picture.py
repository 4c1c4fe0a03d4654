# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Pictures of a screen: a PPM, as QEMU made them for long, becomes a PNG, and a PNG stays. Pure."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from .._errors import DriverError

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_PNG_SIZE = struct.Struct(">II")
_PNG_SIZE_AT = 16
_BLANK = rb"(?:\s|#[^\n]*\n)+"
_PPM_HEADER = re.compile(rb"P6" + _BLANK + rb"(\d{1,5})" + _BLANK + rb"(\d{1,5})" + _BLANK + rb"255\s")
_BYTES_PER_PIXEL = 3
_EIGHT_BITS_RGB = (8, 2, 0, 0, 0)
_NO_FILTER = b"\0"


@dataclass(frozen=True)
class Picture:
    """A PNG with its size in pixels."""

    png: bytes
    width: int
    height: int


def to_png(data: bytes) -> Picture:
    """Return the picture in ``data`` as PNG."""
    if data.startswith(_PNG_MAGIC) and len(data) >= _PNG_SIZE_AT + _PNG_SIZE.size:
        width, height = _PNG_SIZE.unpack_from(data, _PNG_SIZE_AT)
        return Picture(data, width, height)
    header = _PPM_HEADER.match(data)
    if header is None:
        raise DriverError(
            f"Cannot read the screenshot: the hypervisor sent neither PNG nor PPM, but {data[:8]!r} at first."
        )
    width, height = int(header[1]), int(header[2])
    return Picture(_encode(memoryview(data)[header.end() :], width, height), width, height)


def _encode(pixels: memoryview, width: int, height: int) -> bytes:
    row = width * _BYTES_PER_PIXEL
    if not width or not height or len(pixels) < row * height:
        raise DriverError(
            f"Cannot read the screenshot: {len(pixels)} bytes are no picture of {width} x {height} pixels."
        )
    rows = b"".join(_NO_FILTER + bytes(pixels[start : start + row]) for start in range(0, row * height, row))
    return b"".join(
        (
            _PNG_MAGIC,
            _chunk(b"IHDR", _PNG_SIZE.pack(width, height) + bytes(_EIGHT_BITS_RGB)),
            _chunk(b"IDAT", zlib.compress(rows)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
