# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A volume as a disk of an instance, by its serial number: where it is, and how it gets there and away, live and persistent."""

from __future__ import annotations

import contextlib

from .._driver import domain_change as driver
from .._driver.connection import Connection
from .._driver.domain import grow_live_disk, live_xml
from .._driver.guests import GuestReading, find_guest
from .._driver.host import capabilities
from .._driver.storage import Volume
from .._errors import DriverError, NotFoundError
from .._plan.attachment import ATTACH, DETACH, AttachmentState, Member, new_disk, plan_attachment
from .._plan.drift import DETACH as UNPLUG
from .._plan.plan import Action, Plan
from .._spec.attachment import AttachmentSpec
from .._spec.machine import Disk, Machine
from .._spec.record import OwnedDisk
from .._spec.volume import StoredVolumeSpec
from .._xml import domain as domain_xml
from .._xml.devices import find_device_xml, render_disk
from ._instance.live import detach
from .image_usage import Usage, read_usage
from .lock import claims_lock, instance_lock
from .volume_origin import attached_by, refuse_leading_elsewhere
from .volume_secret import lies_on

_SCSI = "virtio-scsi"


def read_attachment(
    connection: Connection, spec: StoredVolumeSpec, wanted: AttachmentSpec, path: str | None
) -> AttachmentState:
    """Return where the volume at ``path`` is a disk, of the declared instance first; of a new volume there is no path."""
    goal = None
    if wanted.instance is not None:
        goal = read_member(connection, wanted.instance, spec, path)
        if goal is None:
            raise NotFoundError(
                f"Option attached_to: there is no instance {wanted.instance} at {connection.uri}.",
                {"option": "attached_to"},
            )
        if goal.has_it or path is None:
            return AttachmentState(goal)
    if path is None:
        return AttachmentState()
    return _look_around(connection, spec, path, goal)


def refuse_disguised(connection: Connection, spec: StoredVolumeSpec, volume: Volume) -> None:
    """Refuse to give a guest what another one made of the volume to see the hypervisor's files."""
    what = f"volume {spec.name} of pool {spec.pool}"
    opened_inside = spec.format == "raw" and spec.encryption is None
    refuse_leading_elsewhere(connection, volume, what, attached_by("attached_to"), opened_inside)


def _look_around(connection: Connection, spec: StoredVolumeSpec, path: str, goal: Member | None) -> AttachmentState:
    usage = read_usage(connection)
    holders, others = [], list(usage.volumes_on(path))
    for name in usage.domain_names({path}):
        member = goal if goal and goal.name == name else read_member(connection, name, spec, path)
        if member is None or (member is goal and member.disk is not None):
            continue
        if member.disk is not None:
            holders.append(member)
        else:
            others.append(f"domain {name}")
    return AttachmentState(goal, tuple(holders), tuple(others))


def read_member(connection: Connection, name: str, spec: StoredVolumeSpec, path: str | None) -> Member | None:
    """Return a domain as far as the volume goes; None where there is no such domain."""
    found = find_guest(connection, name)
    if found is None:
        return None
    machine = domain_xml.read(found.xml)
    guest = domain_xml.read(live_xml(connection, found)) if found.is_active else None
    record = machine.record
    machines = [machine, *([guest] if guest else [])]
    return Member(
        name=name,
        is_ours=record is not None,
        is_active=found.is_active,
        is_running=found.state == "running",
        obstacle=_obstacle(found, machine),
        is_declared=record is not None and any(_is_it(owned, spec) for owned in record.volumes),
        is_maker=record is not None and any(_is_it(owned, spec) for owned in record.disks),
        defined=_disk_at(machine, path),
        plugged=_disk_at(guest, path) if guest else None,
        targets=frozenset(disk.target for one in machines for disk in one.disks),
        scsi=all(one.scsi_model == _SCSI for one in machines),
    )


