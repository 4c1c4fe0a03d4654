# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Bytes that come in: hashed as they come, unpacked once, and stored without their zeros, up to a limit."""

from __future__ import annotations

import hashlib
import typing as t

from ..._errors import ImageError
from ..._spec.image import ImageSpec
from ..._spec.image_checksum import Checksum
from ..._spec.image_format import published_format
from .convert import too_large
from .unpack import MAGIC_BYTES, Unpacker, find_unpacker

_OWN = "sha256"
_QCOW2 = b"QFI\xfb"
_ZEROS = bytes(1024 * 1024)


class Digests:
    """The digest that everything is known by, and that of the declared algorithm."""

    def __init__(self, declared: Checksum | None = None) -> None:
        """Compute what is needed to verify ``declared``."""
        self._declared = declared
        self._hashes = {_OWN: hashlib.sha256()}
        if declared:
            self._hashes.setdefault(declared.algorithm, hashlib.new(declared.algorithm))

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for one in self._hashes.values():
            one.update(chunk)

    @property
    def digest(self) -> str:
        """Return the digest of what came so far."""
        return f"{_OWN}:{self._hashes[_OWN].hexdigest()}"

    @property
    def content_digest(self) -> str:
        """Return the digest of what is in it, which is the same."""
        return self.digest

    def verify(self, source: str) -> None:
        """Refuse what has not the declared digest."""
        if self._declared:
            found = self._hashes[self._declared.algorithm].hexdigest()
            if found != self._declared.value:
                raise ImageError(
                    f"Option checksum: the image at {source} has {self._declared.algorithm}:{found}"
                    f" and not {self._declared}; nothing was published."
                )


class Intake:
    """Takes an image into ``file``; ``received`` counts what came, which is more or less than what is stored."""

    def __init__(
        self,
        spec: ImageSpec,
        file: t.BinaryIO,
        unpack: bool = True,
        announced: t.Callable[[int], None] = lambda _bytes: None,
    ) -> None:
        """Store in the empty ``file``, at most what ``spec`` allows; what it will take is ``announced`` when it begins."""
        self._announced = announced
        self._expected: int | None = None
        self._unpack = unpack
        self._spec = spec
        self._file = file
        self.restart()

    def restart(self) -> None:
        """Forget what came, to begin anew."""
        self._file.seek(0)
        self._file.truncate()
        self.received = self._stored = 0
        self._source = Digests(self._spec.checksum)
        self._content = Digests()
        self._beginning: bytes | None = b"" if self._unpack else None
        self._unpacker: Unpacker | None = None

    def expect(self, total: int | None) -> None:
        """Be told how much there will be, if that is known."""
        self._expected = total

    @property
    def digest(self) -> str:
        """Return the digest of what came."""
        return self._source.digest

    @property
    def content_digest(self) -> str:
        """Return the digest of what is stored."""
        return self._content.digest if self._unpacker else self.digest

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.received += len(chunk)
        self._source.update(chunk)
        if self._beginning is None:
            self._take(chunk)
            return
        self._beginning += chunk
        if len(self._beginning) >= MAGIC_BYTES:
            self._begin(self._beginning)

    def verify(self, source: str) -> None:
        """Refuse what is not all of it, or has not the declared digest."""
        if self._beginning is not None:
            self._begin(self._beginning)
        self._source.verify(source)
        if self._unpacker:
            self._unpacker.finish()
        self._file.truncate(self._stored)
        self._file.flush()

    def _begin(self, beginning: bytes) -> None:
        self._beginning = None
        self._unpacker = find_unpacker(beginning)
        # Of other formats, what comes tells nothing of how much room it takes: it has holes, is packed, or is converted.
        if (
            self._expected
            and beginning.startswith(_QCOW2)
            and published_format("qcow2", self._spec.convert_to) == "qcow2"
        ):
            self._announced(self._expected)
        self._take(beginning)

    def _take(self, chunk: bytes) -> None:
        if not self._unpacker:
            self._store(chunk)
            return
        for piece in self._unpacker.feed(chunk):
            self._content.update(piece)
            self._store(piece)

    def _store(self, piece: bytes) -> None:
        self._stored += len(piece)
        if self._stored > self._spec.max_size_bytes:
            raise too_large(self._spec)
        if piece == _ZEROS[: len(piece)]:
            self._file.seek(self._stored)
        else:
            self._file.write(piece)
