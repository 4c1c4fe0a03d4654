# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From a declaration to a machine: the policy of what libvirt is asked for. Pure: the host's answers come in."""

from __future__ import annotations

from dataclasses import replace

from ..._errors import SpecError
from ..._spec.instance import GUEST_AGENT, InstanceSpec
from ..._spec.machine import Channel, Cpu, Features, Graphics, Machine, Nic, OsBoot, Serial
from ..._spec.names import NO_CLOUD, console_log_name, named_serial
from ..._spec.nic import NicSpec
from ..._spec.record import InstanceRecord, OwnedDisk
from ..._spec.target import first_target
from .design_disks import Storage, design_disks
from .design_hardware import design_hardware, tuned
from .design_memory import with_memory
from .design_size import Size, design_size
from .platforms import X86, Platform

_PCIE_MACHINES = ("q35", "virt")
_PCIE_ROOT_PORTS = 12
"""On a PCI Express machine every plugged device needs a port of its own, and ports can't be plugged."""
_BALLOON_STATS_SECONDS = 10


def design(spec: InstanceSpec, platform: Platform, storage: Storage, existing: Machine | None, now: str) -> Machine:
    """Return the machine that ``spec`` asks for; ``now`` (ISO 8601, UTC) becomes created_at of a new one.

    Of an ``existing`` one only what is declared is set: the rest stays as it is.
    """
    x86 = platform.arch in X86
    if spec.disk_bus == "ide" and "q35" in (platform.machine or ""):
        raise SpecError("disk_bus", f"machine type {platform.machine} has no IDE", "take sata, or machine_type: pc")
    size = design_size(spec, platform.host_cpus, existing)
    record = _record(spec, size, storage, existing, now)
    hardware = spec.hardware
    disks, record = design_disks(spec, platform, storage, record, existing)
    machine = Machine(
        type=platform.virt_type,
        name=spec.name,
        uuid=existing.uuid if existing else None,
        record=record,
        current_memory_kib=size.memory_kib,
        vcpus=size.most_vcpus,
        current_vcpus=size.vcpus,
        sysinfo=_sysinfo(spec, storage, existing) if x86 else (),
        os=OsBoot(
            type="hvm",
            arch=platform.arch,
            machine=platform.machine,
            boot_devices=spec.boot.devices or (),
            boot_menu=spec.boot.menu,
            firmware="efi" if spec.boot.firmware == "efi" and existing is None else None,
            smbios_sysinfo=True if x86 and existing is None else None,
        ),
        features=Features(acpi=hardware.acpi, apic=hardware.apic if x86 else None, pae=hardware.pae),
        cpu=_cpu(spec, platform, size, existing),
        clock_offset=hardware.clock,
        on_poweroff=hardware.on_poweroff,
        on_reboot=hardware.on_reboot,
        on_crash=hardware.on_crash,
        emulator=hardware.emulator or platform.emulator,
        disks=disks,
        # Without a model libvirt picks an old SCSI card, which most guests have no driver for.
        scsi_model="virtio-scsi" if any(disk.bus == "scsi" for disk in disks) else None,
        pcie_ports=_PCIE_ROOT_PORTS if existing is None and _is_pcie(platform.machine) else None,
        nics=_nics(spec, size, existing),
        graphics=_graphics(spec, existing),
        serials=_serials(spec, storage),
        channels=(Channel(GUEST_AGENT),) if hardware.guest_agent else (),
        video=_video(spec, platform, existing),
        rng="/dev/urandom" if hardware.rng else None,
        balloon=None if hardware.balloon is None else "virtio" if hardware.balloon else "none",
        balloon_stats_seconds=_BALLOON_STATS_SECONDS if hardware.balloon else None,
    )
    machine = design_hardware(machine, spec, platform, existing)
    return with_memory(machine, spec, platform.host_memory_mb, existing)


def _sysinfo(spec: InstanceSpec, storage: Storage, existing: Machine | None) -> tuple[tuple[str, str], ...]:
    """Return where cloud-init looks for its host name; with a seed it must not, since this name would win."""
    serial = NO_CLOUD if storage.seed else named_serial(spec.name)
    if existing is None:
        return (("serial", serial),)
    named = any(value.startswith(f"{NO_CLOUD};") for _key, value in existing.sysinfo)
    if storage.seed is None or not named:
        return ()
    return tuple((key, serial if value.startswith(f"{NO_CLOUD};") else value) for key, value in existing.sysinfo)


