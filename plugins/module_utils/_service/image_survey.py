# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""All images of a pool at once: their records, their data, since when they are unused, and who lies on them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from .._driver.storage import Volume
from .._errors import NotFoundError
from .._spec.image_cache import NOTE_BYTES, digest_of, noted_volume, read_note
from .._spec.image_record import ImageRecord, is_image_content
from .image_catalog import ImageCatalog
from .image_usage import Usage, read_chains


@dataclass(frozen=True)
class StoredImage:
    """One volume of data with the records that name it."""

    volume: Volume
    records: tuple[ImageRecord, ...]
    unused_since: int | None
    """As it is noted."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the images that it is the data of."""
        return tuple(sorted(record.name for record in self.records))


@dataclass(frozen=True)
class Survey:
    """What is in the pool, and all chains of the host."""

    images: tuple[StoredImage, ...]
    stray_notes: tuple[str, ...]
    usage: Usage

    def users(self, image: StoredImage) -> list[str]:
        """Return in words who lies on the image's data, or is about to."""
        claims = self.usage.claimed_by(digest_of(image.volume.name))
        lie_on_it = self.usage.users(image.volume.path)
        return lie_on_it + [one for one in claims if one not in lie_on_it]

    def instances(self, image: StoredImage) -> list[str]:
        """Return the names of the domains that do."""
        claims = self.usage.names_claiming(digest_of(image.volume.name))
        return sorted({*self.usage.names_on(image.volume.path), *claims})


def take_survey(catalog: ImageCatalog, thorough: bool) -> Survey:
    """Look at all images of the pool, and at all that may lie on them; every list is asked for once."""
    usage, volumes = read_chains(catalog.connection, thorough)
    here = {name: volume for (pool, name), volume in volumes.handles.items() if pool == catalog.pool.name}
    records, unknown = catalog.read_all(here)
    if unknown:
        doubts = (f"image {name}, which another version of kilonova.compute published" for name in unknown)
        usage = replace(usage, doubts=(*usage.doubts, *doubts))
    notes = {data: volume for name, volume in here.items() if (data := noted_volume(name))}
    images = [
        StoredImage(
            volume,
            tuple(record for record in records if record.volume == name),
            _noted(notes[name]) if name in notes else None,
        )
        for name, volume in sorted(here.items())
        if is_image_content(name)
    ]
    strays = sorted(note.name for data, note in notes.items() if data not in here)
    return Survey(tuple(images), tuple(strays), usage)


def _noted(note: Volume) -> int | None:
    with contextlib.suppress(NotFoundError):
        return read_note(note.read_bytes(NOTE_BYTES))
    return None