def _obstacle(found: GuestReading, machine: Machine) -> str | None:
    record = machine.record
    if record is not None and record.rescue is not None:
        return "is rescued, and is not changed; run action unrescue before"
    if record is not None and record.begun is not None:
        return f"is not changed, since {record.begun.action} was interrupted; run that again, which finishes it"
    if found.has_saved_memory and not found.is_active:
        return "is suspended, and goes on with the disks it has; resume or stop it first"
    return None


def _is_it(owned: OwnedDisk, spec: StoredVolumeSpec) -> bool:
    return (owned.pool, owned.volume) == (spec.pool, spec.name)


def _disk_at(machine: Machine, path: str | None) -> Disk | None:
    return next((disk for disk in machine.disks if path is not None and disk.source == path), None)


def apply_attachment(
    connection: Connection, spec: StoredVolumeSpec, plan: Plan, volume: Volume, secret: str | None
) -> None:
    """Do what the plan says of the attachment."""
    for action in plan.actions:
        if action.verb not in (ATTACH, DETACH):
            continue
        name, host = action.target.partition("/")[0], capabilities(connection).uuid
        with contextlib.ExitStack() as locks:
            locks.enter_context(instance_lock(host, name))
            if action.verb == ATTACH:
                # No other instance gets it between the look and the definition that tells whose it is.
                locks.enter_context(claims_lock(host))
            if not _is_still_due(connection, spec, action, volume.path):
                continue
            member = read_member(connection, name, spec, volume.path)
            found = find_guest(connection, name)
            if member is None or found is None:
                raise NotFoundError(
                    f"Option attached_to: instance {name} was removed meanwhile.", {"option": "attached_to"}
                )
            if action.verb == ATTACH:
                _attach(connection, spec, found, member, lies_on(connection, volume, secret))
            else:
                _detach(connection, found, member)


def _is_still_due(connection: Connection, spec: StoredVolumeSpec, action: Action, path: str) -> bool:
    """Plan again, since another run may have changed the instance, or given the volume away, since it was looked at."""
    if spec.attachment is None:
        return False
    due = plan_attachment(spec, read_attachment(connection, spec, spec.attachment, path))
    return any((one.verb, one.target) == (action.verb, action.target) for one in due)


def _attach(connection: Connection, spec: StoredVolumeSpec, found: GuestReading, member: Member, known: Disk) -> None:
    scope = driver.Scope(member.is_active and member.plugged is None, member.defined is None)
    if any(scope):
        driver.attach_device(connection, found, render_disk(new_disk(spec, member, known)), scope)


def _detach(connection: Connection, found: GuestReading, member: Member) -> None:
    """Take the disk out of the definition first, so that a guest which does not let go of it boots without it."""
    if member.defined is not None:
        device = find_device_xml(found.xml, "disk", member.defined.target)
        if device is None:
            raise DriverError(f"Cannot detach disk {member.defined.target} of {member.name}: it is gone.")
        driver.detach_device(connection, found, device, driver.Scope(live=False, persistent=True))
    if member.plugged is not None:
        detach(connection, found, Machine("", ""), Action(UNPLUG, f"{member.name}/disk {member.plugged.target}"))


def growing_guests(connection: Connection, spec: StoredVolumeSpec, path: str, usage: Usage) -> list[str]:
    """Return the running instance whose disk lies right on the volume, and so can be told to grow it; else none.

    One that was made for an instance has its size declared there.
    """
    names = usage.domain_names({path}, running=True)
    if len(names) != 1:
        return []
    member = read_member(connection, names[0], spec, path)
    if member is None or not member.is_ours or member.plugged is None or member.obstacle or member.is_maker:
        return []
    return names


def grow_in_guest(connection: Connection, spec: StoredVolumeSpec, name: str, path: str) -> bool:
    """Grow the volume through the guest that has it; tell whether there still was one."""
    with instance_lock(capabilities(connection).uuid, name):
        member = read_member(connection, name, spec, path)
        found = find_guest(connection, name)
        if found is None or member is None or member.plugged is None or spec.size is None:
            return False
        grow_live_disk(connection, found, member.plugged.target, spec.size)
    return True
