# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Rebuild: another root disk below the same machine. Pure.

The new disk is made and verified before the guest is stopped; one new definition swaps both, and only then the old one
is deleted. Until the end the record names both volumes, so that neither is lost, nor left over, by a run that is killed.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .._errors import ConflictError, SpecError
from .._spec import action as actions
from .._spec.action import ActionSpec
from .._spec.machine import Disk
from .._spec.record import Begun, InstanceRecord, OwnedDisk
from . import intent as steps
from .existing import Existing
from .intent import Base, Findings, Intent, NewDisk, delete, make_plan, refuse_saved_memory, start, stop
from .plan import RECREATE, Action, Change
from .refusals import refuse_strays

_GIB = 1024**3
_NEXT = "next"
_OLD = "old"
_VOLUME_NAME = re.compile(r"(?P<stem>.+?)(\.(?P<number>[0-9]+))?(?P<suffix>\.(qcow2|raw))?")


def rebuild_image(spec: ActionSpec, record: InstanceRecord) -> str | None:
    """Return the image that the new disk is still to be made from; None where the new disk is in its place."""
    if _is_swapped(record):
        return None
    begun = record.begun
    image = spec.image or (begun.image if begun and begun.action == actions.REBUILD else None) or record.image
    if image is None:
        raise SpecError("image", f"instance {spec.name} was made from none", "name the image to rebuild it from")
    return image


def plan_rebuild(spec: ActionSpec, record: InstanceRecord, existing: Existing, findings: Findings) -> Intent:
    """Return what gives the instance a new root disk; an interrupted run's is finished instead of made again."""
    if record.protected:
        raise ConflictError(
            f"Instance {spec.name} is protected; declare it with protected: false before rebuilding it."
        )
    if _is_swapped(record):
        return _finish(spec, record, existing)
    refuse_saved_memory(spec, existing)
    root = _root(spec, record, existing, findings)
    if findings.image is None:
        raise SpecError("image", "none was found", "name an image that is published")
    new = _new_root(spec, record, findings, findings.image, root)
    return _swap(spec, record, existing, new)


def next_volume_name(present: str, taken: frozenset[str]) -> str:
    """Return a free name for the volume that follows ``present``: a number before the suffix tells them apart."""
    parts = _VOLUME_NAME.fullmatch(present)
    stem, number, suffix = parts.group("stem", "number", "suffix") if parts else (present, None, None)
    following = int(number or 1) + 1
    while (name := f"{stem}.{following}{suffix or ''}") in taken:
        following += 1
    return name


def _is_swapped(record: InstanceRecord) -> bool:
    is_begun = record.begun is not None and record.begun.action == actions.REBUILD
    return is_begun and _part(record, _NEXT) is None


def _part(record: InstanceRecord, part: str) -> OwnedDisk | None:
    """Return the volume that waits to get into the root disk's place, or to be deleted."""
    target = _key(record, part)
    return next((disk for disk in record.disks if disk.target == target), None)


def _key(record: InstanceRecord, part: str) -> str:
    return f"{record.disks[0].target}.{part}" if record.disks else part


def _root(spec: ActionSpec, record: InstanceRecord, existing: Existing, findings: Findings) -> Disk:
    own = record.root
    root = next((disk for disk in existing.machine.disks if own is not None and disk.target == own.target), None)
    if own is None or root is None:
        raise ConflictError(f"Instance {spec.name} has no root disk that was made for it; there is nothing to rebuild.")
    if findings.pool != own.pool:
        raise SpecError(
            "pool", f"the root disk of {spec.name} is in pool {own.pool}", f"give pool: {own.pool}, or none"
        )
    refuse_strays(spec.name, replace(existing, disks=tuple(d for d in existing.disks if d.target == own.target)))
    if findings.has_snapshots:
        raise ConflictError(f"Instance {spec.name} has snapshots, which a rebuild would lose; delete them first.")
    return root


def _new_root(spec: ActionSpec, record: InstanceRecord, findings: Findings, image: Base, root: Disk) -> NewDisk:
    size = record.disk_gb * _GIB
    if 0 < size < image.size_bytes:
        raise SpecError(
            "image",
            f"{image.name} needs a disk of {-(-image.size_bytes // _GIB)} GiB and instance {spec.name} has"
            f" {record.disk_gb} GiB",
            "take a smaller image, or declare a larger flavor.disk_gb first",
        )
    begun = _part(record, _NEXT)
    volume = begun.volume if begun else next_volume_name(record.disks[0].volume, findings.taken)
    own = OwnedDisk(_key(record, _NEXT), record.disks[0].pool, volume)
    return NewDisk(own, root, image, max(size, image.size_bytes))


def _swap(spec: ActionSpec, record: InstanceRecord, existing: Existing, new: NewDisk) -> Intent:
    image, old = new.image, record.disks[0]
    running = record.begun.running if record.begun else existing.active
    others = tuple(disk for disk in record.disks[1:] if disk.target != new.own.target)
    begin = replace(
        record,
        begun=Begun(actions.REBUILD, running, image.name, image.digest),
        disks=(old, *others, new.own),
    )
    root = replace(new.own, target=old.target)
    retired = replace(old, target=_key(record, _OLD))
    built = replace(record, image=image.name, image_digest=image.digest, begun=None, disks=(root, *others))
    todo = (
        Action(steps.CREATE_DISK, f"{spec.name}/{new.own.target}"),
        *stop(spec, existing),
        Action(steps.REPLACE_DISK, f"{spec.name}/{old.target}", _swap_changes(record, new)),
        *(replace(step, changes=()) for step in delete(spec, retired.target, old, existing)),
        *(start(spec, existing) if running else ()),
    )
    return Intent(
        make_plan(spec, todo, record),
        runs=running,
        begin=begin,
        switched=replace(built, begun=begin.begun, disks=(root, *others, retired)),
        finished=built,
        abandoned=replace(record, begun=None, disks=(old, *others)),
        volumes={new.own.target: new.own, retired.target: retired},
        new=new,
    )


def _swap_changes(record: InstanceRecord, new: NewDisk) -> tuple[Change, ...]:
    old = record.disks[0]
    pairs = (
        (f"disks[{old.target}].volume", old.volume, new.own.volume),
        ("image", record.image, new.image.name),
        ("image_digest", record.image_digest, new.image.digest),
    )
    return tuple(Change(path, before, after, RECREATE) for path, before, after in pairs if before != after)


def _finish(spec: ActionSpec, record: InstanceRecord, existing: Existing) -> Intent:
    if spec.image not in (None, record.image):
        raise ConflictError(
            f"A rebuild of instance {spec.name} with image {record.image} was interrupted; run it again with that image, or"
            f" with none, before it can be rebuilt with {spec.image}."
        )
    old = _part(record, _OLD)
    running = record.begun is not None and record.begun.running
    todo = delete(spec, old.target, old, existing) if old else ()
    if running and not existing.active:
        todo += start(spec, existing)
    others = tuple(disk for disk in record.disks if disk is not old)
    return Intent(
        make_plan(spec, todo, record),
        runs=running or existing.active,
        finished=replace(record, begun=None, disks=others),
        volumes={old.target: old} if old else {},
    )
