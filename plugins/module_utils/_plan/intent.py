# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What an action comes to: its steps, and what is written into the instance's record at which of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._errors import ConflictError
from .._spec.action import ActionSpec
from .._spec.machine import Disk
from .._spec.record import InstanceRecord, OwnedDisk
from .existing import Existing
from .plan import POWER_CYCLE, RECREATE, Action, Change, Plan

STOP = "stop"
START = "start"
POWER_OFF = "power_off"
DISCARD_MEMORY = "discard_memory"
RESET = "reset"
CREATE_DISK = "create_disk"
DELETE_DISK = "delete_disk"
REPLACE_DISK = "replace_disk"
RESCUE = "rescue"
UNRESCUE = "unrescue"
SHELVE = "shelve"
UNSHELVE = "unshelve"
FINISH = "finish"


@dataclass(frozen=True)
class Base:
    """The image that a new disk is made from."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True)
class Findings:
    """What an action wants to know beside the instance itself."""

    image: Base | None = None
    pool: str = ""
    """Where the image is and a new disk is made."""
    taken: frozenset[str] = frozenset()
    """Names of the volumes in that pool."""
    is_block: bool = False
    """That pool's volumes are block devices."""
    has_snapshots: bool = False
    controllers: tuple[str, ...] = ()


@dataclass(frozen=True)
class NewDisk:
    """A disk to be made: ``disk`` lacks its source, which the pool of ``own`` knows."""

    own: OwnedDisk
    disk: Disk
    image: Base
    size_bytes: int


@dataclass(frozen=True)
class Intent:
    """The plan of an action, and the record at its turns; None writes nothing."""

    plan: Plan
    runs: bool
    """Whether the guest runs at the end."""
    begin: InstanceRecord | None = None
    """Before the first step."""
    switched: InstanceRecord | None = None
    """With the step that can't be taken back: rescue, unrescue, replace_disk, shelve or unshelve."""
    finished: InstanceRecord | None = None
    """After the last step."""
    abandoned: InstanceRecord | None = None
    """When a step before the switch failed."""
    volumes: t.Mapping[str, OwnedDisk] = field(default_factory=dict)
    """What steps on disks are about, by the name in their target."""
    new: NewDisk | None = None


def make_plan(spec: ActionSpec, actions: t.Sequence[Action], record: InstanceRecord) -> Plan:
    """Return the plan of ``actions``; where all was done but the end of an interrupted run, that is the step."""
    if not actions and record.begun is not None:
        actions = (Action(FINISH, spec.name, (Change("begun", record.begun.action, None),)),)
    return Plan(f"instance {spec.name}", tuple(actions))


def power_of(existing: Existing) -> str:
    """Return Nova's word for the power state."""
    if not existing.active:
        return "suspended" if existing.saved else "stopped"
    return {"paused": "paused", "pmsuspended": "suspended", "crashed": "crashed"}.get(existing.state, "running")


def stop(spec: ActionSpec, existing: Existing, *changes: Change) -> tuple[Action, ...]:
    """Return the step that ends the guest, if there is one; ``changes`` are for where it stays off."""
    if not existing.active:
        return ()
    if existing.state == "crashed" and not spec.force:
        raise ConflictError(
            f"Instance {spec.name} has crashed and is kept for inspection (on_crash: preserve); give force: true to"
            f" {spec.action} it nevertheless."
        )
    return (Action(STOP, spec.name, changes),)


def start(spec: ActionSpec, existing: Existing) -> tuple[Action, ...]:
    """Return the step that starts the guest, again or anew."""
    return (Action(START, spec.name, (booted(existing),)),)


def booted(existing: Existing) -> Change:
    """Return what a boot changes in the user's terms."""
    before = power_of(existing)
    if before == "running":
        return Change("boot", "present", "new", POWER_CYCLE)
    return Change("power_state", before, "running", POWER_CYCLE)


def halted(existing: Existing) -> Change:
    """Return what being off changes in the user's terms."""
    return Change("power_state", power_of(existing), "stopped", POWER_CYCLE)


def delete(spec: ActionSpec, key: str, volume: OwnedDisk, existing: Existing) -> tuple[Action, ...]:
    """Return the step that deletes a volume of ours that was made for ``key``, unless it is gone."""
    found = next((disk for disk in existing.disks if disk.target == volume.target), None)
    if found is not None and found.missing:
        return ()
    gone = Change(f"disks[{key}].volume", volume.volume, None, RECREATE)
    return (Action(DELETE_DISK, f"{spec.name}/{key}", (gone,)),)


def done(record: InstanceRecord) -> InstanceRecord | None:
    """Return the record without what was begun; None where nothing was."""
    return None if record.begun is None else replace(record, begun=None)


def refuse_saved_memory(spec: ActionSpec, existing: Existing) -> None:
    """Refuse what boots the guest from another disk while memory is saved that belongs to this one."""
    if existing.saved and not existing.active:
        raise ConflictError(
            f"Instance {spec.name} is suspended, and {spec.action} would lose its saved memory; resume it first."
        )
