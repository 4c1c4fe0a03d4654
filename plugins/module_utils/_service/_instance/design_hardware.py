# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The hardware in detail, put on a machine that is otherwise designed. Pure.

What of it lies somewhere on the host (NUMA cells, CPUs, pages, devices) is allocated afterwards.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._errors import SpecError
from ..._spec.hardware import DiskTuning, Hardware
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Cpu, Disk, Features, Machine, Nic, OsBoot, Serial, Watchdog
from ..._spec.nic import NicSpec
from ..._spec.tuning import CpuTune, MemoryBacking
from .platforms import X86, Platform

_WATCHDOG = "i6300esb"
_RANDOM = "/dev/urandom"
_PASSING_MODES = frozenset({"host-passthrough", "maximum"})
_FIRST_IOTHREAD = 1


def design_hardware(machine: Machine, spec: InstanceSpec, platform: Platform, existing: Machine | None) -> Machine:
    """Return ``machine`` with the hardware that ``spec`` declares in detail."""
    detail = spec.detail
    watchdog = detail.watchdog
    return replace(
        _with_root_disk(machine, detail, existing),
        os=_secure_os(machine.os, spec, platform, existing),
        features=_features(machine.features, detail, existing),
        cpu=_cpu(machine.cpu, detail, platform, existing),
        cpu_tune=_cpu_tune(detail),
        memory_backing=MemoryBacking(source="memfd", access="shared") if detail.shares else MemoryBacking(),
        iothreads=detail.iothreads,
        serials=(*machine.serials, *_more_serials(detail, existing)),
        watchdogs=(Watchdog(_WATCHDOG, watchdog),) if watchdog not in (None, "disabled") else (),
        filesystems=detail.shares or (),
        tpm=detail.tpm,
        sound=detail.sound,
        tablet=detail.tablet,
        launch_security=detail.sev,
        **_random(machine, spec, existing),
    )


def tuned(nic: Nic, declared: NicSpec, detail: Hardware, vcpus: int) -> Nic:
    """Return ``nic`` driven as it is declared, or as the flavor says for all."""
    tuning = declared.tuning
    queues = vcpus if detail.nic_multiqueue and (declared.model or "virtio") == "virtio" else None
    return replace(
        nic,
        queues=tuning.queues or queues,
        mtu=tuning.mtu,
        vlan=tuning.vlan,
        isolated=tuning.isolated,
        inbound=tuning.inbound or detail.nic_inbound,
        outbound=tuning.outbound or detail.nic_outbound,
    )


def _cpu(cpu: Cpu | None, detail: Hardware, platform: Platform, existing: Machine | None) -> Cpu | None:
    present = existing.cpu if existing else None
    mode = cpu.mode if cpu else None
    if mode is None and detail.cpu_features is not None and (present is None or present.mode is None):
        # A list of features needs a CPU that it belongs to.
        mode = "host-model" if platform.virt_type == "kvm" else "maximum"
    effective = mode or (present.mode if present else None)
    if detail.migratable is not None and effective not in _PASSING_MODES:
        raise SpecError(
            "cpu.migratable",
            f"the CPU's mode is {effective or 'not declared'}, which leaves no such choice",
            "leave it out, or declare cpu.mode: host-passthrough or maximum",
        )
    designed = replace(cpu or Cpu(), mode=mode, features=detail.cpu_features, migratable=detail.migratable)
    return None if designed == Cpu() else designed


def _cpu_tune(detail: Hardware) -> CpuTune:
    tune = CpuTune(shares=detail.cpu_shares, period=detail.cpu_period, quota=detail.cpu_quota)
    # Where something lies on the host, the pins come with the allocation.
    return replace(tune, vcpu_pins=(), emulator_cpus=()) if detail.placement.is_shared else tune


