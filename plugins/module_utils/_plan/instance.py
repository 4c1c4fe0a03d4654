# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide what an instance needs: declared and found in, an ordered plan out. Nothing here talks to libvirt."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ConflictError, SpecError
from .._spec.instance import InstanceSpec
from .._spec.machine import Machine
from .._spec.record import InstanceRecord
from .machine import differences
from .plan import LIVE, NEXT_BOOT, Action, Change, Plan

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


@dataclass(frozen=True)
class Existing:
    """An instance found on the host: its persistent definition and how it is now."""

    machine: Machine
    state: str
    active: bool
    missing_disks: frozenset[str] = frozenset()
    """Targets of its own disks whose volume is not there: a run was interrupted before it made them."""
    live_max_vcpus: int | None = None
    live_max_memory_kib: int | None = None

    @property
    def record(self) -> InstanceRecord | None:
        """Return what the collection wrote into the domain, None if it is not ours."""
        return self.machine.record


def check_ours(name: str, fleet: str | None, existing: Existing) -> InstanceRecord:
    """Return the record of ``existing`` or refuse it: not ours, or of another fleet."""
    record = existing.record
    if record is None:
        raise ConflictError(
            f"A domain called {name} is on this host that kilonova.compute did not create; it is not touched."
            " Take another name or remove that domain."
        )
    if record.fleet != fleet:
        raise ConflictError(
            f"Instance {name} on this host belongs to {_fleet(record.fleet)}, not to {_fleet(fleet)};"
            " it is not touched. Take another name or give the fleet it belongs to."
        )
    return record


def plan_present(spec: InstanceSpec, desired: Machine, existing: Existing | None) -> Plan:
    """Return what makes the instance as declared."""
    resource = f"instance {spec.name}"
    if existing is None:
        return Plan(resource, _creation(spec, desired))
    record = check_ours(spec.name, spec.fleet, existing)
    _refuse_what_needs_rebuild(spec, desired, record, existing)
    actions = [
        Action(CREATE_DISK, f"{spec.name}/{disk.target}", (Change(f"disks[{disk.target}].volume", None, disk.volume),))
        for disk in record.disks
        if disk.target in existing.missing_disks
    ]
    grows = bool(record.disks) and spec.flavor.disk_gb > record.disk_gb
    if grows and not existing.missing_disks:
        grown = Change("disk_gb", record.disk_gb, spec.flavor.disk_gb, LIVE)
        actions.append(Action(GROW_DISK, f"{spec.name}/{record.disks[0].target}", (grown,)))
    changes = differences(desired, existing.machine) + _record_changes(spec, record)
    if changes or grows:
        # The record is rewritten last, so that an interrupted growth is seen and finished by the next run.
        effect = tuple(change if existing.active else _at_once(change) for change in changes)
        actions.append(Action(UPDATE, spec.name, effect))
    return Plan(resource, (*actions, *_power(spec, existing)))


def plan_absent(name: str, fleet: str | None, existing: Existing | None) -> Plan:
    """Return what removes the instance: only disks that were created for it are deleted."""
    resource = f"instance {name}"
    if existing is None:
        return Plan(resource)
    record = check_ours(name, fleet, existing)
    if record.protected:
        raise ConflictError(f"Instance {name} is protected; declare it with protected: false before removing it.")
    actions = []
    if existing.active:
        actions.append(Action(STOP, name, (Change("power_state", "running", "stopped"),)))
    for disk in record.disks:
        if disk.target not in existing.missing_disks:
            gone = Change(f"disks[{disk.target}].volume", disk.volume, None)
            actions.append(Action(DELETE_DISK, f"{name}/{disk.target}", (gone,)))
    if any(serial.log for serial in existing.machine.serials):
        actions.append(Action(DELETE_LOG, name))
    actions.append(Action(UNDEFINE, name, (Change("instance", name, None),)))
    return Plan(resource, tuple(actions))


def restart_required(desired: Machine, existing: Existing, plan: Plan) -> bool:
    """Tell whether the running guest still differs from its persistent definition as declared."""
    if not existing.active:
        return False
    if any(change.effect == NEXT_BOOT for change in plan.changes):
        return True
    stale_cpus = existing.live_max_vcpus is not None and existing.live_max_vcpus != desired.vcpus
    stale_memory = existing.live_max_memory_kib is not None and existing.live_max_memory_kib != desired.memory_kib
    return stale_cpus or stale_memory


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


def _refuse_what_needs_rebuild(
    spec: InstanceSpec, desired: Machine, record: InstanceRecord, existing: Existing
) -> None:
    if spec.image != record.image:
        raise SpecError(
            "image",
            f"instance {spec.name} was made from {record.image or 'no image'}, not from {spec.image or 'no image'}",
            "remove the instance and create it anew to change its image",
        )
    if spec.flavor.disk_gb < record.disk_gb:
        raise SpecError(
            "flavor.disk_gb",
            f"the disk of instance {spec.name} has {record.disk_gb} GiB and would shrink to {spec.flavor.disk_gb} GiB,"
            " which destroys data",
            f"declare at least {record.disk_gb}",
        )
    target = record.disks[0].target if record.disks else None
    root = next((disk for disk in existing.machine.disks if disk.target == target), None)
    boot = existing.machine.os
    for option, declared, present in (
        ("disk_bus", spec.disk_bus, root and root.bus),
        ("disk_format", spec.disk_format, root and root.format),
        ("machine_type", desired.os.machine, boot.machine),
        ("arch", desired.os.arch, boot.arch),
    ):
        if present is not None and declared != present:
            raise SpecError(
                option,
                f"instance {spec.name} was made with {present} and can't become {declared} in place",
                f"declare {present}, or remove the instance and create it anew",
            )


def _fleet(fleet: str | None) -> str:
    return "no fleet" if fleet is None else f"fleet {fleet}"
