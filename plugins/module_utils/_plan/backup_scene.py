# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is found of an instance and its backups, and the steps that a declaration comes to. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._spec.backup_record import BackupRecord
from .._spec.checkpoint import Checkpoint, checkpoint_prefix
from .._spec.record import InstanceRecord
from .._spec.snapshot_disk import DiskTraits, SnapshotTraits
from .existing import Existing
from .plan import Action, Plan

ABORT = "abort_backup"
CREATE = "create_backup"
DELETE = "delete_backup"
DELETE_CHECKPOINT = "delete_checkpoint"
DISCARD = "discard_backup"
FINISH = "finish_backup"
HOLD = "start_held"
RELEASE = "stop_held"
THAW = "thaw_filesystems"

_NO_TRAITS = SnapshotTraits()


@dataclass(frozen=True)
class Stored:
    """What a pool holds of one backup of the instance's name."""

    backup: str
    record: BackupRecord | None = None
    """None where there is none that can be read."""
    unwritten: bool = False
    """The record's volume is there, and nothing was written to it yet."""
    volumes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    """Volumes that the record names and that are not there, or not whole."""

    @property
    def complete(self) -> BackupRecord | None:
        """Return the record of a backup that can be relied on."""
        return self.record if self.record is not None and self.record.complete else None

    @property
    def is_rest(self) -> bool:
        """Tell whether it is what a run left that was killed; what can't be told is not."""
        return self.unwritten or (self.record is not None and not self.record.complete)


@dataclass(frozen=True)
class BackupScene:
    """An instance with its backups in one pool, as they were found."""

    stored: t.Mapping[str, Stored] = field(default_factory=dict)
    pool: str = ""
    pool_uuid: str = ""
    existing: Existing | None = None
    """None where the instance is gone, and for one of the same name that is another."""
    uuid: str = ""
    record: InstanceRecord = InstanceRecord()  # noqa: RUF009  # frozen
    traits: SnapshotTraits = _NO_TRAITS
    checkpoints: tuple[Checkpoint, ...] = ()
    job: frozenset[str] | None = None
    """Names of the volumes that a backup job writes to now, or whole paths where they are not in the pool."""
    capacities: t.Mapping[str, int] = field(default_factory=dict)
    """By target, the bytes that the guest sees."""
    trackable: frozenset[str] = frozenset()
    """Targets of the disks that can remember what is written to them."""
    agent: str | None = None
    frozen: bool = False
    now: float = 0.0

    @property
    def is_active(self) -> bool:
        """Tell whether there is a guest, be it held."""
        return self.existing is not None and self.existing.active

    @property
    def backups(self) -> list[BackupRecord]:
        """Return the complete backups, oldest first."""
        found = [one.complete for one in self.stored.values() if one.complete is not None]
        return sorted(found, key=lambda one: (one.taken, one.backup))

    @property
    def own(self) -> list[BackupRecord]:
        """Return those of this very instance, and not of one that had its name before."""
        return [one for one in self.backups if one.uuid == self.uuid]

    def is_at_work(self, record: BackupRecord | None) -> bool:
        """Tell whether the job that there is makes that backup."""
        return record is not None and self.job == frozenset(record.volume(disk.target) for disk in record.disks)

    def chain(self, record: BackupRecord) -> list[BackupRecord]:
        """Return the backup and those below it, as far as they are there."""
        found = [record]
        while found[-1].parent is not None:
            below = self.stored.get(found[-1].parent)
            if below is None or below.complete is None or below.complete in found:
                break
            found.append(below.complete)
        return found

    def damage(self, record: BackupRecord) -> str | None:
        """Return in words what is missing of the backup or below it; None where it is whole."""
        chain = self.chain(record)
        if chain[-1].parent is not None:
            return f"backup {chain[-1].parent}, below it, is not there"
        for one in chain:
            lost = self.stored[one.backup].lost
            if lost:
                return f"volume {lost[0]} of backup {one.backup} is not there, or not whole"
        return None

    def above(self, backup: str) -> list[str]:
        """Return the backups that lie right on one, or will when the job that makes them has ended."""
        records = (one.record for one in self.stored.values())
        found = (one for one in records if one is not None and (one.complete or self.is_at_work(one)))
        return sorted(one.backup for one in found if one.parent == backup)

    def checkpoint(self, name: str | None) -> Checkpoint | None:
        """Return a checkpoint by its name."""
        return next((one for one in self.checkpoints if one.name == name), None)

    def stale(self, kept: str | None) -> list[str]:
        """Return the checkpoints of this pool's backups that the next backup does not take, but for the ``kept`` one."""
        prefix = checkpoint_prefix(self.pool_uuid)
        return [one.name for one in self.checkpoints if one.name.startswith(prefix) and one.name != kept]


@dataclass(frozen=True)
class NewBackup:
    """A backup to be made: its record as it is at first, and the disks by target."""

    record: BackupRecord
    since: str | None = None
    """The checkpoint since which an incremental one has what was written."""
    demanded: bool = False
    """The user wants no other than an incremental one."""
    disks: tuple[DiskTraits, ...] = ()


@dataclass(frozen=True)
class BackupStep(Action):
    """An action with all that is needed to do it."""

    what: t.Any = None


@dataclass(frozen=True)
class BackupIntent:
    """The plan, and what the user should hear."""

    plan: Plan
    warnings: tuple[str, ...] = ()
