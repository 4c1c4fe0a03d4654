# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a pool has room for an image, of which the holes take none."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import typing as t

from .._driver.storage import Pool
from .._errors import CapacityError, DriverError
from ._image.fetched import Fetched


def refuse_without_room(fetched: Fetched, pool: Pool, what: str, sparse: bool = True, besides: int = 0) -> None:
    """Refuse a pool that has no room for ``what`` was fetched, and for so many bytes ``besides``."""
    needed = besides + (data_bytes(fetched) if sparse else fetched.size_bytes)
    # What libvirt knows may be old. While it can't look again, others are filling the pool, and what it knows is as good.
    with contextlib.suppress(DriverError):
        pool.refresh(patience=0)
    available = pool.describe().available_bytes
    if available < needed:
        up_to = "up to " if sparse else ""
        raise CapacityError(
            f"Storage pool {pool.name} has {available} bytes free, and {what} needs {up_to}{needed}; make room there."
        )


def data_bytes(fetched: Fetched) -> int:
    """Return how much of an image is no hole, at most."""
    if fetched.allocated_bytes is not None:
        return min(fetched.allocated_bytes, fetched.size_bytes)
    place = fetched.file.tell()
    try:
        return sum(end - start for start, end in _extents(fetched.file.fileno(), fetched.size_bytes))
    except (OSError, io.UnsupportedOperation):
        # A file system that tells nothing of holes.
        return fetched.size_bytes
    finally:
        fetched.file.seek(place)


def _extents(descriptor: int, size_bytes: int) -> t.Iterator[tuple[int, int]]:
    end = 0
    while end < size_bytes:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:
                return
            raise
        end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size_bytes)
        yield start, end
