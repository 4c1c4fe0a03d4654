# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The disks and drives of a machine: which volume is on which target, and what the record says of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..._errors import SpecError
from ..._spec.disk import VolumeSpec
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Disk, Machine
from ..._spec.record import InstanceRecord, OwnedDisk, SeedRecord
from ..._spec.remote import RemoteSource
from ..._spec.target import first_target, free_target
from .platforms import X86, Platform

_READ_ONLY_DISKS = ("virtio", "scsi")


@dataclass(frozen=True)
class VolumePlace:
    """Where a declared volume lies, or will: ``path`` on the hypervisor."""

    pool: str
    path: str
    block: bool
    """It is a block device (LVM, Ceph) rather than a file."""
    format: str | None
    """What it holds; None of one that is yet to be made."""
    secret: str | None = None
    """UUID of the secret that opens one that is encrypted."""
    remote: RemoteSource | None = None
    """How QEMU gets to one that is in a Ceph cluster."""

    @property
    def type(self) -> str:
        """Return libvirt's word for a disk that lies there."""
        if self.remote:
            return "network"
        return "block" if self.block else "file"


@dataclass(frozen=True)
class Storage:
    """Where the disks are: ``path`` is the pool's directory on the hypervisor."""

    pool: str
    path: str
    block: bool
    """The pool's volumes are block devices (LVM) rather than files."""
    root_volume: str | None
    image_digest: str | None
    volumes: tuple[VolumePlace, ...] = ()
    """One for each of the declared volumes."""
    busy_targets: frozenset[str] = frozenset()
    """Target devices of the guest as it runs, which may have more than its definition."""
    seed: SeedRecord | None = None
    """What a guest is told of its first boot, where anything is declared of it."""
    seed_path: str = ""
    seed_bus: str = "virtio"

    def locate(self, volume: str) -> str:
        """Return the path of a volume in the pool."""
        return f"{self.path}/{volume}"


def root_volume_name(spec: InstanceSpec) -> str:
    """Return the name of the volume made for the root disk of a new instance."""
    return f"{spec.name}-{first_target(spec.disk_bus or 'virtio')}.{spec.disk_format or 'qcow2'}"


def design_disks(
    spec: InstanceSpec, platform: Platform, storage: Storage, record: InstanceRecord, existing: Machine | None
) -> tuple[tuple[Disk, ...], InstanceRecord]:
    """Return the disks that are declared, and the record with those that were made and those that are only attached."""
    designer = _Designer(spec, platform, storage, record, existing.disks if existing else ())
    root, seed = designer.root(), designer.seed()
    volumes = designer.volumes()
    drives = designer.drives()
    return (*root, *volumes, *drives, *seed), designer.record


