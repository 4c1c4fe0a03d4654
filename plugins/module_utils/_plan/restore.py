# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide what it takes to make an instance from a backup. Pure.

It is defined first, and its record says what it is made from and which volumes are its own: so its share of the host is
promised to nobody else, and a run that was killed is finished by the next, or taken back by removing the instance.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._errors import ConflictError, NotFoundError
from .._spec.backup import RESTORE, BackupSpec
from .._spec.backup_record import BackedDisk, BackupRecord
from .._spec.instant import written
from .._spec.nic import stable_mac
from .._spec.record import Begun, InstanceRecord, OwnedDisk
from .._spec.snapshot_disk import SnapshotTraits
from .backup_refusals import refuse_unreadable
from .backup_scene import BackupIntent, BackupScene, BackupStep
from .existing import Existing
from .plan import Change, Plan

COPY = "copy_disk"
DEFINE = "define"
FINISH = "finish"


@dataclass(frozen=True)
class RestoreScene:
    """A backup and the instance that is made from it, as far as it is there."""

    backups: BackupScene
    then: InstanceRecord = InstanceRecord()  # noqa: RUF009  # frozen
    """The instance's record when the backup was taken."""
    nics: int = 0
    """How many NICs it had."""
    directory: str = ""
    """Of the pool for the new disks."""
    taken: frozenset[str] = frozenset()
    """Names of volumes in there."""
    existing: Existing | None = None
    traits: SnapshotTraits = SnapshotTraits()  # noqa: RUF009  # frozen
    """Of the instance of then."""
    now: float = 0.0


@dataclass(frozen=True)
class RestoredDisk:
    """A disk to be made: a copy of the backup's ``source``."""

    backed: BackedDisk
    source: str
    volume: str
    path: str


@dataclass(frozen=True)
class Restored:
    """The instance to be made."""

    name: str
    record: InstanceRecord
    disks: tuple[RestoredDisk, ...]
    macs: tuple[str, ...] = field(default=())


def plan_restore(spec: BackupSpec, scene: RestoreScene) -> BackupIntent:
    """Return what the declaration takes, or raise what stands against it."""
    backup = find_backup(spec, scene.backups)
    found = scene.existing.record if scene.existing is not None else None
    plan = Plan(f"instance {spec.restore_as}")
    if found is not None and found.restored == backup.key and found.fleet == spec.fleet and found.begun is None:
        return BackupIntent(plan)
    restored = _restored(spec, scene, backup)
    is_begun = found is not None and found.begun == restored.record.begun and found.disks == restored.record.disks
    if scene.existing is not None and not is_begun:
        raise ConflictError(
            f"Option restore_as: there is an instance {spec.restore_as} on this host already; take another name, or remove it"
            " first."
        )
    steps = [] if is_begun else [_step(spec, DEFINE, "", Change("state", "absent", "present"), what=restored)]
    for disk in restored.disks:
        if not is_begun and disk.volume in scene.taken:
            raise ConflictError(
                f"Pool {spec.restore_pool} has a volume {disk.volume} already; remove it first, or take another name"
                " (restore_as)."
            )
        made = Change(f"disks[{disk.backed.target}]", None, disk.volume)
        steps.append(_step(spec, COPY, disk.backed.target, made, what=disk))
    finished = replace(restored.record, begun=None)
    steps.append(_step(spec, FINISH, "", what=finished))
    return BackupIntent(replace(plan, actions=tuple(steps)), tuple(_lost(backup, scene.traits)))


def find_backup(spec: BackupSpec, scene: BackupScene) -> BackupRecord:
    """Return the backup, or refuse one that can't be read whole."""
    stored = scene.stored.get(spec.backup)
    refuse_unreadable(spec, stored)
    if stored is None or stored.complete is None:
        names = ", ".join(one.backup for one in scene.backups) or "none"
        raise NotFoundError(
            f"There is no backup {spec.backup} of instance {spec.name} in pool {spec.pool}; there are: {names}."
        )
    damage = scene.damage(stored.complete)
    if damage:
        raise ConflictError(f"Backup {spec.backup} of instance {spec.name} can't be restored: {damage}.")
    return stored.complete


def _step(spec: BackupSpec, verb: str, part: str, *changes: Change, what: t.Any = None) -> BackupStep:
    return BackupStep(verb, f"{spec.restore_as}/{part}" if part else spec.restore_as, changes, what)


def _lost(backup: BackupRecord, traits: SnapshotTraits) -> t.Iterator[str]:
    """Say what the instance of then had and the new one has not."""
    if backup.left_out:
        yield (
            f"Disks and drives {', '.join(backup.left_out)} of instance {backup.instance} are not in backup {backup.backup}, so"
            " the new instance has no such disks, and its drives are empty."
        )
    if traits.pflash:
        yield (
            f"The variables of the UEFI firmware of instance {backup.instance} are in no backup, so the new instance begins with"
            " those of a new machine: it boots what its disk has in EFI/BOOT, and boot entries and keys that were enrolled in it"
            " are to be made again."
        )
    if traits.tpm:
        yield (
            f"The state of the TPM of instance {backup.instance} is in no backup, so the new instance has an empty one: what was"
            " encrypted with keys in it takes another key to be read."
        )


def _restored(spec: BackupSpec, scene: RestoreScene, backup: BackupRecord) -> Restored:
    name = spec.restore_as
    disks = []
    for disk in backup.disks:
        volume = f"{name}-{disk.target}.{disk.format}"
        disks.append(RestoredDisk(disk, backup.volume(disk.target), volume, f"{scene.directory}/{volume}"))
    macs = tuple(stable_mac(spec.fleet, name, index) for index in range(scene.nics))
    known = {disk.target: place for place, disk in enumerate(scene.then.volumes)}
    ordered = sorted(disks, key=lambda one: (known.get(one.backed.target, len(known)), one.backed.target))
    record = replace(
        scene.then,
        fleet=spec.fleet,
        protected=False,
        created_at=written(scene.now),
        disks=tuple(OwnedDisk(one.backed.target, spec.restore_pool, one.volume) for one in ordered),
        attached=(),
        layers=(),
        nics=macs,
        fixed_ips=(),
        hostdevs=(),
        isolated=False,
        restored=backup.key,
        adopted=False,
        seed=None,
        shelved=False,
        rescue=None,
        begun=Begun(RESTORE, target=backup.key),
    )
    return Restored(name, record, tuple(disks), macs)
