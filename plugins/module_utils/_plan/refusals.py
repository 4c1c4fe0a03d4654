# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is not done to an instance that is there: it is not ours, or honouring the change would destroy or break it."""

from __future__ import annotations

from .._errors import ConflictError, SpecError
from .._spec.instance import GUEST_AGENT, InstanceSpec
from .._spec.machine import Machine
from .._spec.record import InstanceRecord
from .existing import Existing

_GIB = 1024**3


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


def refuse_strays(name: str, existing: Existing) -> None:
    """Refuse to remove disks from below a snapshot, or in place of the one that is really used."""
    for disk in existing.disks:
        if disk.strayed:
            raise ConflictError(
                f"Disk {disk.target} of instance {name} lies on {disk.source or 'nothing'} and not on the volume"
                f" {disk.volume} of pool {disk.pool} that was made for it, after a snapshot or a move by hand; nothing"
                " is removed. Merge the snapshot or point the disk back first."
            )


def refuse_changes(spec: InstanceSpec, desired: Machine, record: InstanceRecord, existing: Existing) -> None:
    """Refuse a declaration that can't be brought about in place."""
    if existing.state == "crashed" and spec.power_state == "running":
        raise ConflictError(
            f"Instance {spec.name} has crashed and is kept for inspection (on_crash: preserve); declare it stopped with"
            " force: true before it can run again."
        )
    _refuse_lost_disks(spec, existing)
    _refuse_other_disk(spec, record, existing)
    _refuse_other_machine(spec, desired, record, existing)
    _refuse_loss_of_devices(spec, existing.machine)


def _refuse_lost_disks(spec: InstanceSpec, existing: Existing) -> None:
    for disk in existing.disks:
        if disk.missing and (existing.active or disk.strayed):
            where = "runs" if existing.active else f"lies on {disk.source}"
            raise ConflictError(
                f"Volume {disk.volume} of pool {disk.pool} is gone, and instance {spec.name}, whose disk {disk.target} it"
                f" was, {where}; it is not touched."
            )


def _refuse_other_disk(spec: InstanceSpec, record: InstanceRecord, existing: Existing) -> None:
    wanted = spec.flavor.disk_gb
    if not record.disks:
        if wanted:
            raise SpecError(
                "flavor.disk_gb",
                f"instance {spec.name} was made without a disk",
                "declare 0, or remove the instance and create it anew",
            )
        return
    capacity = existing.disks[0].capacity_bytes
    shrinks = wanted * _GIB < capacity if wanted and capacity is not None else wanted < record.disk_gb
    if shrinks:
        present = record.disk_gb if capacity is None else -(-capacity // _GIB)
        raise SpecError(
            "flavor.disk_gb",
            f"the disk of instance {spec.name} has {present} GiB and would shrink to {wanted} GiB, which destroys data",
            f"declare at least {present}",
        )


def _refuse_other_machine(spec: InstanceSpec, desired: Machine, record: InstanceRecord, existing: Existing) -> None:
    target = record.disks[0].target if record.disks else None
    root = next((disk for disk in existing.machine.disks if disk.target == target), None)
    boot = existing.machine.os
    pairs = [
        ("image", spec.image or "no image", record.image or "no image"),
        ("machine_type", desired.os.machine, boot.machine),
        ("arch", desired.os.arch, boot.arch),
    ]
    if root is not None:
        pairs += [("disk_bus", spec.disk_bus, root.bus), ("disk_format", spec.disk_format, root.format)]
    if spec.boot.firmware is not None:
        pairs.append(("boot.firmware", spec.boot.firmware, boot.firmware or "bios"))
    for option, declared, present in pairs:
        if present is not None and declared != present:
            raise SpecError(
                option,
                f"instance {spec.name} was made with {present} and can't become {declared} in place",
                f"declare {present}, or remove the instance and create it anew",
            )


def _refuse_loss_of_devices(spec: InstanceSpec, machine: Machine) -> None:
    hardware = spec.hardware
    for option, declared, present in (
        ("graphics.type", spec.graphics.type != "none", bool(machine.graphics)),
        ("console.log", hardware.console_log, any(serial.log for serial in machine.serials)),
        ("rng", hardware.rng, machine.rng is not None),
        ("guest_agent", hardware.guest_agent, any(channel.name == GUEST_AGENT for channel in machine.channels)),
    ):
        if present and not declared:
            raise SpecError(
                option,
                f"instance {spec.name} was made with this device and can't lose it in place",
                "declare it, or remove the instance and create it anew",
            )


def _fleet(fleet: str | None) -> str:
    return "no fleet" if fleet is None else f"fleet {fleet}"
