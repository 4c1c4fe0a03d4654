# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a machine the hypervisor does not offer: refused by the option's name, with what it offers instead."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .._spec.capabilities import DomainCapabilities
from .._spec.machine import Machine


@dataclass(frozen=True)
class _Demand:
    """One thing that a machine needs: ``section`` is where libvirt tells of it."""

    section: str
    option: str
    what: str
    value: str | None
    offered: tuple[str, ...]
    remedy: str = ""


def refuse_unoffered(machine: Machine, offers: DomainCapabilities) -> None:
    """Raise :class:`SpecError` for the first thing in ``machine`` that ``offers`` lacks.

    Where libvirt tells nothing, nothing is refused; it has the last word when the machine is defined.
    """
    if offers.max_vcpus is not None and machine.vcpus > offers.max_vcpus:
        raise SpecError(
            "flavor.vcpus",
            f"{machine.vcpus} are too many for a machine {_kind(offers)} of this hypervisor",
            f"it takes at most {offers.max_vcpus}",
        )
    for demand in _demands(machine, offers):
        if demand.value is None or demand.section not in offers.sections or demand.value in demand.offered:
            continue
        remedy = demand.remedy or f"it has {', '.join(demand.offered) or 'none'}"
        problem = f"this hypervisor has no {demand.what} {demand.value} for a machine {_kind(offers)}"
        raise SpecError(demand.option, problem, remedy)


def refuse_machine_type(declared: str | None, arch: str, known: t.Collection[str]) -> None:
    """Raise :class:`SpecError` for a machine type that the hypervisor does not know; it may tell of none at all."""
    if declared is not None and known and declared not in known:
        raise SpecError(
            "machine_type",
            f"this hypervisor has no machine type {declared} of {arch}",
            f"it has {', '.join(sorted(known))}",
        )


def _kind(offers: DomainCapabilities) -> str:
    return f"{offers.machine or offers.arch} ({offers.virt_type})"


def _demands(machine: Machine, offers: DomainCapabilities) -> t.Iterator[_Demand]:
    yield from _firmware(machine, offers)
    yield from _cpu(machine, offers)
    yield from _memory(machine, offers)
    for disk in machine.disks:
        yield _Demand("disk", "disk_bus", "disks on bus", disk.bus, offers.disk_buses)
        yield _Demand("disk", "cdroms", "disk device", disk.device, offers.disk_devices)
    for graphics in machine.graphics:
        yield _Demand("graphics", "graphics.type", "graphical console", graphics.type, offers.graphics_types)
    for channel in machine.channels:
        yield _Demand("channel", "guest_agent", "channel of type", channel.type, offers.channel_types)
    yield _Demand("video", "video", "video device", machine.video, offers.video_models)
    yield _Demand("rng", "rng", "random numbers by a device", "virtio" if machine.rng else None, offers.rng_models)
    yield from _tpm(machine, offers)
    for filesystem in machine.filesystems:
        yield _Demand(
            "filesystem",
            "shares",
            "file system driver",
            filesystem.driver,
            offers.filesystem_drivers,
            "leave shares out",
        )


def _firmware(machine: Machine, offers: DomainCapabilities) -> t.Iterator[_Demand]:
    # Libvirt picks no file for a BIOS: QEMU brings its own, and the list need not name it.
    firmware = machine.os.firmware if machine.os.firmware != "bios" else None
    yield _Demand("os", "boot.firmware", "firmware", firmware, offers.firmwares, "install it (ovmf), or take bios")
    if machine.os.secure_boot and "os" in offers.sections and not offers.has_secure_boot:
        raise SpecError(
            "secure_boot",
            f"this hypervisor has no firmware for it, or a machine {_kind(offers)} cannot have it",
            "take machine_type: q35 and install firmware with secure boot (ovmf)",
        )


def _cpu(machine: Machine, offers: DomainCapabilities) -> t.Iterator[_Demand]:
    cpu = machine.cpu
    if cpu is None:
        return
    yield _Demand("cpu", "cpu.mode", "CPU mode", cpu.mode, offers.cpu_modes)
    if cpu.model in offers.blocked_cpu_models and any(policy == "disable" for _name, policy in cpu.features or ()):
        # The feature that this host lacks may be the one that is turned off.
        return
    yield _Demand("cpu", "cpu.model", "usable CPU model", cpu.model, offers.cpu_models)


def _memory(machine: Machine, offers: DomainCapabilities) -> t.Iterator[_Demand]:
    source = machine.memory_backing.source
    yield _Demand("memoryBacking", "shares", "memory made of", source, offers.memory_sources)
    if machine.launch_security is not None and "sev" in offers.sections and not offers.has_sev:
        raise SpecError(
            "sev", "this hypervisor's processor or QEMU has no SEV", "leave it out, or take an AMD host with SEV"
        )


def _tpm(machine: Machine, offers: DomainCapabilities) -> t.Iterator[_Demand]:
    tpm = machine.tpm
    if tpm is None:
        return
    yield _Demand("tpm", "tpm", "TPM by an", "emulator", offers.tpm_backends, "install swtpm and swtpm-tools on it")
    yield _Demand("tpm", "tpm.model", "TPM", tpm.model, offers.tpm_models)
    version = tpm.version if offers.tpm_versions else None
    yield _Demand("tpm", "tpm.version", "TPM of version", version, offers.tpm_versions)
