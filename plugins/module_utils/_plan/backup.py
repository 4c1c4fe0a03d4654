# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide what a declared backup takes. Pure.

A backup is full, or incremental on the newest one: each of its volumes then holds what was written since that one, and
lies on that one's. From each backup on QEMU remembers what is written, by a checkpoint; only the newest one's is kept.
Disks that can't remember are in every backup whole.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ConflictError, SpecError
from .._spec import backup as words
from .._spec.backup import BackupSpec
from .._spec.backup_record import BackedDisk, BackupRecord
from .._spec.checkpoint import Checkpoint, checkpoint_name
from .._spec.instant import written
from .._spec.snapshot_disk import DiskTraits
from . import backup_refusals as refusals
from . import backup_scene as verbs
from .backup_scene import BackupIntent, BackupScene, BackupStep, NewBackup
from .plan import Change, Plan
from .snapshot_refusals import refuse_strayed, refuse_without_agent


def plan_backup(spec: BackupSpec, scene: BackupScene) -> BackupIntent:
    """Return what the declaration takes, or raise what stands against it."""
    return _absent(spec, scene) if spec.state == words.ABSENT else _present(spec, scene)


class _Draft:
    """Steps that are being put together."""

    def __init__(self, spec: BackupSpec, scene: BackupScene) -> None:
        self.spec, self.scene = spec, scene
        self.steps: list[BackupStep] = []

    def step(self, verb: str, part: str, *changes: Change, what: t.Any = None) -> None:
        """Add a step about the instance, or a ``part`` of it."""
        target = f"{self.spec.name}/{part}" if part else self.spec.name
        self.steps.append(BackupStep(verb, target, tuple(changes), what))

    def delete(self, verb: str, backup: str) -> None:
        """Add what removes a backup, or what is left of one."""
        record = self.scene.stored[backup].complete
        before = _kind(record) if record is not None else None
        self.step(verb, backup, Change(f"backups[{backup}]", before or "unfinished", None), what=backup)

    def delete_checkpoints(self, names: t.Iterable[str]) -> None:
        """Have it forgotten what was written since."""
        for name in names:
            self.step(verbs.DELETE_CHECKPOINT, name, what=name)

    def finish(self, *warnings: str) -> BackupIntent:
        """Return the whole."""
        return BackupIntent(Plan(f"backups of instance {self.spec.name}", tuple(self.steps)), warnings)


def _kind(record: BackupRecord) -> str:
    return f"{words.INCREMENTAL} on {record.parent}" if record.parent is not None else words.FULL


def _present(spec: BackupSpec, scene: BackupScene) -> BackupIntent:
    existing = refusals.refuse_instance(spec, scene)
    found = scene.stored.get(spec.backup)
    refusals.refuse_unreadable(spec, found)
    draft = _Draft(spec, scene)
    if scene.frozen:
        draft.step(verbs.THAW, "")
    if found is not None and found.complete is not None:
        refusals.refuse_other(spec, found.complete, scene)
        _clear(draft, None)
        if existing.active:
            draft.delete_checkpoints(scene.stale(scene.own[-1].checkpoint))
        _retain(draft, None)
        return draft.finish()
    if found is not None and found.record is not None and scene.is_at_work(found.record):
        _clear(draft, spec.backup)
        record = found.record
        draft.step(verbs.FINISH, spec.backup, _made(record), what=record)
    else:
        refusals.refuse_foreign_job(spec, scene)
        new = _new_backup(spec, scene)
        record = new.record
        _clear(draft, None)
        if not existing.active:
            draft.step(verbs.HOLD, "")
        draft.step(verbs.CREATE, spec.backup, _made(record), what=new)
    draft.delete_checkpoints(scene.stale(record.checkpoint))
    if not existing.active:
        draft.step(verbs.RELEASE, "")
    _retain(draft, record)
    return draft.finish(*_not_in_it(spec, scene))


def _not_in_it(spec: BackupSpec, scene: BackupScene) -> t.Iterator[str]:
    """Say while the instance is there what no backup of it could bring back."""
    if scene.traits.tpm:
        yield (
            f"The state of the TPM of instance {spec.name} is not in backup {spec.backup}: what was encrypted with keys in it"
            " can't be read in an instance that is restored, so keep another key for that."
        )


def _made(record: BackupRecord) -> Change:
    return Change(f"backups[{record.backup}]", None, _kind(record))


def _clear(draft: _Draft, spared: str | None) -> None:
    """Remove what killed runs left of this instance's backups; what is being made by another run is not that."""
    for name, stored in sorted(draft.scene.stored.items()):
        is_ours = stored.record is None or stored.record.uuid == draft.scene.uuid
        if stored.is_rest and is_ours and name != spared and not draft.scene.is_at_work(stored.record):
            draft.delete(verbs.DISCARD, name)


