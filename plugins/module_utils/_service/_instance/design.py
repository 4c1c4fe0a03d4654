# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From a declaration to a machine: the policy of what libvirt is asked for. Pure: the host's answers come in."""

from __future__ import annotations

import string
import typing as t
from dataclasses import dataclass, replace

from ..._errors import SpecError
from ..._spec.instance import GUEST_AGENT, InstanceSpec
from ..._spec.machine import Channel, Cpu, Disk, Features, Graphics, Machine, Nic, OsBoot, Serial
from ..._spec.record import InstanceRecord, OwnedDisk

_KIB_PER_MIB = 1024
_X86 = frozenset({"x86_64", "i686"})
_TARGET_PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "ide": "hd"}
_BALLOON_STATS_SECONDS = 10


@dataclass(frozen=True)
class Platform:
    """What of a machine depends on the host: for a new instance the host's answer, later what was recorded."""

    virt_type: str
    arch: str
    machine: str | None
    emulator: str | None
    video: str | None


@dataclass(frozen=True)
class Storage:
    """Where the disks are: ``path`` is the pool's directory on the hypervisor."""

    pool: str
    path: str
    block: bool
    """The pool's volumes are block devices (LVM) rather than files."""
    root_volume: str | None
    image_digest: str | None

    def locate(self, volume: str) -> str:
        """Return the path of a volume in the pool."""
        return f"{self.path}/{volume}"


def root_target(bus: str) -> str:
    """Return the target device of the root disk on ``bus``."""
    return f"{_TARGET_PREFIX[bus]}a"


def root_volume_name(spec: InstanceSpec) -> str:
    """Return the name of the volume made for the root disk."""
    return f"{spec.name}-{root_target(spec.disk_bus)}.{spec.disk_format}"


def console_log_name(name: str) -> str:
    """Return the name of the console log in the pool."""
    return f"{name}.console.log"


def design(spec: InstanceSpec, platform: Platform, storage: Storage, existing: Machine | None, now: str) -> Machine:
    """Return the machine that ``spec`` asks for; ``now`` (ISO 8601, UTC) becomes created_at of a new one."""
    x86 = platform.arch in _X86
    if spec.disk_bus == "ide" and "q35" in (platform.machine or ""):
        raise SpecError("disk_bus", f"machine type {platform.machine} has no IDE", "take sata, or machine_type: pc")
    memory = spec.flavor.memory_mb * _KIB_PER_MIB
    serial = Serial(
        log=storage.locate(console_log_name(spec.name)) if spec.hardware.console_log and not storage.block else None,
        log_append=True if spec.hardware.console_log and not storage.block else None,
    )
    record = _record(spec, storage, existing, now)
    hardware = spec.hardware
    return Machine(
        type=platform.virt_type,
        name=spec.name,
        uuid=existing.uuid if existing else None,
        record=record,
        memory_kib=memory,
        current_memory_kib=memory,
        vcpus=spec.flavor.vcpus,
        # cloud-init reads its host name from here when no seed is attached.
        sysinfo=(("serial", f"ds=nocloud;h={spec.name}"),) if x86 else (),
        os=OsBoot(
            type="hvm",
            arch=platform.arch,
            machine=platform.machine,
            boot_devices=spec.boot.devices,
            boot_menu=spec.boot.menu,
            firmware=spec.boot.firmware if spec.boot.firmware == "efi" else None,
            smbios_sysinfo=x86,
        ),
        features=Features(acpi=hardware.acpi, apic=hardware.apic if x86 else None, pae=hardware.pae),
        cpu=_cpu(spec, platform, existing),
        clock_offset=hardware.clock,
        on_poweroff=hardware.on_poweroff,
        on_reboot=hardware.on_reboot,
        on_crash=hardware.on_crash,
        emulator=hardware.emulator or platform.emulator,
        disks=_disks(spec, platform, storage, record, existing),
        # Without a model libvirt picks an old SCSI card, which most guests have no driver for.
        scsi_model="virtio-scsi" if spec.disk_bus == "scsi" else None,
        nics=tuple(
            Nic(
                mac=nic.mac,
                type=nic.kind,
                source=nic.network or nic.bridge,
                portgroup=nic.portgroup,
                model=nic.model,
            )
            for nic in spec.nics
        ),
        graphics=_graphics(spec),
        serials=(serial,),
        channels=(Channel(GUEST_AGENT),) if hardware.guest_agent else (),
        video=hardware.video or platform.video,
        rng="/dev/urandom" if hardware.rng else None,
        balloon="virtio" if hardware.balloon else "none",
        balloon_stats_seconds=_BALLOON_STATS_SECONDS if hardware.balloon else None,
    )


