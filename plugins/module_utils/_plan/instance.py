# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide what an instance needs: declared and found in, an ordered plan out. Nothing here talks to libvirt."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ConflictError
from .._spec.instance import InstanceSpec
from .._spec.machine import Machine
from .._spec.names import is_console_log
from .._spec.port_filter import guards_in_words
from .._spec.record import InstanceRecord
from .drift import FIRST_BOOT, LIMIT_CPU, LIMIT_DISK, SET_MEMORY, UPDATE_DEVICE, Drift, find_drift
from .existing import Existing, OwnDisk
from .fixed_ip import released, reserved
from .memory import most_memory_kib
from .plan import LIVE, POWER_CYCLE, Action, Change, Plan
from .power import (
    PAUSED,
    RESUME,
    RUNNING,
    START,
    START_PAUSED,
    STOP,
    STOPPED,
    SUSPEND,
    WAKE,
    power_state_of,
    power_verbs,
)
from .refusals import (
    check_ours,
    refuse_changes,
    refuse_in_between,
    refuse_layers,
    refuse_moving,
    refuse_strays,
    refuse_stuck_growth,
    refuse_to_suspend,
)
from .removals import is_behind

DEFINE = "define"
UPDATE = "update"
CREATE_DISK = "create_disk"
GROW_DISK = "grow_disk"
WRITE_SEED = "write_seed"
RETIRE_SEED = "retire_seed"
SET_AUTOSTART = "set_autostart"
DELETE_DISK = "delete_disk"
DELETE_LOG = "delete_console_log"
UNDEFINE = "undefine"

_GIB = 1024**3
_KIB_PER_MIB = 1024
_FIRST = {RUNNING: START, PAUSED: START_PAUSED}
_WAKING = (RESUME, WAKE)
_LIVE_FIRST = (SET_MEMORY, LIMIT_CPU, LIMIT_DISK, UPDATE_DEVICE)
"""Steps that a host may refuse; where it does, the definition, which the next boot needs, shall not be written yet."""


class Outlook(t.NamedTuple):
    """What a plan leaves to the next boot of a running or suspended guest: the paths, sorted."""

    plan: Plan
    waiting: tuple[str, ...] = ()


class Manner(t.NamedTuple):
    """How the plan is made: whether a guest may be powered off and on, and which patches are not in effect yet."""

    allow_power_cycle: bool = False
    patches: tuple[str, ...] = ()
    """Paths of those that change the definition."""
    waiting_patches: tuple[str, ...] = ()
    """Paths of those that the running guest has not."""
    has_root_disk: bool = False
    """Whether the root disk of a new instance is there."""


GENTLE = Manner()


def plan_present(spec: InstanceSpec, desired: Machine, existing: Existing | None, manner: Manner = GENTLE) -> Outlook:
    """Return what makes the instance as declared."""
    if existing is None:
        return Outlook(Plan(f"instance {spec.name}", _creation(spec, desired, manner.has_root_disk)))
    record = check_ours(spec.name, spec.fleet, existing, adopt=spec.adopt)
    refuse_changes(spec, desired, record, existing)
    wanted = spec.power_state or (None if record.adopted or record.shelved else RUNNING)
    verbs = power_verbs(spec.name, existing, wanted)
    drift = (*find_drift(spec, desired, existing, answers=_answers(existing, wanted)), *_patched(existing, manner))
    if wanted == STOPPED:
        drift = tuple(one.without_guest() for one in drift)
    elif existing.saved and wanted not in _FIRST:
        drift = tuple(replace(one, step=None) for one in drift)
    waiting = _waiting(drift)
    cycles = bool(waiting) and manner.allow_power_cycle and existing.keeps_hardware and wanted == RUNNING
    changes = _Changes(drift, existing.keeps_hardware and wanted != STOPPED, cycles)
    powers = _powers(spec.name, verbs, Change("power_state", power_state_of(existing), wanted, LIVE))
    # A guest that sleeps or is paused could not let go of a device, and one whose memory is saved not take one.
    waking = (*_WAKING, *_FIRST.values()) if existing.saved else _WAKING
    actions = (
        *(action for action in powers if action.verb in waking),
        *changes.steps(spec.name, lambda verb: verb in _LIVE_FIRST),
        *released(spec.name, record, existing.reservations, desired.record.fixed_ips if desired.record else ()),
        *_seed(spec.name, existing, drift),
        *_definition(spec, desired, record, _with_listener(existing, wanted), changes),
        *reserved(spec, desired.record, existing.reservations),
        *_missing(spec.name, desired, existing),
        *_growth(spec, record, existing),
        *changes.steps(spec.name, lambda verb: verb not in _LIVE_FIRST),
        *_autostart(spec, existing),
        *changes.cycle(spec.name),
        *(action for action in powers if action.verb not in waking),
        *_old_seeds(spec.name, existing, drift, stays=existing.keeps_hardware and wanted != STOPPED and not cycles),
    )
    if actions:
        refuse_in_between(spec.name, record, wanted)
    if existing.live and SUSPEND in verbs:
        refuse_to_suspend(spec.name, existing.live, actions)
    return Outlook(Plan(f"instance {spec.name}", actions), () if cycles else waiting)


