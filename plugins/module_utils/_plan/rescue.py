# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Rescue: the same machine, booted from a disk of another image; and the way back. Pure.

The disk is made while the guest still runs; only then it is stopped, and one new definition holds the disk, the boot
order and the record. The way back is one definition too, after which nothing leads to the disk, which is then deleted.
"""

from __future__ import annotations

import string
import typing as t
from dataclasses import replace

from .._errors import ConflictError, SpecError
from .._spec import action as actions
from .._spec.action import ActionSpec
from .._spec.machine import Disk, Machine
from .._spec.record import Begun, InstanceRecord, OwnedDisk, Rescue
from . import intent as steps
from .existing import Existing
from .intent import Findings, Intent, NewDisk, delete, done, make_plan, refuse_saved_memory, start, stop
from .plan import POWER_CYCLE, Action, Change
from .refusals import refuse_strays

_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd"}


def rescue_image(spec: ActionSpec, record: InstanceRecord) -> str | None:
    """Return the image that a rescue disk is still to be made from; None where it is there."""
    if _is_rescued(record):
        return None
    image = spec.image or record.image
    if image is None:
        raise SpecError("image", f"instance {spec.name} was made from none", "name the image to rescue it with")
    return image


def plan_rescue(spec: ActionSpec, record: InstanceRecord, existing: Existing, findings: Findings) -> Intent:
    """Return what boots the instance from a rescue disk; one that is rescued is only started where it is off."""
    if _is_rescued(record):
        return _continue_rescue(spec, record, existing)
    refuse_saved_memory(spec, existing)
    new = _rescue_disk(spec, record, existing, findings)
    own, image = new.own, new.image
    others = tuple(disk for disk in record.disks if disk.target != own.target)
    running = record.begun.running if record.begun else existing.active
    begin = replace(
        record,
        begun=Begun(actions.RESCUE, running, image.name, image.digest, own.target),
        rescue=None,
        disks=(*others, own),
    )
    boot_devices = existing.machine.os.boot_devices
    rescue = Rescue(own.target, image.name, image.digest, boot_devices, findings.controllers)
    rescued = replace(begin, rescue=rescue)
    made = Change(f"disks[{own.target}].volume", None, own.volume, POWER_CYCLE)
    todo = (
        Action(steps.CREATE_DISK, f"{spec.name}/{own.target}", (made,)),
        *stop(spec, existing),
        Action(steps.RESCUE, spec.name, (Change("rescue.image", None, image.name, POWER_CYCLE),)),
        *start(spec, existing),
    )
    return Intent(
        make_plan(spec, todo, record),
        runs=True,
        begin=begin,
        switched=rescued,
        finished=replace(rescued, begun=None),
        abandoned=replace(record, begun=None, rescue=None, disks=others),
        volumes={own.target: own},
        new=new,
    )


def plan_unrescue(spec: ActionSpec, record: InstanceRecord, existing: Existing, unused_findings: Findings) -> Intent:
    """Return what boots the instance from its own disks again, and deletes the rescue disk."""
    begun = record.begun.action if record.begun else None
    rescue = record.rescue
    if rescue is None and begun != actions.RESCUE:
        return Intent(make_plan(spec, (), replace(record, begun=None)), runs=existing.active)
    refuse_saved_memory(spec, existing)
    target = rescue.target if rescue else record.begun.target if record.begun else None
    own = next((disk for disk in record.disks if disk.target == target), None)
    is_back = rescue is None or begun == actions.UNRESCUE
    halt = stop(spec, existing) if not is_back or _live_has(existing, target) else ()
    todo = halt
    if not is_back and rescue is not None:
        todo += (Action(steps.UNRESCUE, spec.name, (Change("rescue.image", rescue.image, None, POWER_CYCLE),)),)
    if own is not None:
        refuse_strays(spec.name, replace(existing, disks=tuple(d for d in existing.disks if d.target == target)))
        todo += delete(spec, own.target, own, existing)
    runs = rescue is not None or (record.begun is not None and record.begun.running)
    if runs and (halt or not existing.active):
        todo += start(spec, existing)
    others = tuple(disk for disk in record.disks if disk.target != target)
    return Intent(
        make_plan(spec, todo, record),
        runs=runs or existing.active,
        switched=replace(record, begun=Begun(actions.UNRESCUE, running=True)),
        finished=replace(record, begun=None, rescue=None, disks=others),
        volumes={own.target: own} if own else {},
    )


def _is_rescued(record: InstanceRecord) -> bool:
    return record.rescue is not None and (record.begun is None or record.begun.action != actions.UNRESCUE)


def _continue_rescue(spec: ActionSpec, record: InstanceRecord, existing: Existing) -> Intent:
    rescue = record.rescue
    if rescue is not None and spec.image not in (None, rescue.image):
        raise ConflictError(
            f"Instance {spec.name} is rescued with image {rescue.image} already; run action unrescue before it can be"
            f" rescued with {spec.image}."
        )
    todo: tuple[Action, ...] = ()
    if existing.active and rescue is not None and not _live_has(existing, rescue.target):
        todo += (*stop(spec, existing), *start(spec, existing))
    elif not existing.active:
        todo += start(spec, existing)
    plan = make_plan(spec, todo, record)
    return Intent(plan, runs=True, finished=done(record))


def _rescue_disk(spec: ActionSpec, record: InstanceRecord, existing: Existing, findings: Findings) -> NewDisk:
    image = findings.image
    if image is None:
        raise SpecError("image", "none was found", "name an image that is published")
    root = _boot_disk(record, existing.machine)
    leftover = _leftover(record)
    form = "raw" if findings.is_block else "qcow2"
    name = f"{spec.name}-rescue.{form}"
    if leftover is not None and leftover.pool != findings.pool:
        raise SpecError("pool", f"an interrupted rescue left its disk in pool {leftover.pool}", "name that pool")
    if leftover is None and name in findings.taken:
        raise ConflictError(
            f"Volume {name} is in pool {findings.pool} already and belongs to no instance; it is not touched. Remove or"
            " rename it first."
        )
    target = leftover.target if leftover else _free_target(root.bus or "virtio", existing.machine, record)
    own = OwnedDisk(target, findings.pool, leftover.volume if leftover else name)
    disk = Disk(
        target=target,
        bus=root.bus,
        format=form,
        cache=root.cache,
        discard=root.discard,
        boot_order=1,
        type="block" if findings.is_block else "file",
    )
    return NewDisk(own, disk, image, image.size_bytes)


def _boot_disk(record: InstanceRecord, machine: Machine) -> Disk:
    """Return the disk that the guest has its drivers for: its root disk, or else the first of any."""
    target = record.root.target if record.root else None
    disks = [disk for disk in machine.disks if disk.device == "disk"]
    first = disks[0] if disks else Disk("", "virtio")
    return next((disk for disk in disks if disk.target == target), first)


def _free_target(bus: str, machine: Machine, record: InstanceRecord) -> str:
    taken = {disk.target for disk in machine.disks} | {own.target for own in record.volumes}
    names = (f"{_PREFIXES.get(bus, 'vd')}{letter}" for letter in string.ascii_lowercase)
    free = next((name for name in names if name not in taken), None)
    if free is None:
        raise ConflictError(f"Instance {machine.name} has no free place for another {bus} disk; take one out first.")
    return free


def _leftover(record: InstanceRecord) -> OwnedDisk | None:
    """Return the rescue disk that an interrupted run left and that no definition leads to."""
    if record.begun is None or record.begun.action not in (actions.RESCUE, actions.UNRESCUE):
        return None
    target = record.rescue.target if record.rescue else record.begun.target
    return next((disk for disk in record.disks if disk.target == target), None)


def _live_has(existing: Existing, target: str | None) -> bool:
    disks: t.Iterable[Disk] = existing.live.disks if existing.live else ()
    return any(disk.target == target for disk in disks)
