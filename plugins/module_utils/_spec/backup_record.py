# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a pool says of a backup: a small volume of JSON beside the volumes with the data, so that it outlives the instance.

The record is there before any data and says that the backup is not complete; it says that it is in one write, at the end.
Before a backup is deleted, its record says again that it is not. So whatever a run that was killed left is known as such,
and volumes without a record that can be read are somebody's accident, and not touched.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, fields, replace

from .instant import read_instant

SCHEMA_VERSION = 1
RECORD_BYTES = 32 * 1024
"""Every record has this size, so that switching it to other content is one write into the same volume."""

_PREFIX = "kilonova-backup-"
_RECORD_SUFFIX, _DEFINITION_SUFFIX, _DATA_SUFFIX = ".json", ".xml", ".qcow2"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TARGET = re.compile(r"[a-z0-9]{1,32}")


@dataclass(frozen=True)
class BackedDisk:
    """A disk in a backup."""

    target: str
    format: str
    """Of the disk itself; what is in the pool is qcow2."""
    capacity_bytes: int
    incremental: bool = False
    """Its volume holds what was written since the parent, and lies on the parent's."""
    tracked: bool = False
    """What is written since is known to the checkpoint."""
    stored_bytes: int = 0
    """How long the volume is."""


@dataclass(frozen=True)
class BackupRecord:
    """A backup, complete or not."""

    instance: str
    backup: str
    uuid: str
    """Of the instance."""
    created_at: str
    """ISO 8601, UTC, as all instants."""
    disks: tuple[BackedDisk, ...]
    left_out: tuple[str, ...] = ()
    """Targets of the instance's other disks and drives."""
    parent: str | None = None
    checkpoint: str | None = None
    quiesced: bool = False
    held: bool = False
    """The instance was off."""
    description: str | None = None
    complete: bool = False
    schema: int = SCHEMA_VERSION

    @property
    def key(self) -> str:
        """Return what tells this backup from one that had its name before."""
        return f"{self.instance}@{self.backup} {self.created_at}"

    @property
    def incremental(self) -> bool:
        """Tell whether it takes its parent to read it."""
        return self.parent is not None

    @property
    def taken(self) -> int:
        """Return when it was taken, in seconds since 1970."""
        return read_instant(self.created_at) or 0

    def disk(self, target: str) -> BackedDisk | None:
        """Return a disk by its target."""
        return next((disk for disk in self.disks if disk.target == target), None)

    def volume(self, target: str) -> str:
        """Return the name of the volume that holds a disk."""
        return data_volume(self.instance, self.backup, target)

    def unfinished(self) -> BackupRecord:
        """Return the record of one that nobody may rely on any more."""
        return replace(self, complete=False)

    def to_bytes(self) -> bytes:
        """Return the content of the record's volume."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True).encode("utf-8") + b"\n"
        return text.ljust(RECORD_BYTES, b" ")

    @staticmethod
    def from_bytes(content: bytes) -> BackupRecord | None:
        """Read a record; None for one that is half written, or of a later version, or not ours."""
        try:
            data = json.loads(content.decode("utf-8"))
        except ValueError:
            return None
        if not isinstance(data, dict) or data.get("schema") != SCHEMA_VERSION:
            return None
        try:
            disks = tuple(BackedDisk(**_known(BackedDisk, disk)) for disk in data["disks"])
            left_out = tuple(data.get("left_out", ()))
            record = BackupRecord(**{**_known(BackupRecord, data), "disks": disks, "left_out": left_out})
        except (TypeError, KeyError):
            return None
        return record if record.makes_sense() else None

    def makes_sense(self) -> bool:
        """Tell whether what others act on has the right form: anyone who may write to the pool wrote it."""
        names = (self.instance, self.backup, *((self.parent,) if self.parent is not None else ()))
        return (
            all(isinstance(name, str) and _NAME.fullmatch(name) for name in names)
            and isinstance(self.created_at, str)
            and read_instant(self.created_at) is not None
            and all(isinstance(flag, bool) for flag in (self.complete, self.quiesced, self.held))
            and all(isinstance(text, str) for text in (self.uuid, *self.left_out))
            and all(text is None or isinstance(text, str) for text in (self.checkpoint, self.description))
            and all(_is_disk(disk) for disk in self.disks)
            and len({disk.target for disk in self.disks}) == len(self.disks)
        )


def _known(kind: t.Any, data: t.Any) -> dict[str, t.Any]:
    names = {one.name for one in fields(kind)}
    return {key: value for key, value in data.items() if key in names} if isinstance(data, dict) else {}


def _is_disk(disk: BackedDisk) -> bool:
    return (
        isinstance(disk.target, str)
        and _TARGET.fullmatch(disk.target) is not None
        and disk.format in ("qcow2", "raw")
        and all(isinstance(size, int) and size >= 0 for size in (disk.capacity_bytes, disk.stored_bytes))
        and all(isinstance(flag, bool) for flag in (disk.incremental, disk.tracked))
    )


def record_volume(instance: str, backup: str) -> str:
    """Return the name of the volume with the record."""
    return f"{_PREFIX}{instance}@{backup}{_RECORD_SUFFIX}"


def definition_volume(instance: str, backup: str) -> str:
    """Return the name of the volume with the instance's definition of then."""
    return f"{_PREFIX}{instance}@{backup}{_DEFINITION_SUFFIX}"


def data_volume(instance: str, backup: str, target: str) -> str:
    """Return the name of the volume with a disk."""
    return f"{_PREFIX}{instance}@{backup}.{target}{_DATA_SUFFIX}"


def owner_of(volume: str) -> tuple[str, str] | None:
    """Return the instance and the backup that a volume belongs to by its name; None for any other volume."""
    if not volume.startswith(_PREFIX):
        return None
    instance, at, rest = volume[len(_PREFIX) :].partition("@")
    backup = ""
    for suffix in (_RECORD_SUFFIX, _DEFINITION_SUFFIX, _DATA_SUFFIX):
        if rest.endswith(suffix):
            backup = rest[: -len(suffix)]
            if suffix == _DATA_SUFFIX:
                backup, _dot, target = backup.rpartition(".")
                backup = backup if _TARGET.fullmatch(target) else ""
            break
    is_ours = bool(at) and _NAME.fullmatch(instance) is not None and _NAME.fullmatch(backup) is not None
    return (instance, backup) if is_ours else None