class _Changes:
    """The differences, each told once: by the step that mends it, or by the definition or the power cycle."""

    def __init__(self, drift: tuple[Drift, ...], keeps_hardware: bool, cycles: bool) -> None:
        self._drift = drift
        self._keeps_hardware = keeps_hardware
        self._cycles = cycles

    def of_definition(self) -> tuple[Change, ...]:
        """Return the changes that the new definition is enough for, now or at the next boot."""
        told = (one for one in self._drift if one.in_definition and one.step is None and not self._is_cycled(one))
        return tuple(one.as_change(self._keeps_hardware) for one in told)

    @property
    def need_definition(self) -> bool:
        """Tell whether the definition is not as declared."""
        return any(one.in_definition for one in self._drift)

    def steps(self, name: str, wanted: t.Callable[[str], bool]) -> t.Iterator[Action]:
        """Give one action for each step in a running guest, with all changes it makes."""
        grouped: dict[t.Any, list[Change]] = {}
        for one in self._drift:
            if one.step is not None and wanted(one.step.verb):
                grouped.setdefault(one.step, []).append(one.as_change(self._keeps_hardware))
        for step, changes in grouped.items():
            yield Action(step.verb, f"{name}/{step.device}" if step.device else name, tuple(changes))

    def cycle(self, name: str) -> tuple[Action, ...]:
        """Return the power cycle with the changes that need it."""
        if not self._cycles:
            return ()
        changes = tuple(
            Change(one.path, one.before, one.after, POWER_CYCLE) for one in self._drift if self._is_cycled(one)
        )
        return Action(STOP, name, changes), Action(START, name)

    def _is_cycled(self, one: Drift) -> bool:
        return self._cycles and one.waits


def _patched(existing: Existing, manner: Manner) -> t.Iterator[Drift]:
    is_known = existing.live is not None
    in_guest = bool(manner.waiting_patches) if is_known else existing.saved and bool(manner.patches)
    if manner.patches or in_guest:
        shown = list(manner.patches or manner.waiting_patches)
        yield Drift("xml_patch", None, shown, bool(manner.patches), in_guest)


def _waiting(drift: tuple[Drift, ...]) -> tuple[str, ...]:
    """Return the paths that wait for the next boot; that more than the headroom is asked for says it all."""
    paths = {one.path for one in drift if one.waits}
    return tuple(sorted(path for path in paths if path.partition("max_")[2] not in paths))


def _answers(existing: Existing, wanted: str | None) -> bool:
    """Tell whether the guest's CPUs run while it is changed."""
    return power_state_of(existing) == RUNNING or wanted == RUNNING


def _powers(name: str, verbs: tuple[str, ...], change: Change) -> tuple[Action, ...]:
    """Return the steps from one power state to another; the last of them makes the change."""
    return tuple(Action(verb, name, (change,) if verb == verbs[-1] else ()) for verb in verbs)


