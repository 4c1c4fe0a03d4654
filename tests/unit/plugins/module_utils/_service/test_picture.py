# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of pictures: a PPM keeps all its pixels on its way to PNG."""

from __future__ import annotations

import struct
import typing as t
import zlib

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError
from ansible_collections.kilonova.compute.plugins.module_utils._service.picture import to_png
from hypothesis import given
from hypothesis import strategies as st

MAGIC = b"\x89PNG\r\n\x1a\n"


def chunks(png: bytes) -> t.Iterator[tuple[bytes, bytes]]:
    """Give the parts of a PNG, whose checksums must be right."""
    assert png.startswith(MAGIC)
    at = len(MAGIC)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        content = png[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, at + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        yield kind, content
        at += 12 + length


def pixels_of(png: bytes) -> tuple[int, int, bytes]:
    """Return width, height and pixels of a PNG whose rows have no filter."""
    parts = dict(chunks(png))
    assert list(parts) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *kind = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert kind == [8, 2, 0, 0, 0]
    data = zlib.decompress(parts[b"IDAT"])
    row = 1 + 3 * width
    rows = [data[start : start + row] for start in range(0, len(data), row)]
    assert len(rows) == height
    assert all(each[:1] == b"\0" for each in rows)
    return width, height, b"".join(each[1:] for each in rows)


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_all_pixels_stay(width: int, height: int, random: t.Any) -> None:
    """Of any picture of any size."""
    pixels = bytes(random.randrange(256) for _byte in range(3 * width * height))
    picture = to_png(b"P6\n%d %d\n255\n" % (width, height) + pixels)
    assert (picture.width, picture.height) == (width, height)
    assert pixels_of(picture.png) == (width, height, pixels)


@pytest.mark.parametrize("header", [b"P6\n2 1\n255\n", b"P6 2 1 255 ", b"P6\n# made by hand\n2\n#\n1 255\n"])
def test_headers(header: bytes) -> None:
    """Blanks, line ends and comments, as the format allows."""
    assert pixels_of(to_png(header + b"abcdef").png) == (2, 1, b"abcdef")


def test_the_first_pixel_may_look_like_a_blank() -> None:
    """Just one follows the header."""
    assert pixels_of(to_png(b"P6\n1 1\n255\n\n \t").png) == (1, 1, b"\n \t")


def test_a_png_stays() -> None:
    """Byte for byte, with its size read."""
    png = to_png(b"P6\n3 2\n255\n" + bytes(18)).png
    picture = to_png(png)
    assert (picture.png, picture.width, picture.height) == (png, 3, 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither PNG nor PPM"),
        (b"GIF89a...", "neither PNG nor PPM, but b'GIF89a..' at first"),
        (MAGIC, "neither PNG nor PPM"),
        (b"P6\n2 2\n65535\n" + bytes(24), "neither PNG nor PPM"),
        (b"P6\n999999999999 2\n255\n", "neither PNG nor PPM"),
        (b"P6\n2 2\n255\n" + bytes(11), "11 bytes are no picture of 2 x 2 pixels"),
        (b"P6\n0 2\n255\n", "no picture of 0 x 2 pixels"),
    ],
)
def test_no_picture(data: bytes, words: str) -> None:
    """What is not understood is said."""
    with pytest.raises(DriverError, match="Cannot read the screenshot") as caught:
        to_png(data)
    assert words in caught.value.message
