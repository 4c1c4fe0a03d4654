# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a pool says of a published image: a small volume of JSON beside the volume with the data.

An image is published when its record can be read and the volume it names has the size it states. The record is
written last, so a run that was killed before leaves nothing that counts as published.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields

from .image_format import PUBLISHED_FORMATS
from .image_metadata import ImageMetadata

SCHEMA_VERSION = 1
RECORD_BYTES = 16 * 1024
"""Every record has this size, so that switching it to other content is one write into the same volume."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_RECORD_PREFIX = "kilonova-image-"
_RECORD_SUFFIX = ".json"
_DATA_PREFIX = "kilonova-sha256-"
_WORK_PREFIX = "kilonova-work-"


@dataclass(frozen=True)
class ImageRecord:
    """A published image."""

    name: str
    digest: str
    """sha256:<hex> of the data."""
    format: str
    virtual_size_bytes: int
    size_bytes: int
    source: str
    source_id: str
    checksum: str | None
    fetched_at: str
    source_mtime_ns: int | None = None
    source_format: str | None = None
    """What was fetched, where it is not what is published."""
    source_digest: str | None = None
    """sha256:<hex> of what was fetched, where it is not what is published."""
    signed_by: str | None = None
    """The fingerprint of the key that signed what was fetched, or its checksums."""
    metadata: ImageMetadata = field(default_factory=ImageMetadata)
    schema: int = SCHEMA_VERSION

    @property
    def volume(self) -> str:
        """Return the name of the volume with the data."""
        return data_volume_name(self.digest, self.format)

    @property
    def fetched_format(self) -> str:
        """Return the format of what was fetched."""
        return self.source_format or self.format

    @property
    def fetched_digest(self) -> str:
        """Return the digest of what was fetched."""
        return self.source_digest or self.digest

    def to_bytes(self) -> bytes:
        """Return the content of the record's volume."""
        text = (
            json.dumps({**asdict(self), "metadata": self.metadata.said()}, indent=1, sort_keys=True).encode("utf-8")
            + b"\n"
        )
        return text.ljust(RECORD_BYTES, b" ")

    @staticmethod
    def from_bytes(content: bytes) -> ImageRecord | None:
        """Read a record; None for one that is half written, or not ours."""
        try:
            data = json.loads(content.decode("utf-8"))
        except ValueError:
            return None
        if not isinstance(data, dict) or data.get("schema") != SCHEMA_VERSION:
            return None
        known = {one.name for one in fields(ImageRecord)}
        metadata = ImageMetadata.from_record(data.get("metadata"))
        try:
            record = ImageRecord(
                **{**{key: value for key, value in data.items() if key in known}, "metadata": metadata}
            )
        except TypeError:
            return None
        return record if record.makes_sense() else None

    @staticmethod
    def is_of_other_version(content: bytes) -> bool:
        """Tell whether it is a whole record of which this version does not know what it says."""
        try:
            data = json.loads(content.decode("utf-8"))
        except ValueError:
            return False
        return isinstance(data, dict) and data.get("schema") not in (None, SCHEMA_VERSION)

    def makes_sense(self) -> bool:
        """Tell whether what others act on has the right form: anyone who may write to the pool wrote it."""
        return (
            isinstance(self.digest, str)
            and _DIGEST.fullmatch(self.digest) is not None
            and self.format in PUBLISHED_FORMATS
            and all(isinstance(size, int) and size > 0 for size in (self.size_bytes, self.virtual_size_bytes))
        )


def record_volume_name(image: str) -> str:
    """Return the name of the volume with the record of ``image``."""
    return f"{_RECORD_PREFIX}{image}{_RECORD_SUFFIX}"


def image_name(volume: str) -> str | None:
    """Return the image whose record the volume holds, None if it is no record."""
    if volume.startswith(_RECORD_PREFIX) and volume.endswith(_RECORD_SUFFIX):
        return volume[len(_RECORD_PREFIX) : -len(_RECORD_SUFFIX)]
    return None


def data_volume_name(digest: str, image_format: str) -> str:
    """Return the name of the volume with the data of ``digest``."""
    return f"kilonova-{digest.replace(':', '-')}.{image_format}"


def is_data_volume(volume: str) -> bool:
    """Tell whether the volume holds, or was to hold, an image's data."""
    return volume.startswith(_DATA_PREFIX)


def work_volume_name(image: str) -> str:
    """Return the name of the volume in which ``image`` comes into being before its digest is known."""
    return f"{_WORK_PREFIX}{image}.qcow2"


def is_work_volume(volume: str) -> bool:
    """Tell whether an image comes into being in the volume, or was to before a run was killed."""
    return volume.startswith(_WORK_PREFIX)


def is_image_content(volume: str) -> bool:
    """Tell whether the volume has the data of an image, whole or coming into being."""
    return is_data_volume(volume) or is_work_volume(volume)