def _with_listener(existing: Existing, wanted: str | None) -> Existing:
    """Return the instance without its guest where that can't be told of a new record, or will not be there afterwards."""
    listens = (existing.active and wanted != STOPPED) or (existing.saved and wanted in _FIRST)
    return existing if listens else replace(existing, live=None)


def _definition(
    spec: InstanceSpec, desired: Machine, record: InstanceRecord, existing: Existing, changes: _Changes
) -> tuple[Action, ...]:
    new = desired.record or record
    guest = existing.live.record if existing.live else None
    told = (*changes.of_definition(), *_record_changes(spec, new, record, existing))
    # The digest alone is no reason to write: it also changes with what makes no difference here.
    is_old = replace(record, spec_digest=new.spec_digest) != new or (guest is not None and is_behind(guest, new))
    if told or changes.need_definition or is_old:
        return (Action(UPDATE, spec.name, told),)
    return ()


def _record_changes(
    spec: InstanceSpec, new: InstanceRecord, record: InstanceRecord, existing: Existing
) -> tuple[Change, ...]:
    if existing.record is None:
        return (Change("managed", False, True, LIVE),)
    pairs: list[tuple[str, t.Any, t.Any]] = [
        ("flavor", record.flavor, new.flavor),
        ("metadata", dict(record.labels), dict(new.labels)),
        ("protected", record.protected, new.protected),
        ("group", record.group, new.group),
        ("group_policy", record.group_policy, new.group_policy),
    ]
    if not any(disk.is_root for disk, _size, _path in _sizes(spec, record, existing)):
        pairs.append(("disk_gb", record.disk_gb, new.disk_gb))
    return tuple(Change(path, before, after, LIVE) for path, before, after in pairs if before != after)


def _seed(name: str, existing: Existing, drift: tuple[Drift, ...]) -> tuple[Action, ...]:
    """Have the new seed before the definition points to it."""
    is_new = any(one.path == FIRST_BOOT and one.in_definition for one in drift)
    return (Action(WRITE_SEED, name),) if is_new or existing.seed_missing else ()


def _old_seeds(name: str, existing: Existing, drift: tuple[Drift, ...], stays: bool) -> tuple[Action, ...]:
    """Remove seeds that no guest has any more; one that ``stays`` running keeps that of its boot."""
    is_replaced = any(one.path == FIRST_BOOT and one.in_definition and one.before is not None for one in drift)
    return (Action(RETIRE_SEED, name),) if existing.stale_seeds or (is_replaced and not stays) else ()


def _missing(name: str, desired: Machine, existing: Existing) -> t.Iterator[Action]:
    """Give the disks that an interrupted run left to be made, and those of newly declared volumes."""
    known = {(disk.pool, disk.volume): disk for disk in existing.disks}
    for owned in desired.record.disks if desired.record else ():
        found = known.get((owned.pool, owned.volume))
        if found is None or found.missing:
            yield Action(CREATE_DISK, f"{name}/{owned.target}", (_made(owned.target, owned.volume),))


def _made(target: str, volume: str) -> Change:
    return Change(f"disks[{target}].volume", None, volume)


def _sizes(spec: InstanceSpec, record: InstanceRecord, existing: Existing) -> t.Iterator[tuple[OwnDisk, int, str]]:
    """Give the disks that are smaller than declared, with the declared GiB and the path of the change."""
    wanted = {(volume.pool, volume.name): volume.size_gb for volume in spec.volumes or ()}
    for disk in existing.disks:
        if disk.is_root:
            size, path = (spec.flavor.disk_gb if spec.flavor else 0), "disk_gb"
        else:
            size = wanted.get((disk.pool, disk.volume)) or wanted.get((None, disk.volume)) or 0
            path = f"volumes[{disk.volume}].size_gb"
        present = record.disk_gb * _GIB if disk.capacity_bytes is None else disk.capacity_bytes
        if size * _GIB > present and not disk.missing and (disk.is_root or disk.capacity_bytes is not None):
            yield disk, size, path


