# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image that is on the machine where the module runs."""

from __future__ import annotations

import hashlib
import tempfile
import typing as t
from dataclasses import dataclass

from ..._driver.storage import Volume
from ..._spec._image.inspection import Inspection


@dataclass(frozen=True)
class Fetched:
    """An image that is here, verified, safe, and as it is to be published: ``file`` is open, and gone with the process."""

    file: t.BinaryIO
    digest: str
    size_bytes: int
    inspection: Inspection
    mtime_ns: int | None = None
    source_format: str | None = None
    """What came, where it is not what is published."""
    source_digest: str | None = None
    elsewhere: bool = False
    """It is read anew, from where others may change it, when it is published."""
    allocated_bytes: int | None = None
    """How much of it takes room there."""
    signed_by: str | None = None
    """The key that signed what came."""
    taken_at: float | None = None
    """As of when it is, by the clock where the module runs, where that is not now."""

    @property
    def fetched_digest(self) -> str:
        """Return the digest of what came."""
        return self.source_digest or self.digest


class HashingReader:
    """Reads from a file and hashes what goes through, so that what is sent is known to be what was verified."""

    def __init__(self, file: t.BinaryIO) -> None:
        """Read ``file`` from its beginning."""
        file.seek(0)
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes."""
        chunk = self._file.read(size)
        self._hash.update(chunk)
        return chunk

    @property
    def digest(self) -> str:
        """Return the digest of what was read so far."""
        return f"sha256:{self._hash.hexdigest()}"


def upload(fetched: Fetched, volume: Volume, sparse: bool) -> bool:
    """Fill a new volume, and tell whether what was sent is what was verified."""
    reader = HashingReader(fetched.file)
    volume.upload(reader, fetched.size_bytes, sparse)
    return reader.digest == fetched.digest


def scratch_file(directory: str | None) -> t.BinaryIO:
    """Return an empty file without a name in ``directory``, so that it is gone with the process."""
    return t.cast(t.BinaryIO, tempfile.TemporaryFile(dir=directory))
