# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which devices an instance shall lose: those that were declared once and are not any more, and those declared away."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._spec.instance import GUEST_AGENT, InstanceSpec
from .._spec.machine import Machine
from .._spec.record import InstanceRecord

NIC = "nic"
DISK = "disk"
CDROM = "cdrom"
GRAPHICS = "graphics"
CHANNEL = "channel"
RNG = "rng"
SERIAL = "serial"
WATCHDOG = "watchdog"
HOSTDEV = "hostdev"
FILESYSTEM = "filesystem"
_GROUPS = {
    NIC: "nics",
    GRAPHICS: "graphics",
    CHANNEL: "channels",
    SERIAL: "serials",
    WATCHDOG: "watchdogs",
    HOSTDEV: "hostdevs",
    FILESYSTEM: "filesystems",
}
"""Kinds with the fields of a machine that hold them."""
_OF_THE_CHIPSET = "itco"


@dataclass(frozen=True)
class Removal:
    """One device: its kind, and what identifies it in a machine."""

    kind: str
    key: str
    shown: t.Any
    """What it is, for the change."""

    @property
    def path(self) -> str:
        """Return the path of the change."""
        return RNG if self.kind == RNG else f"{_GROUPS.get(self.kind, 'disks')}[{self.key}]"


def with_leftovers(record: InstanceRecord, before: InstanceRecord, guest: Machine) -> InstanceRecord:
    """Return ``record`` with those devices of an earlier one that the guest still has, for it to let go of.

    A guest's own record, apart from its definition's, remembers them: else nobody knew that somebody declared them once.
    """
    macs = {nic.mac for nic in guest.nics} - set(record.nics)
    targets = {disk.target for disk in guest.disks} - {disk.target for disk in record.volumes}
    drives = {disk.target for disk in guest.disks if disk.device == CDROM} - set(record.drives)
    hostdevs = {device.address for device in guest.hostdevs} - set(record.hostdevs)
    shares = {filesystem.target for filesystem in guest.filesystems} - set(record.shares)
    return replace(
        record,
        nics=record.nics + tuple(mac for mac in before.nics if mac in macs),
        attached=record.attached + tuple(disk for disk in before.volumes if disk.target in targets),
        drives=record.drives + tuple(target for target in before.drives if target in drives),
        hostdevs=record.hostdevs + tuple(address for address in before.hostdevs if address in hostdevs),
        shares=record.shares + tuple(target for target in before.shares if target in shares),
    )


def is_behind(guest: InstanceRecord, record: InstanceRecord) -> bool:
    """Tell whether a guest's own record was not written when that of its definition was."""
    same = ("flavor", "vcpus", "memory_mb", "disk_gb", "protected", "labels", "group", "group_policy")
    knows_disks = {*guest.volumes} >= {*record.volumes}
    knows_nics = {*guest.nics} >= {*record.nics}
    knows_drives = {*guest.drives} >= {*record.drives}
    return not (knows_disks and knows_nics and knows_drives) or any(
        getattr(guest, name) != getattr(record, name) for name in same
    )


def removals(spec: InstanceSpec, desired: Machine, record: InstanceRecord, machine: Machine) -> tuple[Removal, ...]:
    """Return what ``machine``, the definition or the guest, has and shall not have."""
    return (
        *_nics(spec, record, machine),
        *_volumes(spec, desired, record, machine),
        *_drives(spec, desired, record, machine),
        *_others(spec, machine),
        *_detail(spec, machine),
        *_given(spec, desired, record, machine),
    )


def _nics(spec: InstanceSpec, record: InstanceRecord, machine: Machine) -> t.Iterator[Removal]:
    if spec.nics is None:
        return
    declared = {nic.mac for nic in spec.nics}
    for nic in machine.nics:
        # One that somebody plugged by hand was never declared, and stays.
        if nic.mac in record.nics and nic.mac not in declared:
            yield Removal(NIC, nic.mac, nic.source or nic.type)


def _volumes(spec: InstanceSpec, desired: Machine, record: InstanceRecord, machine: Machine) -> t.Iterator[Removal]:
    if spec.volumes is None:
        return
    kept = desired.record or record
    known = {disk.target for disk in kept.volumes}
    there = {disk.target: disk for disk in machine.disks}
    for entry in record.volumes:
        if entry.target not in known and entry.target in there:
            yield Removal(DISK, entry.target, entry.volume)


def _drives(spec: InstanceSpec, desired: Machine, record: InstanceRecord, machine: Machine) -> t.Iterator[Removal]:
    if spec.cdroms is None:
        return
    kept = desired.record.drives if desired.record else record.drives
    for drive in machine.disks:
        # One that somebody added by hand was never declared, and stays with its disc.
        if drive.device == CDROM and drive.target in record.drives and drive.target not in kept:
            yield Removal(CDROM, drive.target, drive.source)


def _others(spec: InstanceSpec, machine: Machine) -> t.Iterator[Removal]:
    if spec.graphics.type is not None:
        for graphics in machine.graphics:
            if graphics.type != spec.graphics.type:
                yield Removal(GRAPHICS, graphics.type, graphics.listen)
    if spec.hardware.guest_agent is False and any(channel.name == GUEST_AGENT for channel in machine.channels):
        yield Removal(CHANNEL, GUEST_AGENT, True)
    if spec.hardware.rng is False and machine.rng is not None:
        yield Removal(RNG, machine.rng, machine.rng)


def _detail(spec: InstanceSpec, machine: Machine) -> t.Iterator[Removal]:
    if spec.detail.watchdog == "disabled":
        for watchdog in machine.watchdogs:
            if watchdog.model != _OF_THE_CHIPSET:
                yield Removal(WATCHDOG, watchdog.model, watchdog.action)
    ports = spec.detail.serial_ports
    for serial in machine.serials if ports is not None else ():
        if serial.port >= (ports or 0):
            yield Removal(SERIAL, str(serial.port), serial.type)


def _given(spec: InstanceSpec, desired: Machine, record: InstanceRecord, machine: Machine) -> t.Iterator[Removal]:
    """Give what of the host it had and has not any more; what somebody plugged by hand was never declared, and stays."""
    kept = desired.record.hostdevs if desired.record else record.hostdevs
    declared_kinds = {"pci": spec.detail.pci is not None, "mdev": spec.detail.mdevs is not None}
    for device in machine.hostdevs:
        is_gone = device.address in record.hostdevs and device.address not in kept
        if is_gone and declared_kinds[device.type]:
            yield Removal(HOSTDEV, device.address, device.type)
    declared = None if spec.detail.shares is None else {share.target for share in spec.detail.shares}
    for filesystem in machine.filesystems if declared is not None else ():
        if filesystem.target in record.shares and filesystem.target not in (declared or ()):
            yield Removal(FILESYSTEM, filesystem.target, filesystem.source)