def _growth(spec: InstanceSpec, record: InstanceRecord, existing: Existing) -> t.Iterator[Action]:
    for disk, size, path in _sizes(spec, record, existing):
        refuse_stuck_growth(spec.name, existing, disk, "flavor.disk_gb" if path == "disk_gb" else path)
        before = record.disk_gb if path == "disk_gb" else (disk.capacity_bytes or 0) // _GIB
        yield Action(GROW_DISK, f"{spec.name}/{disk.target}", (Change(path, before, size, LIVE),))


def _autostart(spec: InstanceSpec, existing: Existing) -> tuple[Action, ...]:
    if spec.autostart in (None, existing.autostart):
        return ()
    return (Action(SET_AUTOSTART, spec.name, (Change("autostart", existing.autostart, spec.autostart, LIVE),)),)


def plan_absent(
    name: str, fleet: str | None, existing: Existing | None, keep_disks: bool = False, forget: bool = False
) -> Plan:
    """Return what removes the instance: only disks that were created for it are deleted, and to ``forget`` it nothing is."""
    resource = f"instance {name}"
    if existing is None:
        return Plan(resource)
    record = check_ours(name, fleet, existing)
    if record.begun is not None and record.begun.shared:
        # Its disks may be those of the guest at the other host.
        refuse_moving(name, record)
    if record.protected and not forget:
        raise ConflictError(f"Instance {name} is protected; declare it with protected: false before removing it.")
    refuse_layers(name, record, existing, keep_disks)
    if not keep_disks:
        refuse_strays(name, existing)
    actions = []
    if existing.active:
        actions.append(Action(STOP, name, (Change("power_state", "running", None),)))
    for disk in existing.disks if not keep_disks else ():
        if disk.is_ours and not disk.missing:
            gone = Change(f"disks[{disk.target}].volume", disk.volume, None)
            actions.append(Action(DELETE_DISK, f"{name}/{disk.target}", (gone,)))
    if (record.seed is not None or existing.stale_seeds) and not forget:
        actions.append(Action(RETIRE_SEED, name))
    if not forget and any(serial.log and is_console_log(name, serial.log) for serial in existing.machine.serials):
        actions.append(Action(DELETE_LOG, name))
    actions += released(name, record, existing.reservations)
    actions.append(Action(UNDEFINE, name, (Change("instance", name, None),)))
    return Plan(resource, tuple(actions))


def _creation(spec: InstanceSpec, desired: Machine, has_root_disk: bool) -> tuple[Action, ...]:
    flavor = spec.flavor
    shown: list[tuple[str, t.Any]] = [
        ("flavor", flavor.name if flavor else None),
        ("vcpus", desired.current_vcpus),
        ("max_vcpus", desired.vcpus),
        ("memory_mb", flavor.memory_mb if flavor else None),
        ("max_memory_mb", most_memory_kib(desired) // _KIB_PER_MIB),
        ("disk_gb", flavor.disk_gb if flavor else None),
        ("image", spec.image),
        ("virt_type", desired.type),
        *((f"nics[{nic.mac}]", nic.source or nic.type) for nic in desired.nics),
        *(
            (f"nics[{nic.mac}].filter", guards_in_words(nic.filter, nic.filter_ip))
            for nic in desired.nics
            if nic.filter
        ),
    ]
    changes = tuple(Change(path, None, value) for path, value in shown)
    actions = [Action(DEFINE, spec.name, (Change("instance", None, spec.name), *changes))]
    actions += reserved(spec, desired.record, ())
    for disk in desired.record.disks if desired.record else ():
        if has_root_disk and desired.record and disk == desired.record.root:
            continue
        actions.append(Action(CREATE_DISK, f"{spec.name}/{disk.target}", (_made(disk.target, disk.volume),)))
    if desired.record and desired.record.seed:
        actions.append(Action(WRITE_SEED, spec.name, (Change(FIRST_BOOT, None, "declared"),)))
    if spec.autostart:
        actions.append(Action(SET_AUTOSTART, spec.name, (Change("autostart", None, True),)))
    if spec.power_state in _FIRST:
        actions.append(Action(_FIRST[spec.power_state], spec.name, (Change("power_state", None, spec.power_state),)))
    return tuple(actions)
