# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Images that travel packed: gzip, xz, bzip2 and zstd, unpacked piece by piece and never more than a piece at once."""

from __future__ import annotations

import bz2
import lzma
import re
import typing as t
import zlib

from ..._errors import ImageError
from ..._spec._image.zstd import Stream, open_zstd

MAGIC_BYTES = 10
"""How much of the beginning tells whether something is packed."""

_PIECE_BYTES = 1024 * 1024
_INPUT_BYTES = 16 * 1024
_XZ_MEMORY_BYTES = 256 * 1024**2
_GZIP_WINDOW_BITS = 31


class _Gzip:
    def __init__(self) -> None:
        self._one = zlib.decompressobj(_GZIP_WINDOW_BITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Tell whether the stream is over."""
        return self._one.eof

    @property
    def unused_data(self) -> bytes:
        """Return what stands behind the stream."""
        return self._one.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take ``data`` and give what is unpacked."""
        content = self._one.decompress(self._one.unconsumed_tail + data, max(0, max_length))
        self.needs_input = not self._one.unconsumed_tail and len(content) != max_length
        return content


def _zstd() -> Stream:
    return open_zstd("The image is", "use an image that is packed with xz")


_PACKINGS: tuple[tuple[t.Pattern[bytes], str, t.Callable[[], Stream]], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip", _Gzip),
    (re.compile(rb"\xfd7zXZ\0"), "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), "bzip2", bz2.BZ2Decompressor),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd", _zstd),
)


class Unpacker:
    """Unpacks what is fed, of one or several streams in a row."""

    def __init__(self, packing: str, make: t.Callable[[], Stream]) -> None:
        """Take the name of a packing and what opens a stream of it; use :func:`find_unpacker`."""
        self.packing = packing
        self._make = make
        self._stream = make()

    def feed(self, data: bytes) -> t.Iterator[bytes]:
        """Give what comes of ``data``."""
        view = memoryview(data)
        for start in range(0, len(data), _INPUT_BYTES):
            try:
                yield from self._feed(bytes(view[start : start + _INPUT_BYTES]))
            except Exception as exc:  # zstandard's error can't be named where it is not installed
                if isinstance(exc, ImageError):
                    raise
                raise ImageError(f"The image can't be unpacked as {self.packing}: {exc}.") from exc

    def finish(self) -> None:
        """Refuse what broke off."""
        if not self._stream.eof:
            raise ImageError(f"The image can't be unpacked as {self.packing}: it breaks off.")

    def _feed(self, data: bytes) -> t.Iterator[bytes]:
        while True:
            if self._stream.eof:
                # Padding between streams, and behind the last, is zeros.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._stream = self._make()
            yield self._stream.decompress(data, _PIECE_BYTES)
            data = b""
            if self._stream.eof:
                data = self._stream.unused_data
            elif self._stream.needs_input:
                return


def find_unpacker(beginning: bytes) -> Unpacker | None:
    """Return what unpacks an image that begins so, None if it is not packed."""
    for magic, name, make in _PACKINGS:
        if magic.match(beginning):
            return Unpacker(name, make)
    return None
