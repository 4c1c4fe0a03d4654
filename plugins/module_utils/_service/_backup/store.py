# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A pool as a store of backups: a record, the instance's definition and the volumes with the disks, for each of them."""

from __future__ import annotations

import io
import typing as t

from ..._driver.connection import Connection
from ..._driver.storage import Pool, Volume, find_pool
from ..._errors import ConflictError, NotFoundError, SpecError
from ..._plan.backup_scene import Stored
from ..._spec.backup_record import (
    RECORD_BYTES,
    BackupRecord,
    definition_volume,
    owner_of,
    record_volume,
)

_QCOW2 = "qcow2"
_DEFINITION_BYTES = 16 * 1024**2


class BackupStore:
    """The backups in one pool."""

    def __init__(self, connection: Connection, name: str, option: str = "pool") -> None:
        """Find the pool, which must be one of files; what others wrote to it is seen."""
        self.pool: Pool = find_pool(connection, name, option)
        found = self.pool.describe()
        if not found.holds_files or not found.path:
            raise SpecError(option, f"pool {name} is of type {found.type}", "take a dir, fs or netfs pool")
        self.directory = found.path.rstrip("/")
        self.pool.refresh()

    def read(self, instance: str | None = None) -> dict[tuple[str, str], Stored]:
        """Return by instance and name what there is of backups, of one instance or of all."""
        groups: dict[tuple[str, str], dict[str, Volume]] = {}
        for name, volume in self.pool.volumes().items():
            owner = owner_of(name)
            if owner is not None and instance in (None, owner[0]):
                groups.setdefault(owner, {})[name] = volume
        return {owner: _read(owner, volumes) for owner, volumes in groups.items()}

    def locate(self, volume: str) -> str:
        """Return the path of a volume."""
        return f"{self.directory}/{volume}"

    def write_record(self, record: BackupRecord) -> None:
        """Write or switch the record, in one write."""
        name = record_volume(record.instance, record.backup)
        content = record.to_bytes()
        if len(content) > RECORD_BYTES:
            raise SpecError("description", "it is too long to be recorded with the backup", "say it in fewer words")
        volume = self.pool.find(name) or self.pool.create(name, RECORD_BYTES, "raw", allocation=RECORD_BYTES)
        volume.upload(io.BytesIO(content), len(content))

    def write_definition(self, record: BackupRecord, xml: str) -> None:
        """Keep the instance's definition with the backup."""
        content = xml.encode("utf-8")
        name = definition_volume(record.instance, record.backup)
        self.pool.create(name, len(content), "raw").upload(io.BytesIO(content), len(content))

    def read_definition(self, record: BackupRecord) -> str:
        """Return the instance's definition of then."""
        name = definition_volume(record.instance, record.backup)
        volume = self.pool.find(name)
        try:
            return "" if volume is None else volume.read_bytes(_DEFINITION_BYTES).decode("utf-8")
        except ValueError as exc:
            raise ConflictError(f"Volume {name}, the definition in the backup, is not readable text.") from exc

    def create_disks(self, record: BackupRecord) -> None:
        """Make the volumes that the disks are written to, those of an incremental backup on its parent's."""
        for disk in record.disks:
            backing = None
            if disk.incremental and record.parent is not None:
                below = BackupRecord(record.instance, record.parent, record.uuid, record.created_at, ())
                backing = (self.locate(below.volume(disk.target)), _QCOW2)
            self.pool.create(record.volume(disk.target), disk.capacity_bytes, _QCOW2, backing=backing)

    def stored_bytes(self, volume: str) -> int:
        """Return how long a volume is by now."""
        found = self.pool.find(volume)
        if found is None:
            raise NotFoundError(f"Volume {volume} of pool {self.pool.name} vanished while it was written.")
        return found.reread().description.stored_bytes

    def delete(self, stored: Stored, instance: str) -> None:
        """Delete a backup: from the first moment on it counts as one that is not there, and its record goes last."""
        if stored.complete is not None:
            self.write_record(stored.complete.unfinished())
        record = record_volume(instance, stored.backup)
        for name in sorted(stored.volumes, key=lambda name: name == record):
            volume = self.pool.find(name)
            if volume is not None:
                volume.delete()

    def is_full(self) -> bool:
        """Tell whether nothing more can be written to the pool."""
        self.pool.refresh()
        return self.pool.describe().available_bytes < RECORD_BYTES


def _read(owner: tuple[str, str], volumes: t.Mapping[str, Volume]) -> Stored:
    instance, backup = owner
    found = volumes.get(record_volume(instance, backup))
    try:
        content = found.read_bytes(RECORD_BYTES) if found is not None else None
    except NotFoundError:
        content = None
    record = BackupRecord.from_bytes(content) if content is not None else None
    if record is not None and (record.instance, record.backup) != owner:
        record = None
    lost = tuple(_lost(record, volumes)) if record is not None and record.complete else ()
    is_unwritten = record is None and content is not None and not content.strip(b"\0")
    return Stored(backup, record, is_unwritten, tuple(sorted(volumes)), lost)


def _lost(record: BackupRecord, volumes: t.Mapping[str, Volume]) -> t.Iterator[str]:
    definition = definition_volume(record.instance, record.backup)
    if definition not in volumes:
        yield definition
    for disk in record.disks:
        name = record.volume(disk.target)
        try:
            is_whole = name in volumes and volumes[name].description.stored_bytes >= disk.stored_bytes
        except NotFoundError:
            is_whole = False
        if not is_whole:
            yield name