def _record(spec: InstanceSpec, storage: Storage, existing: Machine | None, now: str) -> InstanceRecord:
    declared = InstanceRecord(
        fleet=spec.fleet,
        flavor=spec.flavor.name,
        vcpus=spec.flavor.vcpus,
        memory_mb=spec.flavor.memory_mb,
        disk_gb=spec.flavor.disk_gb,
        image=spec.image,
        spec_digest=spec.digest(),
        protected=spec.protected,
        labels=spec.metadata,
    )
    if existing is not None and existing.record is not None:
        kept = existing.record
        return replace(
            declared,
            image_digest=kept.image_digest,
            created_at=kept.created_at,
            disks=kept.disks,
            group=kept.group,
            group_policy=kept.group_policy,
        )
    disks = (OwnedDisk(root_target(spec.disk_bus), storage.pool, storage.root_volume),) if storage.root_volume else ()
    return replace(declared, image_digest=storage.image_digest, created_at=now, disks=disks)


def _cpu(spec: InstanceSpec, platform: Platform, existing: Machine | None) -> Cpu | None:
    mode = spec.hardware.cpu_mode
    if mode is None and platform.virt_type == "kvm":
        mode = "host-model"
    flavor = spec.flavor
    topology = (flavor.sockets, flavor.cores, flavor.threads)
    if (
        flavor.sockets is None
        and existing is not None
        and existing.cpu is not None
        and existing.cpu.sockets is not None
    ):
        # A topology that is there must fit the number of vCPUs.
        topology = (flavor.vcpus, 1, 1)
    if mode is None and topology[0] is None:
        return None
    return Cpu(mode, spec.hardware.cpu_model, *topology)


def _disks(
    spec: InstanceSpec, platform: Platform, storage: Storage, record: InstanceRecord, existing: Machine | None
) -> tuple[Disk, ...]:
    present = {disk.target: disk for disk in existing.disks} if existing else {}
    disks = []
    for owned in record.disks:
        declared = Disk(target=owned.target, bus=spec.disk_bus, cache=spec.disk_cache, discard=spec.disk_discard)
        if owned.target in present:
            # A disk stays where it lies: it may have been moved, or be below a snapshot, since it was made.
            disks.append(replace(declared, type=present[owned.target].type))
        else:
            kind = "block" if storage.block else "file"
            source = storage.locate(owned.volume)
            disks.append(replace(declared, type=kind, source=source, format=spec.disk_format))
    return (*disks, *_cdroms(spec, platform, storage, {disk.target for disk in disks}))


def _cdroms(spec: InstanceSpec, platform: Platform, storage: Storage, taken: set[str]) -> t.Iterator[Disk]:
    bus = "ide" if platform.arch in _X86 and "q35" not in (platform.machine or "q35") else "sata"
    targets = (f"{_TARGET_PREFIX[bus]}{letter}" for letter in string.ascii_lowercase)
    free = (target for target in targets if target not in taken)
    for cdrom, target in zip(spec.cdroms, free):
        source = storage.locate(cdrom)
        yield Disk(target=target, bus=bus, device="cdrom", source=source, format="raw", readonly=True, type="file")


def _graphics(spec: InstanceSpec) -> tuple[Graphics, ...]:
    wanted = spec.graphics
    if wanted.type == "none":
        return ()
    return (
        Graphics(
            type=wanted.type,
            listen=wanted.listen,
            port=wanted.port,
            autoport=wanted.port is None,
            keymap=wanted.keymap,
        ),
    )