def _secure_os(boot: OsBoot, spec: InstanceSpec, platform: Platform, existing: Machine | None) -> OsBoot:
    if not spec.detail.secure_boot:
        # Left to itself, libvirt may take firmware that starts nothing which is not signed. Of a machine that is there the
        # firmware is not changed; that it is another is refused elsewhere.
        return replace(boot, secure_boot=False) if boot.firmware == "efi" and platform.picks_firmware else boot
    firmware = spec.boot.firmware or (existing.os.firmware if existing else None)
    if firmware != "efi":
        raise SpecError("secure_boot", "it is a matter of UEFI firmware", "declare boot.firmware: efi")
    if platform.arch in X86 and "q35" not in (platform.machine or ""):
        raise SpecError("secure_boot", f"machine type {platform.machine} cannot have it", "take machine_type: q35")
    return boot if existing else replace(boot, secure_boot=True, enrolled_keys=True)


def _features(features: Features, detail: Hardware, existing: Machine | None) -> Features:
    smm = True if detail.secure_boot and existing is None else None
    return replace(features, pmu=detail.pmu, smm=smm)


def _with_root_disk(machine: Machine, detail: Hardware, existing: Machine | None) -> Machine:
    record = machine.record
    target = record.root.target if record and record.root else None
    root = next((disk for disk in machine.disks if disk.target == target), None)
    tuning = detail.disk
    if root is None:
        _refuse_tuning(tuning)
        return machine
    there = next((disk for disk in existing.disks if disk.target == target), None) if existing else None
    bus = root.bus or (there.bus if there else None)
    declared = replace(root, io=tuning.io, detect_zeroes=tuning.detect_zeroes, iotune=tuning.limits)
    _refuse_io(declared, there)
    iothread = None if detail.iothreads is None else _FIRST_IOTHREAD if detail.iothreads else 0
    if bus == "virtio":
        declared = replace(declared, queues=tuning.queues, iothread=iothread)
    elif bus == "scsi":
        machine = replace(machine, scsi_queues=tuning.queues, scsi_iothread=iothread)
    elif tuning.queues is not None:
        raise SpecError("disk_queues", f"a disk on bus {bus} has one queue", "take disk_bus: virtio or scsi")
    return replace(machine, disks=tuple(declared if disk is root else disk for disk in machine.disks))


def _refuse_tuning(tuning: DiskTuning) -> None:
    if tuning != DiskTuning():
        options = (
            ("disk_io", tuning.io),
            ("disk_detect_zeroes", tuning.detect_zeroes),
            ("disk_queues", tuning.queues),
            ("disk_limits", tuning.limits),
        )
        option = next(name for name, value in options if value is not None)
        raise SpecError(option, "there is no root disk that was made for the instance", "leave it out")


def _refuse_io(declared: Disk, there: Disk | None) -> None:
    cache = declared.cache or (there.cache if there else None)
    if declared.io == "native" and cache not in ("none", "directsync"):
        problem = f"native is not possible with cache mode {cache}" if cache else "native needs a cache mode"
        raise SpecError("disk_io", problem, "declare disk_cache: none")


def _more_serials(detail: Hardware, existing: Machine | None) -> t.Iterator[Serial]:
    present = {serial.port: serial.type for serial in existing.serials} if existing else {}
    for port in range(1, detail.serial_ports or 1):
        yield Serial(type=present.get(port, "pty"), port=port)


def _random(machine: Machine, spec: InstanceSpec, existing: Machine | None) -> dict[str, t.Any]:
    detail = spec.detail
    if detail.rng_rate_bytes is None and detail.rng_rate_period_ms is None:
        return {}
    if spec.hardware.rng is False:
        raise SpecError(
            "rng_rate", "the instance has no random numbers of its host", "leave it out, or declare rng: true"
        )
    source = machine.rng or (existing.rng if existing else None) or _RANDOM
    return {
        "rng": source,
        "rng_rate_bytes": detail.rng_rate_bytes,
        "rng_rate_period_ms": detail.rng_rate_period_ms,
    }
