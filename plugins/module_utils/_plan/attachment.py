# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Attach a volume to an instance, or detach it: what is declared and found in, the steps out. Pure.

The instance's record is left alone: it says what ``compute_instance`` was told, which keeps off disks that others plugged,
and may declare one of them any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import ConflictError, SpecError
from .._spec.attachment import AttachmentSpec
from .._spec.machine import Disk
from .._spec.target import free_target
from .._spec.volume import StoredVolumeSpec
from .plan import Action, Change

ATTACH = "attach_volume"
DETACH = "detach_volume"


@dataclass(frozen=True)
class Member:
    """A domain, as far as it matters which of its disks lies on the volume."""

    name: str
    is_ours: bool = True
    is_active: bool = False
    is_running: bool = False
    """The guest's CPUs run, so that it can let go of a disk."""
    obstacle: str | None = None
    """In words that follow its name, why its disks are not to be changed now."""
    is_declared: bool = False
    """The volume is among those that its own declaration lists."""
    is_maker: bool = False
    """The volume was made for it, with a size that is declared there."""
    defined: Disk | None = None
    """Its disk on the volume, by the definition."""
    plugged: Disk | None = None
    """The same of the running guest."""
    targets: frozenset[str] = frozenset()
    scsi: bool = False
    """Disks can be plugged on bus scsi."""

    @property
    def has_it(self) -> bool:
        """Tell whether the volume is a disk of the definition, and of the guest where there is one."""
        return self.defined is not None and (self.plugged is not None or not self.is_active)

    @property
    def disk(self) -> Disk | None:
        """Return the disk, wherever it is."""
        return self.plugged or self.defined


@dataclass(frozen=True)
class AttachmentState:
    """Where a volume is a disk."""

    goal: Member | None = None
    """The declared instance."""
    holders: tuple[Member, ...] = ()
    """All other domains that have it."""
    others: tuple[str, ...] = ()
    """In words, who lies on it in another way."""


def plan_attachment(spec: StoredVolumeSpec, state: AttachmentState) -> t.Iterator[Action]:
    """Give what brings the volume where it shall be, or refuse it."""
    wanted, goal = spec.attachment, state.goal
    if wanted is None or goal is None:
        yield from _detachments(spec, state)
        return
    if goal.disk is not None:
        _refuse_other_disk(spec, wanted, goal, goal.disk)
    if goal.has_it:
        return
    users = [*(f"domain {holder.name}" for holder in state.holders), *state.others]
    if users:
        raise ConflictError(
            f"Option attached_to: volume {spec.name} of pool {spec.pool} is used by {', '.join(users)}, and two that write to"
            " it destroy its data; detach it there first.",
            {"option": "attached_to", "users": users},
        )
    _refuse_to_touch(goal)
    bus = wanted.bus or (goal.disk.bus if goal.disk else None) or "virtio"
    if bus == "scsi" and not goal.scsi:
        raise SpecError(
            "bus",
            f"instance {goal.name} has no virtio-scsi controller, and one can't be plugged",
            "take virtio, or declare a volume with bus: scsi in compute_instance first",
        )
    before = "partly" if goal.disk else None
    yield Action(ATTACH, f"{goal.name}/{spec.name}", (Change("volume.attached_to", before, goal.name),))


def new_disk(spec: StoredVolumeSpec, goal: Member, lies_on: Disk) -> Disk:
    """Return the disk to be attached: ``lies_on`` says what is known of the volume; what is there in part stays as it is."""
    wanted, there = spec.attachment or AttachmentSpec(), goal.disk
    bus = wanted.bus or (there.bus if there else None) or "virtio"
    return Disk(
        target=there.target if there else free_target(bus, goal.targets),
        bus=bus,
        source=lies_on.source,
        format=lies_on.format,
        type=lies_on.type,
        secret=lies_on.secret,
        remote=lies_on.remote,
        serial=wanted.serial or (there.serial if there else None) or wanted.serial_of(spec.name),
    )


def _detachments(spec: StoredVolumeSpec, state: AttachmentState) -> t.Iterator[Action]:
    if state.others:
        raise ConflictError(
            f"Option attached_to: volume {spec.name} of pool {spec.pool} can't be detached from {', '.join(state.others)},"
            " which lies on it through another volume; delete that first (compute_snapshot, state: absent).",
            {"option": "attached_to", "users": list(state.others)},
        )
    for holder in state.holders:
        if holder.is_declared:
            raise ConflictError(
                f"Option attached_to: volume {spec.name} is declared among the volumes of instance {holder.name}; leave it out"
                " there (compute_instance, volumes), which detaches it.",
                {"option": "attached_to"},
            )
        _refuse_to_touch(holder)
        if holder.plugged is not None and not holder.is_running:
            raise ConflictError(
                f"Option attached_to: the guest of instance {holder.name} does not run at the moment, and so can't let go of"
                f" volume {spec.name}; resume or stop it first.",
                {"option": "attached_to"},
            )
        yield Action(DETACH, f"{holder.name}/{spec.name}", (Change("volume.attached_to", holder.name, None),))


def _refuse_to_touch(member: Member) -> None:
    obstacle = member.obstacle
    if not member.is_ours:
        obstacle = "was not created by kilonova.compute, and is not touched"
    if obstacle:
        raise ConflictError(f"Option attached_to: {member.name} {obstacle}.", {"option": "attached_to"})


def _refuse_other_disk(spec: StoredVolumeSpec, wanted: AttachmentSpec, goal: Member, disk: Disk) -> None:
    """Refuse to have a disk under another number or on another bus than it is; a guest would lose it in between."""
    for option, declared, found in (("serial", wanted.serial, disk.serial), ("bus", wanted.bus, disk.bus)):
        if declared is not None and declared != found:
            raise SpecError(
                option,
                f"volume {spec.name} is attached to {goal.name} with {found}",
                f"declare {found}, or detach it first (attached_to empty)",
            )
