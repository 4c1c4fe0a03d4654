# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What stands against a backup, said before anything is touched. Pure."""

from __future__ import annotations

from .._errors import ConflictError, NotFoundError, SpecError
from .._spec.backup import AUTO, FULL, INCREMENTAL, BackupSpec
from .._spec.backup_record import BackupRecord
from .._spec.snapshot_disk import DiskTraits
from . import snapshot_refusals
from .backup_scene import BackupScene, Stored
from .existing import Existing


def refuse_instance(spec: BackupSpec, scene: BackupScene) -> Existing:
    """Return the instance, or refuse one that is gone, or that something else has brought into a state of its own."""
    if scene.existing is None:
        raise NotFoundError(f"There is no instance {spec.name} on this host.")
    snapshot_refusals.refuse_state(spec.name, scene.record, scene.existing)
    if scene.record.begun is not None:
        raise ConflictError(
            f"An operation on instance {spec.name} was interrupted ({scene.record.begun.action}); run it again, which"
            " finishes it."
        )
    return scene.existing


def refuse_foreign_job(spec: BackupSpec, scene: BackupScene) -> None:
    """Refuse to begin beside a backup job that is under way."""
    if scene.job is None:
        return
    other = next((one.backup for one in scene.stored.values() if scene.is_at_work(one.record)), None)
    what = f"Backup {other} of instance {spec.name}" if other else f"Another backup of instance {spec.name}"
    raise ConflictError(f"{what} is being made (virsh domjobinfo {spec.name}); wait until that has ended.")


def refuse_unreadable(spec: BackupSpec, found: Stored | None) -> None:
    """Refuse volumes of that name of which it can't be told what they are."""
    if found is not None and found.record is None and not found.unwritten:
        raise ConflictError(
            f"Pool {spec.pool} has volumes of a backup {found.backup} of instance {spec.name} ({', '.join(found.volumes)})"
            " without a record that can be read; they are not touched. Delete them with virsh vol-delete, or take another"
            " name."
        )


def refuse_other(spec: BackupSpec, record: BackupRecord, scene: BackupScene) -> None:
    """Refuse a backup of that name that is not what is declared."""
    if record.uuid != scene.uuid:
        raise ConflictError(
            f"Backup {record.backup} in pool {spec.pool} is of another instance {spec.name}, which was on a host before"
            f" ({record.uuid}); take another name, or delete it first."
        )
    damage = scene.damage(record)
    if damage:
        raise ConflictError(f"Backup {record.backup} of instance {spec.name} is damaged: {damage}; delete it first.")
    kind = INCREMENTAL if record.incremental else FULL
    if spec.type not in (AUTO, kind):
        raise SpecError("type", f"backup {record.backup} is there already, and is {kind}", "take another name")
    if spec.disks is not None and set(spec.disks) != {disk.target for disk in record.disks}:
        there = ", ".join(disk.target for disk in record.disks)
        raise SpecError("disks", f"backup {record.backup} is there already, with {there}", "take another name")


def choose_disks(spec: BackupSpec, scene: BackupScene) -> tuple[DiskTraits, ...]:
    """Return the disks of a new backup, or refuse those that can't be in one."""
    known = {disk.target: disk for disk in scene.traits.disks}
    for target in spec.disks or ():
        if target not in known:
            raise NotFoundError(
                f"Option disks: instance {spec.name} has no disk {target} that it could write to; there are:"
                f" {', '.join(sorted(known)) or 'none'}."
            )
    chosen = tuple(disk for disk in scene.traits.disks if spec.disks is None or disk.target in spec.disks)
    for disk in chosen:
        reason = obstacle(disk)
        if reason:
            others = ", ".join(one.target for one in scene.traits.disks if not obstacle(one)) or "none of them"
            raise SpecError(
                "disks",
                f"disk {disk.target} of instance {spec.name} {reason}, and so can't be in a backup",
                f"name those that shall be in it, of {others}",
            )
    if not chosen:
        raise ConflictError(f"Instance {spec.name} has no disk that it could write to, so there is nothing to back up.")
    return chosen


def obstacle(disk: DiskTraits) -> str | None:
    """Return in words why a disk can't be in a backup; None where it can."""
    reasons = (
        (disk.path is None, "lies on no file and no block device of the host"),
        (disk.device != "disk", "is a device of the host that is passed through"),
        (disk.format not in ("qcow2", "raw"), f"has format {disk.format}"),
        (disk.shareable, "is shared with other guests"),
        (disk.encrypted, "is encrypted, and its backup would not be"),
        (disk.transient, "is transient"),
    )
    return next((words for is_so, words in reasons if is_so), None)
