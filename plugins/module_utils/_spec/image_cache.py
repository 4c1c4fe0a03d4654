# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of a pool's images as a cache, and the notes that are kept of which nothing lies on any more.

A note is a small volume beside the image's data. It is there while the image was unused whenever it was looked at, and
whoever makes a disk on the image removes it. Nothing else would tell: each of libvirt's looks at the pool is an access to all
that is in it, and the data is never written again.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .age import parse_age
from .instant import read_instant, written
from .names import check_names
from .size import parse_size

NOTE_BYTES = 512
_DATA_PREFIX = "kilonova-sha256-"
_NOTE_PREFIX = "kilonova-unused-sha256-"


@dataclass(frozen=True)
class CacheSpec:
    """What of a pool's images stays: all that anything lies on, and what else is neither too old nor too much."""

    pool: str = "default"
    unused_for: int | None = None
    """Seconds after which an unused image goes; None is never."""
    max_size: int | None = None
    """Bytes that all images together may take before unused ones go; None is any number."""
    keep: frozenset[str] = frozenset()
    """Names of images that stay in any case."""

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> CacheSpec:
        """Check a module's parameters."""
        if not params["pool"]:
            raise SpecError("pool", "it is empty", "name a storage pool of the hypervisor")
        age, size = params["unused_for"], params["max_size"]
        return CacheSpec(
            pool=params["pool"],
            unused_for=None if age is None else parse_age("unused_for", age),
            max_size=None if size is None else parse_size("max_size", size),
            keep=check_names("keep", params["keep"]),
        )


def note_name(data_volume: str) -> str:
    """Return the name of the volume that says since when nothing lies on ``data_volume``."""
    return _NOTE_PREFIX + data_volume[len(_DATA_PREFIX) :]


def noted_volume(volume: str) -> str | None:
    """Return the data volume that ``volume`` is the note of; None if it is none."""
    return _DATA_PREFIX + volume[len(_NOTE_PREFIX) :] if volume.startswith(_NOTE_PREFIX) else None


def digest_of(data_volume: str) -> str:
    """Return the digest that a data volume is named by."""
    return "sha256:" + data_volume[len(_DATA_PREFIX) :].partition(".")[0]


def note_content(seconds: int) -> bytes:
    """Return what a note says."""
    return f"{written(seconds)}\n".encode("ascii").ljust(NOTE_BYTES, b" ")


def read_note(content: bytes) -> int | None:
    """Return the time in a note; None for one that is half written, or not ours."""
    try:
        return read_instant(content.decode("ascii").strip())
    except UnicodeDecodeError:
        return None