def _record(spec: InstanceSpec, size: Size, storage: Storage, existing: Machine | None, now: str) -> InstanceRecord:
    flavor = spec.flavor
    kept = existing.record if existing else None
    if kept is None:
        disks = (
            (OwnedDisk(first_target(spec.disk_bus or "virtio"), storage.pool, storage.root_volume),)
            if storage.root_volume
            else ()
        )
        kept = InstanceRecord(
            fleet=spec.fleet,
            flavor="custom",
            image=spec.image,
            image_digest=storage.image_digest,
            created_at=now,
            disks=disks,
            adopted=existing is not None,
        )
    return replace(
        kept,
        flavor=flavor.name if flavor else kept.flavor,
        vcpus=size.vcpus,
        memory_mb=size.memory_mb,
        disk_gb=flavor.disk_gb if flavor else kept.disk_gb,
        spec_digest=spec.digest(),
        protected=kept.protected if spec.protected is None else spec.protected,
        group=kept.group if spec.group is None else spec.group or None,
        group_policy=_group_policy(spec, kept),
        labels=kept.labels if spec.metadata is None else spec.metadata,
        nics=kept.nics if spec.nics is None else tuple(nic.mac for nic in spec.nics),
        shares=kept.shares if spec.detail.shares is None else tuple(share.target for share in spec.detail.shares),
        isolated=_isolates(spec, kept.isolated),
    )


def _group_policy(spec: InstanceSpec, kept: InstanceRecord) -> str | None:
    """Return the declared policy; another one's is none of a new group's."""
    stays = spec.group is None or spec.group == kept.group
    return spec.group_policy or (kept.group_policy if stays else None)


def _isolates(spec: InstanceSpec, kept: bool) -> bool:
    placement = spec.detail.placement
    if not placement.cells and not placement.is_shared:
        return kept
    return placement.dedicated and placement.thread_policy == "isolate"


def _cpu(spec: InstanceSpec, platform: Platform, size: Size, existing: Machine | None) -> Cpu | None:
    mode = spec.hardware.cpu_mode
    if mode is None and platform.virt_type == "kvm" and existing is None:
        mode = "host-model"
    cpu = _with_topology(Cpu(mode, spec.hardware.cpu_model), spec, size, existing.cpu if existing else None)
    return None if cpu == Cpu() else cpu


def _with_topology(cpu: Cpu, spec: InstanceSpec, size: Size, present: Cpu | None) -> Cpu:
    detail, dies = spec.detail, None if present is None or present.dies is None else 1
    if detail.sockets is not None:
        return replace(
            cpu, sockets=detail.sockets, cores=detail.cores, threads=detail.threads, dies=detail.dies or dies
        )
    is_sized = spec.flavor is not None or spec.max_vcpus is not None
    if not is_sized or present is None or present.sockets is None:
        return cpu
    # A topology that is there must fit the number of vCPUs.
    if present.sockets * (present.dies or 1) * (present.cores or 1) * (present.threads or 1) != size.most_vcpus:
        return replace(cpu, sockets=size.most_vcpus, cores=1, threads=1, dies=dies)
    return replace(cpu, sockets=present.sockets, cores=present.cores, threads=present.threads, dies=present.dies)


def _is_pcie(machine: str | None) -> bool:
    return any(word in (machine or "") for word in _PCIE_MACHINES)


def _nics(spec: InstanceSpec, size: Size, existing: Machine | None) -> tuple[Nic, ...]:
    present = {nic.mac: nic for nic in existing.nics} if existing else {}
    nics = []
    for nic in spec.nics or ():
        plain = Nic(
            mac=nic.mac,
            type=nic.kind,
            source=nic.network or nic.bridge,
            portgroup=_portgroup(nic, present.get(nic.mac)),
            model=nic.model or (None if nic.mac in present else "virtio"),
            link_state=nic.link_state,
        )
        nics.append(tuned(plain, nic, spec.detail, size.vcpus))
    return tuple(nics)


def _portgroup(nic: NicSpec, present: Nic | None) -> str | None:
    """Return the declared port group; one of another network does not go along with the NIC."""
    if nic.portgroup is None and present is not None and present.portgroup:
        return None if (present.type, present.source) == (nic.kind, nic.network or nic.bridge) else ""
    return nic.portgroup


def _graphics(spec: InstanceSpec, existing: Machine | None) -> tuple[Graphics, ...]:
    wanted = spec.graphics
    kind = wanted.type
    if kind is None and existing is not None:
        declared = any(value is not None for value in (wanted.listen, wanted.port, wanted.keymap))
        kind = existing.graphics[0].type if existing.graphics and declared else "none"
    if kind in (None, "none"):
        return ()
    is_new = existing is None or not any(graphics.type == kind for graphics in existing.graphics)
    return (
        Graphics(
            type=str(kind),
            listen=wanted.listen or ("127.0.0.1" if is_new else None),
            port=wanted.port,
            autoport=wanted.port is None if is_new or wanted.port is not None else None,
            keymap=wanted.keymap,
        ),
    )


def _video(spec: InstanceSpec, platform: Platform, existing: Machine | None) -> str | None:
    if spec.hardware.video is not None:
        return spec.hardware.video
    if spec.graphics.type in (None, "none"):
        return None
    # A screen that is newly declared needs a card to show.
    return platform.video if existing is None or not existing.graphics else None


def _serials(spec: InstanceSpec, storage: Storage) -> tuple[Serial, ...]:
    if spec.hardware.console_log is None or storage.block:
        return (Serial(),) if spec.hardware.console_log is not None else ()
    if not spec.hardware.console_log:
        return (Serial(log=""),)
    return (Serial(log=storage.locate(console_log_name(spec.name)), log_append=True),)