class _Designer:
    """Goes through the declared disks and hands out targets that are free."""

    def __init__(
        self,
        spec: InstanceSpec,
        platform: Platform,
        storage: Storage,
        record: InstanceRecord,
        present: tuple[Disk, ...],
    ) -> None:
        self._spec = spec
        self._platform = platform
        self._storage = storage
        self._present = present
        self._taken = {disk.target for disk in present} | storage.busy_targets
        self.record = record

    def root(self) -> tuple[Disk, ...]:
        """Return the root disk, if there is one."""
        owned, spec = self.record.root, self._spec
        if owned is None:
            return ()
        self._taken.add(owned.target)
        there = next((disk for disk in self._present if disk.target == owned.target), None)
        declared = Disk(target=owned.target, bus=spec.disk_bus, cache=spec.disk_cache, discard=spec.disk_discard)
        if there is not None:
            # A disk stays where it lies: it may have been moved, or be below a snapshot, since it was made.
            return (replace(declared, type=there.type),)
        kind = "block" if self._storage.block else "file"
        source = self._storage.locate(owned.volume)
        declared = replace(declared, bus=spec.disk_bus or "virtio", format=spec.disk_format or "qcow2")
        return (replace(declared, type=kind, source=source),)

    def seed(self) -> tuple[Disk, ...]:
        """Return the disk or drive with what is told of the first boot, and bring the record up to date with it."""
        seed, path = self._storage.seed, self._storage.seed_path
        if seed is None:
            return ()
        self._taken.add(seed.target)
        self.record = replace(self.record, seed=seed)
        there = next((disk for disk in self._present if disk.target == seed.target), None)
        if there is not None:
            return (Disk(seed.target, device=there.device, source=path, type=there.type),)
        bus = self._storage.seed_bus
        # Neither SATA nor IDE has disks that can't be written.
        device = "disk" if bus in _READ_ONLY_DISKS else "cdrom"
        return (Disk(seed.target, bus=bus, device=device, source=path, format="raw", readonly=True),)

    def volumes(self) -> list[Disk]:
        """Return the declared volumes, and bring the record up to date with them."""
        record = self.record
        if self._spec.volumes is None:
            return []
        disks: list[Disk] = []
        made: list[OwnedDisk] = [record.root] if record.root else []
        attached: list[OwnedDisk] = []
        owned = {(disk.pool, disk.volume) for disk in record.disks}
        for volume, place in zip(self._spec.volumes, self._storage.volumes):
            disk = self._volume(volume, place)
            disks.append(disk)
            # One that was there before belongs to the user, whatever its declaration says by now.
            is_ours = (place.pool, volume.name) in owned or place.format is None
            (made if is_ours else attached).append(OwnedDisk(disk.target, place.pool, volume.name))
        self.record = replace(record, disks=tuple(made), attached=tuple(attached))
        return disks

    def _volume(self, volume: VolumeSpec, place: VolumePlace) -> Disk:
        known = {(disk.pool, disk.volume): disk.target for disk in self.record.volumes}
        there = next((disk for disk in self._present if self._is_at(disk, place, volume)), None)
        target = there.target if there else known.get((place.pool, volume.name))
        declared = Disk(
            target=target or self._next_target(volume.bus or "virtio"),
            bus=volume.bus,
            cache=volume.cache,
            discard=volume.discard,
            serial=volume.serial,
            readonly=volume.readonly,
            shareable=volume.shareable,
            type=place.type,
            secret=place.secret,
        )
        if there is not None:
            return replace(declared, type=there.type)
        volume_format = place.format or volume.format or ("raw" if place.block or volume.shareable else "qcow2")
        declared = replace(declared, bus=volume.bus or "virtio", source=place.path, format=volume_format)
        return replace(declared, remote=place.remote)

    def _is_at(self, disk: Disk, place: VolumePlace, volume: VolumeSpec) -> bool:
        """Tell whether a disk lies on a declared volume, be it below what snapshots brought."""
        return disk.source == place.path or self.record.is_over(disk.target, disk.source, place.pool, volume.name)

    def drives(self) -> list[Disk]:
        """Return the CD-ROM drives with the declared discs, and bring the record up to date with them."""
        if self._spec.cdroms is None:
            return []
        sources = [self._storage.locate(cdrom) for cdrom in self._spec.cdroms]
        seed = self.record.seed.target if self.record.seed else None
        present = [disk for disk in self._present if disk.device == "cdrom" and disk.target != seed]
        found = _drives_of(sources, present, self.record.drives)
        drives = [self._drive(source, drive) for source, drive in zip(sources, found)]
        self.record = replace(self.record, drives=tuple(drive.target for drive in drives))
        return drives

    def _drive(self, source: str, there: Disk | None) -> Disk:
        if there is not None:
            return Disk(there.target, device="cdrom", source=source, type=there.type)
        machine = self._platform.machine
        bus = "ide" if self._platform.arch in X86 and "q35" not in (machine or "q35") else "sata"
        return Disk(self._next_target(bus), bus=bus, device="cdrom", source=source, format="raw", readonly=True)

    def _next_target(self, bus: str) -> str:
        target = free_target(bus, self._taken)
        self._taken.add(target)
        return target


def check_volume_buses(spec: InstanceSpec, machine_type: str | None) -> None:
    """Refuse a volume on a bus that the machine has not."""
    for index, volume in enumerate(spec.volumes or ()):
        if volume.bus == "sata" and "i440fx" in (machine_type or ""):
            raise SpecError(f"volumes[{index}].bus", f"machine type {machine_type} has no SATA", "take virtio or scsi")


def _drives_of(sources: list[str], present: list[Disk], recorded: tuple[str, ...]) -> list[Disk | None]:
    """Return the drive for each disc: one that has it, else one of ours that gets another disc, or None for a new one.

    A drive that was added by hand is left alone unless it has a disc that is declared.
    """
    ours = [disk for disk in present if disk.target in recorded]
    others = [disk for disk in present if disk.target not in recorded]
    found: list[Disk | None] = [None] * len(sources)
    for drives in (ours, others):
        for index, source in enumerate(sources):
            drive = next((drive for drive in drives if drive.source == source), None)
            if found[index] is None and drive is not None:
                found[index] = drive
                drives.remove(drive)
    return [drive or (ours.pop(0) if ours else None) for drive in found]
