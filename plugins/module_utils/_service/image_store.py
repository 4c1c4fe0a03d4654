# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A pool as a store of images: records, data volumes, and when a data volume can be trusted.

Data is content-addressed, so it is written once and never again. A data volume counts only while a record names it,
and records are written last. Whatever no record names and nobody uses is left over from a run that was killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import time

from .._driver.storage import BUSY_SECONDS, Volume
from .._errors import ConflictError, ExistsError, ImageError, NotFoundError, SpecError, WaitTimeoutError
from .._spec.image_cache import digest_of, note_name
from .._spec.image_format import inspect
from .._spec.image_record import (
    RECORD_BYTES,
    ImageRecord,
    data_volume_name,
    is_image_content,
    record_volume_name,
)
from ._image.fetched import Fetched, upload
from .image_catalog import ImageCatalog
from .image_usage import read_usage
from .pool_room import refuse_without_room

STILL_SECONDS = 4.0
"""A volume that did not change for so long is not being written by a run on another machine."""


class ImageStore(ImageCatalog):
    """The images of one pool, to be changed."""

    def users(self, volume_name: str) -> list[str]:
        """Return in words who lies on the volume, and which disks can't be looked into."""
        volume = self.pool.find(volume_name)
        if volume is None:
            return []
        usage = read_usage(self.connection, thorough=True)
        return usage.claimed_by(digest_of(volume_name)) or usage.possible_users(volume.path)

    def unused_data(self, records: list[ImageRecord]) -> list[str]:
        """Return the data volumes that none of ``records`` names and nobody lies on; none if that can't be told."""
        named = {record.volume for record in records}
        volumes = self.pool.volumes()
        candidates = {name: volume for name, volume in volumes.items() if is_image_content(name) and name not in named}
        if not candidates or self.read_all(volumes)[1]:
            return []
        usage = read_usage(self.connection, thorough=True)
        if usage.blind_spots:
            return []
        return sorted(
            name
            for name, volume in candidates.items()
            if not usage.users(volume.path) and not usage.claimed_by(digest_of(name))
        )

    def write_record(self, record: ImageRecord) -> None:
        """Write or switch the record of an image, in one write."""
        name = record_volume_name(record.name)
        content = record.to_bytes()
        if len(content) > RECORD_BYTES:
            raise ImageError(f"The source of image {record.name} is too long to be recorded.")
        volume, created = self.pool.find(name), False
        if volume is None:
            try:
                volume, created = self.pool.create(name, RECORD_BYTES, "raw", allocation=RECORD_BYTES), True
            except ExistsError:
                volume = self.pool.find(name)
        if volume is None:
            raise ImageError(f"The record of image {record.name} vanished while it was written; run again.")
        try:
            volume.upload(io.BytesIO(content), len(content))
        except BaseException:
            if created:
                volume.delete()
            raise

    def remove_record(self, name: str) -> None:
        """Make an image unpublished."""
        volume = self.pool.find(record_volume_name(name))
        if volume:
            volume.delete()

    def remove_data(self, volume_name: str, patience: float = BUSY_SECONDS) -> None:
        """Remove a data volume, and what is noted of it; whoever calls made sure that nobody uses it."""
        for name in (volume_name, note_name(volume_name)):
            volume = self.pool.find(name)
            if volume:
                volume.delete(patience)

    def add_data(self, fetched: Fetched, timeout: float) -> None:
        """Have the data of ``fetched`` in the pool: whole, and written by nobody else."""
        name = data_volume_name(fetched.digest, fetched.inspection.format)
        end = time.monotonic() + timeout
        while True:
            volume = self.pool.find(name)
            if volume is None or (not self._vouched(volume) and self.still([name])):
                if volume and not self._reclaim(volume, fetched):
                    return
                # Where a run on another machine was faster, what it writes is looked at in the next round.
                with contextlib.suppress(ExistsError):
                    self._upload(name, fetched)
                    return
            elif self._vouched(volume):
                return
            if time.monotonic() > end:
                raise WaitTimeoutError(
                    f"Another run still writes volume {name} of pool {self.pool.name} after {timeout:g} seconds;"
                    " wait for it and run again."
                )

    def still(self, volume_names: list[str]) -> list[str]:
        """Return those volumes that do not change while they are watched: nobody is writing them."""
        before = self._states(volume_names)
        if before:
            time.sleep(STILL_SECONDS)
        after = self._states(volume_names)
        return [name for name in volume_names if name in before and before[name] == after.get(name)]

    def _vouched(self, volume: Volume) -> bool:
        """Tell whether a record names the volume and all of it is there."""
        return any(record.volume == volume.name and self.data(record) for record in self.records())

    def _reclaim(self, volume: Volume, fetched: Fetched) -> bool:
        """Remove a volume that can't be trusted; False if it is in use, and was seen to be whole."""
        users = read_usage(self.connection).users(volume.path)
        if users:
            if _digest(volume, fetched.size_bytes) == fetched.digest:
                return False
            raise ConflictError(
                f"Volume {volume.name} of pool {self.pool.name} does not hold what its name says,"
                f" and is used by {', '.join(users)}; remove those first."
            )
        for record in self.records():
            if record.volume == volume.name:
                # While the data is written again, no record may vouch for it.
                self.remove_record(record.name)
        volume.delete()
        return True

    def _states(self, volume_names: list[str]) -> dict[str, tuple[str | None, int]]:
        found = {}
        for name in volume_names:
            volume = self.pool.find(name)
            with contextlib.suppress(NotFoundError):
                if volume:
                    found[name] = (volume.description.modified, volume.allocation)
        return found

    def _upload(self, name: str, fetched: Fetched) -> None:
        if fetched.inspection.format == "qcow2" and not self.pool.describe().holds_files:
            raise SpecError(
                "convert_to",
                f"pool {self.pool.name} holds no files, and a qcow2 image there would be copied to disks as if it were their content",
                "declare convert_to: raw",
            )
        refuse_without_room(fetched, self.pool, "the image", besides=RECORD_BYTES)
        volume = self.pool.create(name, fetched.size_bytes, "raw")
        try:
            if not upload(fetched, volume, sparse=True):
                raise ImageError(
                    f"The image is not what its digest {fetched.digest} says, or was changed by someone else while it was"
                    " read; nothing was published."
                )
            if (
                fetched.elsewhere
                and inspect(volume.reader(fetched.size_bytes), fetched.size_bytes) != fetched.inspection
            ):
                raise ImageError("The image is not what it was taken for before it was sent; nothing was published.")
        except BaseException:
            volume.delete()
            raise
        self.pool.refresh()


class _Hash:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: bytes, /) -> None:
        """Take the next bytes."""
        self.hash.update(data)


def _digest(volume: Volume, length: int) -> str:
    sink = _Hash()
    volume.download(sink, length)
    return f"sha256:{sink.hash.hexdigest()}"
