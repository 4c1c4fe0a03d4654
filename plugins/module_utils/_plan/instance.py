# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide what an instance needs: declared and found in, an ordered plan out. Nothing here talks to libvirt."""

from __future__ import annotations

import typing as t

from .._errors import ConflictError
from .._spec.instance import InstanceSpec
from .._spec.machine import Machine
from .._spec.record import InstanceRecord
from .existing import Existing
from .machine import differences
from .plan import LIVE, NEXT_BOOT, Action, Change, Plan
from .refusals import check_ours, refuse_changes, refuse_strays

DEFINE = "define"
UPDATE = "update"
CREATE_DISK = "create_disk"
GROW_DISK = "grow_disk"
START = "start"
RESUME = "resume"
STOP = "stop"
DELETE_DISK = "delete_disk"
DELETE_LOG = "delete_console_log"
UNDEFINE = "undefine"

_GIB = 1024**3
_DIFFERS_WHILE_RUNNING = frozenset({"current_memory_mb", "cpu.mode", "cpu.model", "os.firmware"})
"""What a guest shows otherwise than its definition has it: the balloon's size, and what libvirt has chosen in detail."""


def plan_present(spec: InstanceSpec, desired: Machine, existing: Existing | None) -> Plan:
    """Return what makes the instance as declared."""
    resource = f"instance {spec.name}"
    if existing is None:
        return Plan(resource, _creation(spec, desired))
    record = check_ours(spec.name, spec.fleet, existing)
    refuse_changes(spec, desired, record, existing)
    actions = [
        Action(CREATE_DISK, f"{spec.name}/{disk.target}", (Change(f"disks[{disk.target}].volume", None, disk.volume),))
        for disk in existing.disks
        if disk.missing
    ]
    growth = _growth(spec, record, existing)
    changes = differences(desired, existing.machine) + _record_changes(spec, record)
    if spec.flavor.disk_gb != record.disk_gb and not growth:
        changes += (Change("disk_gb", record.disk_gb, spec.flavor.disk_gb, LIVE),)
    if changes or growth:
        effect = tuple(change if existing.keeps_hardware else _at_once(change) for change in changes)
        actions.append(Action(UPDATE, spec.name, effect))
    return Plan(resource, (*actions, *growth, *_power(spec, existing)))


def _growth(spec: InstanceSpec, record: InstanceRecord, existing: Existing) -> tuple[Action, ...]:
    wanted = spec.flavor.disk_gb
    for disk in existing.disks[:1]:
        grows = wanted > record.disk_gb if disk.capacity_bytes is None else wanted * _GIB > disk.capacity_bytes
        if grows and not disk.missing:
            change = Change("disk_gb", record.disk_gb, wanted, LIVE)
            return (Action(GROW_DISK, f"{spec.name}/{disk.target}", (change,)),)
    return ()


def plan_absent(name: str, fleet: str | None, existing: Existing | None) -> Plan:
    """Return what removes the instance: only disks that were created for it are deleted."""
    resource = f"instance {name}"
    if existing is None:
        return Plan(resource)
    record = check_ours(name, fleet, existing)
    if record.protected:
        raise ConflictError(f"Instance {name} is protected; declare it with protected: false before removing it.")
    refuse_strays(name, existing)
    actions = []
    if existing.active:
        actions.append(Action(STOP, name, (Change("power_state", "running", None),)))
    for disk in existing.disks:
        if not disk.missing:
            gone = Change(f"disks[{disk.target}].volume", disk.volume, None)
            actions.append(Action(DELETE_DISK, f"{name}/{disk.target}", (gone,)))
    if any(serial.log for serial in existing.machine.serials):
        actions.append(Action(DELETE_LOG, name))
    actions.append(Action(UNDEFINE, name, (Change("instance", name, None),)))
    return Plan(resource, tuple(actions))


def waiting_for_boot(desired: Machine, existing: Existing, plan: Plan) -> tuple[str, ...]:
    """Return what of the guest, running or with its memory saved, is not yet as declared: the paths, sorted."""
    if not existing.keeps_hardware:
        return ()
    planned = {change.path for change in plan.changes if change.effect == NEXT_BOOT}
    stale = {change.path for change in differences(desired, existing.live)} if existing.live else set()
    return tuple(sorted((planned | stale) - _DIFFERS_WHILE_RUNNING))


def _creation(spec: InstanceSpec, desired: Machine) -> tuple[Action, ...]:
    shown: list[tuple[str, t.Any]] = [
        ("flavor", spec.flavor.name),
        ("vcpus", spec.flavor.vcpus),
        ("memory_mb", spec.flavor.memory_mb),
        ("disk_gb", spec.flavor.disk_gb),
        ("image", spec.image),
        ("virt_type", desired.type),
        *((f"nics[{nic.mac}]", nic.source or nic.type) for nic in desired.nics),
    ]
    changes = tuple(Change(path, None, value) for path, value in shown)
    actions = [Action(DEFINE, spec.name, (Change("instance", None, spec.name), *changes))]
    for disk in desired.record.disks if desired.record else ():
        made = Change(f"disks[{disk.target}].volume", None, disk.volume)
        actions.append(Action(CREATE_DISK, f"{spec.name}/{disk.target}", (made,)))
    if spec.power_state == "running":
        actions.append(Action(START, spec.name, (Change("power_state", None, "running"),)))
    return tuple(actions)


def _power(spec: InstanceSpec, existing: Existing) -> tuple[Action, ...]:
    if spec.power_state == "running" and not existing.active:
        return (Action(START, spec.name, (Change("power_state", "stopped", "running"),)),)
    if spec.power_state == "running" and existing.state == "paused":
        return (Action(RESUME, spec.name, (Change("power_state", "paused", "running"),)),)
    if spec.power_state == "stopped" and existing.active:
        return (Action(STOP, spec.name, (Change("power_state", "running", "stopped"),)),)
    return ()


def _record_changes(spec: InstanceSpec, record: InstanceRecord) -> tuple[Change, ...]:
    pairs = (
        ("flavor", record.flavor, spec.flavor.name),
        ("metadata", dict(record.labels), dict(spec.metadata)),
        ("protected", record.protected, spec.protected),
    )
    return tuple(Change(path, before, after, LIVE) for path, before, after in pairs if before != after)


def _at_once(change: Change) -> Change:
    return Change(change.path, change.before, change.after, LIVE)
