# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Zstandard, which Python knows from 3.14 on, and before by one of two libraries."""

from __future__ import annotations

import functools
import importlib
import typing as t

from ..._errors import MissingLibraryError

_WINDOW_BYTES = 128 * 1024**2
_INPUT_BYTES = 16 * 1024
_LIBRARY_INPUT_BYTES = 1024
"""The library zstandard gives all at once that comes of its input: of so little come 32 MiB at most."""


class Stream(t.Protocol):
    """One stream that is unpacked, as in :mod:`lzma` and :mod:`bz2`."""

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


class _Zstandard:
    """The library zstandard, which has no limit for what it gives."""

    def __init__(self, library: t.Any) -> None:
        self._one = library.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
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
        piece, self._pending = self._pending[:_LIBRARY_INPUT_BYTES], self._pending[_LIBRARY_INPUT_BYTES:]
        content = bytes(self._one.decompress(piece))
        self.eof = bool(self._one.eof)
        return content


def open_zstd(what: str, otherwise: str) -> Stream:
    """Return what unpacks one stream; the words are for those who have no library: what is packed, and what to do."""
    try:
        return _opener()()
    except ImportError as exc:
        raise MissingLibraryError(
            f"{what} packed with zstd, and no library for that is installed where the module runs: install"
            f" python3-zstandard (Debian, Ubuntu, Fedora) or zstandard, or {otherwise}."
        ) from exc


@functools.lru_cache(maxsize=1)
def _opener() -> t.Callable[[], Stream]:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return t.cast("t.Callable[[], Stream]", importlib.import_module(name).ZstdDecompressor)
        except ImportError:
            continue
    return functools.partial(_Zstandard, importlib.import_module("zstandard"))


def unpack_zstd(packed: bytes, length: int, open_stream: t.Callable[[], Stream]) -> bytes:
    """Return the ``length`` bytes that ``packed`` begins with, in one stream or several; what stands behind is left.

    A stream may tell nothing of how much is in it, or lie, so no more is unpacked than ``length`` and a piece.
    """
    content, stream = b"", open_stream()
    for start in range(0, len(packed), _INPUT_BYTES):
        piece = packed[start : start + _INPUT_BYTES]
        while True:
            if stream.eof and len(content) < length:
                stream = open_stream()
            content += _unpack(stream, piece, length + 1 - len(content))
            if len(content) > length:
                raise ValueError("a compressed part of it is longer than it may be")
            piece = b""
            if stream.eof:
                if len(content) == length:
                    return content
                piece = stream.unused_data
            if not piece and (stream.eof or stream.needs_input):
                break
    raise ValueError("a compressed part of it breaks off")


def _unpack(stream: Stream, piece: bytes, most: int) -> bytes:
    try:
        return stream.decompress(piece, most)
    except Exception as exc:  # each library has an error of its own, which can't be named where it is not installed
        raise ValueError(f"a compressed part of it is damaged ({exc})") from exc
