# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Images that travel packed: gzip, xz, bzip2 and zstd, unpacked piece by piece and never more than a piece at once."""

from __future__ import annotations

import bz2
import importlib
import lzma
import re
import typing as t
import zlib

from ..._errors import ImageError, MissingLibraryError

MAGIC_BYTES = 10
"""How much of the beginning tells whether something is packed."""

_PIECE_BYTES = 1024 * 1024
_INPUT_BYTES = 16 * 1024
_XZ_MEMORY_BYTES = 256 * 1024**2
_ZSTD_WINDOW_BYTES = 128 * 1024**2
_ZSTD_INPUT_BYTES = 1024
"""This library gives all at once that comes of its input: of so little come 32 MiB at most."""
_GZIP_WINDOW_BITS = 31


class _Stream(t.Protocol):
    """One stream, as in :mod:`lzma` and :mod:`bz2`."""

    @property
    def eof(self) -> bool:
        """Tell whether the stream is over."""

    @property
    def needs_input(self) -> bool:
        """Tell whether nothing comes without more input."""

    @property
    def unused_data(self) -> bytes:
        """Return what stands behind the stream."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take ``data`` and give what is unpacked."""


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


class _Zstandard:
    """The library zstandard, which has no limit for what it gives."""

    def __init__(self, library: t.Any) -> None:
        self._one = library.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
        self._pending = b""
        self.eof = False

    @property
    def needs_input(self) -> bool:
        """Tell whether nothing comes without more input."""
        return not self._pending

    @property
    def unused_data(self) -> bytes:
        """Return what stands behind the stream."""
        return bytes(self._one.unused_data) + self._pending

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take ``data`` and give what is unpacked."""
        del max_length
        self._pending += data
        piece, self._pending = self._pending[:_ZSTD_INPUT_BYTES], self._pending[_ZSTD_INPUT_BYTES:]
        content = bytes(self._one.decompress(piece))
        self.eof = bool(self._one.eof)
        return content


def _zstd() -> _Stream:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return t.cast(_Stream, importlib.import_module(name).ZstdDecompressor())
        except ImportError:
            continue
    try:
        return _Zstandard(importlib.import_module("zstandard"))
    except ImportError as exc:
        raise MissingLibraryError(
            "The image is packed with zstd, and no library for that is installed where the module runs:"
            " install python3-zstandard (Debian, Ubuntu, Fedora) or zstandard, or use an image that is packed with xz."
        ) from exc


_PACKINGS: tuple[tuple[t.Pattern[bytes], str, t.Callable[[], _Stream]], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip", _Gzip),
    (re.compile(rb"\xfd7zXZ\0"), "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), "bzip2", bz2.BZ2Decompressor),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd", _zstd),
)


class Unpacker:
    """Unpacks what is fed, of one or several streams in a row."""

    def __init__(self, packing: str, make: t.Callable[[], _Stream]) -> None:
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