def _new_backup(spec: BackupSpec, scene: BackupScene) -> NewBackup:
    disks = refusals.choose_disks(spec, scene)
    refuse_strayed(spec.name, scene.record, disks)
    if spec.quiesce and scene.existing is not None:
        refuse_without_agent(spec.name, scene.existing, scene.agent)
    parent, checkpoint, reason = _parent(spec, scene)
    backed = [_backed(disk, scene, parent, checkpoint) for disk in disks]
    tracked = any(one.tracked for one in backed)
    if spec.type == words.INCREMENTAL:
        _refuse_full(spec, backed, reason)
    is_incremental = any(one.incremental for one in backed)
    is_active = scene.is_active
    state = scene.existing.state if scene.existing is not None else ""
    chosen = {disk.target for disk in disks}
    record = BackupRecord(
        instance=spec.name,
        backup=spec.backup,
        uuid=scene.uuid,
        created_at=written(scene.now),
        disks=tuple(backed),
        left_out=tuple(target for target in scene.traits.targets if target not in chosen),
        parent=parent.backup if parent is not None and is_incremental else None,
        checkpoint=checkpoint_name(scene.pool_uuid, int(scene.now), spec.backup) if tracked else None,
        quiesced=spec.quiesce and state == "running",
        held=not is_active,
        description=spec.description,
    )
    since = checkpoint.name if checkpoint is not None and is_incremental else None
    return NewBackup(record, since, spec.type == words.INCREMENTAL, disks)


def _parent(spec: BackupSpec, scene: BackupScene) -> tuple[BackupRecord | None, Checkpoint | None, str]:
    """Return what an incremental backup would lie on, and its checkpoint; or why there is none."""
    if spec.type == words.FULL:
        return None, None, ""
    if not scene.own:
        return None, None, f"there is no earlier backup of instance {spec.name} in pool {scene.pool}"
    newest = scene.own[-1]
    damage = scene.damage(newest)
    if damage:
        return None, None, damage
    if spec.type == words.AUTO and len(scene.chain(newest)) >= spec.full_every:
        return None, None, ""
    checkpoint = scene.checkpoint(newest.checkpoint)
    if checkpoint is None:
        return None, None, f"nothing remembers what was written since backup {newest.backup}"
    return newest, checkpoint, ""


def _backed(
    disk: DiskTraits, scene: BackupScene, parent: BackupRecord | None, checkpoint: Checkpoint | None
) -> BackedDisk:
    below = parent.disk(disk.target) if parent is not None else None
    capacity = scene.capacities[disk.target]
    is_tracked = disk.target in scene.trackable
    is_known = checkpoint is not None and disk.target in checkpoint.targets
    is_same = below is not None and below.tracked and below.capacity_bytes == capacity
    return BackedDisk(disk.target, disk.format, capacity, is_tracked and is_known and is_same, is_tracked)


def _refuse_full(spec: BackupSpec, disks: t.Sequence[BackedDisk], reason: str) -> None:
    whole = [disk.target for disk in disks if disk.tracked and not disk.incremental]
    if not any(disk.tracked for disk in disks):
        reason = (
            f"no disk of instance {spec.name} is of a kind that remembers what is written to it (qcow2, compat 1.1)"
        )
    elif whole:
        reason = reason or f"nothing remembers what was written to disk {whole[0]} since the newest backup"
    if reason:
        raise SpecError("type", f"{reason}, so that none can be incremental", "take type: auto, or full")


def whole(new: NewBackup, lost: t.Collection[str]) -> NewBackup:
    """Return the backup with those disks whole of which it turned out that nothing remembers what was written."""
    if new.demanded:
        raise ConflictError(
            f"Nothing remembers what was written to disk {', '.join(sorted(lost))} of instance {new.record.instance} since"
            f" backup {new.record.parent}, so that none can be incremental; take type: auto, or full."
        )
    disks = tuple(replace(disk, incremental=disk.incremental and disk.target not in lost) for disk in new.record.disks)
    is_incremental = any(disk.incremental for disk in disks)
    parent = new.record.parent if is_incremental else None
    return replace(
        new, record=replace(new.record, disks=disks, parent=parent), since=new.since if is_incremental else None
    )


def _retain(draft: _Draft, made: BackupRecord | None) -> None:
    """Delete what retention does not keep, newest first; what those that are kept lie on stays."""
    rule, scene = draft.spec.retention, draft.scene
    if rule is None:
        return
    surplus = set(rule.surplus(((one.backup, one.taken) for one in scene.own), draft.spec.backup, scene.now))
    kept = [one for one in scene.backups if one.backup not in surplus]
    if made is not None and made.parent is not None:
        below = scene.stored[made.parent].complete
        kept += [below] if below is not None else []
    surplus -= {one.backup for record in kept for one in scene.chain(record)}
    for record in reversed(scene.own):
        if record.backup in surplus:
            draft.delete(verbs.DELETE, record.backup)


def _absent(spec: BackupSpec, scene: BackupScene) -> BackupIntent:
    found = scene.stored.get(spec.backup)
    draft = _Draft(spec, scene)
    if found is None:
        return draft.finish()
    refusals.refuse_unreadable(spec, found)
    above = scene.above(spec.backup)
    if above:
        raise ConflictError(
            f"Backup {spec.backup} of instance {spec.name} can't be deleted: {', '.join(above)} holds only what was written"
            " since, and can't be read without it. Delete that first."
        )
    record = found.record
    if record is not None and record.uuid == scene.uuid:
        if not record.complete and scene.frozen:
            draft.step(verbs.THAW, "")
        if not record.complete and scene.is_at_work(record):
            draft.step(verbs.ABORT, spec.backup)
        if scene.is_active and scene.checkpoint(record.checkpoint) is not None:
            draft.delete_checkpoints([record.checkpoint or ""])
    draft.delete(verbs.DELETE if found.complete is not None else verbs.DISCARD, spec.backup)
    return draft.finish()
