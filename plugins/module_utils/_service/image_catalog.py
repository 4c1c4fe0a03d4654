# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The images of one pool, to be looked up: all that making an instance needs of them."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field

from .._driver.connection import Connection
from .._driver.storage import Pool, Volume
from .._errors import ImageError, NotFoundError
from .._spec.image_cache import note_name
from .._spec.image_metadata import ImageMetadata
from .._spec.image_record import RECORD_BYTES, ImageRecord, image_name, record_volume_name


@dataclass(frozen=True)
class PublishedImage:
    """An image that instances can be made from; ``path`` and ``volume`` are its data's."""

    name: str
    digest: str
    format: str
    virtual_size_bytes: int
    path: str
    volume: str
    metadata: ImageMetadata = field(default_factory=ImageMetadata)


def is_whole(volume: Volume, record: ImageRecord) -> bool:
    """Tell whether all the data is there that ``record`` states."""
    physical = volume.description.physical_bytes
    return physical is None or physical >= record.size_bytes


def _is_of_other_version(record: Volume) -> bool:
    with contextlib.suppress(NotFoundError):
        return ImageRecord.is_of_other_version(record.read_bytes(RECORD_BYTES))
    return False


class ImageCatalog:
    """The images of one pool."""

    def __init__(self, connection: Connection, pool: Pool) -> None:
        """Look at ``pool``."""
        self.connection = connection
        self.pool = pool

    def record(self, name: str) -> ImageRecord | None:
        """Read the record of the image ``name``; None if there is none, or none that can be read."""
        volume = self.pool.find(record_volume_name(name))
        return self.read(volume, name) if volume else None

    def records(self) -> list[ImageRecord]:
        """Read all records of the pool."""
        return self.read_all(self.pool.volumes())[0]

    def read_all(self, volumes: t.Mapping[str, Volume]) -> tuple[list[ImageRecord], list[str]]:
        """Return all records, and the names of images whose records are of another version: any data may be theirs."""
        known, unknown = [], []
        for volume_name, volume in sorted(volumes.items()):
            name = image_name(volume_name)
            if name is None:
                continue
            record = self.read(volume, name)
            if record:
                known.append(record)
            elif _is_of_other_version(volume):
                unknown.append(name)
        return known, unknown

    def names(self) -> list[str]:
        """Return the names of all images, without reading their records."""
        return sorted(name for volume in self.pool.volumes() if (name := image_name(volume)))

    def data(self, record: ImageRecord) -> Volume | None:
        """Return the data volume that ``record`` names, if all of it is there."""
        volume = self.pool.find(record.volume)
        if volume is None:
            return None
        try:
            return volume if is_whole(volume, record) else None
        except NotFoundError:
            return None

    def published(self, name: str) -> PublishedImage | None:
        """Return the image ``name`` if it is published."""
        record = self.record(name)
        volume = self.data(record) if record else None
        if record is None or volume is None:
            return None
        return PublishedImage(
            name,
            record.digest,
            record.format,
            record.virtual_size_bytes,
            volume.path,
            record.volume,
            record.metadata,
        )

    def refuse_unpublished(self, image: PublishedImage, instance: str) -> None:
        """Refuse a disk of ``instance`` that was just made on ``image`` unless the image is still published with that data.

        Whoever removes an image takes its name away first, and only then looks who lies on the data. So one of the two
        sees the other, on whatever machines they run. From here on the image counts as used.
        """
        found = self.published(image.name)
        if found is None or found.volume != image.volume:
            raise ImageError(
                f"Image {image.name} was removed or replaced while a disk of {instance} was made on it; run again, after"
                " the image is published anew."
            )
        note = self.pool.find(note_name(image.volume))
        if note:
            note.delete()

    def read(self, volume: Volume, name: str) -> ImageRecord | None:
        """Read the record of the image ``name`` in its ``volume``; None if it can't be read."""
        try:
            record = ImageRecord.from_bytes(volume.read_bytes(RECORD_BYTES))
        except NotFoundError:
            return None
        return record if record and record.name == name else None


def find_image(connection: Connection, pool: Pool, name: str) -> PublishedImage:
    """Return the published image ``name``, or say which there are."""
    catalog = ImageCatalog(connection, pool)
    found = catalog.published(name)
    if found is None:
        names = ", ".join(other for other in catalog.names() if other != name) or "none"
        raise NotFoundError(
            f"Option image: no image named {name} is in pool {pool.name}; publish it with"
            f" kilonova.compute.compute_image; there are: {names}.",
            {"option": "image"},
        )
    return found
