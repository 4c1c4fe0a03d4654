# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Domains: libvirt's XML to and from :class:`Machine`. No policy and no defaults.

Writing sets what a machine sets. What is None or empty in it, and whatever this file does not know, stays as it is.
Reading tells what is so, also where libvirt says it by silence: a flag that is an element's presence reads as True or
False, memory and vCPUs in use are the most where they are not given, MAC addresses are in lower case, and the entries
of sysinfo are in the order of their names.
"""

from __future__ import annotations

from .._spec.machine import Machine
from .document import Element, XmlError, as_int, attribute, ensure, new, parse, put, text_of, to_text
from .domain_console import put_channels, put_graphics, put_serials, read_channels, read_graphics, read_serials
from .domain_cpu import put_cpu, read_cpu
from .domain_disk import put_disks, read_disks
from .domain_extra import (
    put_balloon,
    put_pcie_ports,
    put_rng,
    put_scsi,
    put_video,
    read_balloon_stats,
    read_pcie_ports,
    read_rng,
    read_rng_rate,
    read_scsi,
)
from .domain_fs import put_filesystems, read_filesystems
from .domain_hostdev import put_hostdevs, read_hostdevs
from .domain_memory import (
    put_memory,
    put_memory_backing,
    put_memory_modules,
    put_vcpus,
    read_memory,
    read_memory_backing,
    read_memory_modules,
)
from .domain_nic import put_nics, read_nics
from .domain_platform import (
    put_clock,
    put_features,
    put_os,
    put_suspend,
    put_sysinfo,
    read_features,
    read_os,
    read_suspend,
    read_sysinfo,
    settle_boot,
)
from .domain_security import put_launch_security, put_tpm, read_launch_security, read_tpm
from .domain_small import (
    put_sound,
    put_tablet,
    put_vsock,
    put_watchdogs,
    read_tablet,
    read_vsock,
    read_watchdogs,
)
from .domain_tune import (
    put_cpu_tune,
    put_iothreads,
    put_numa_tune,
    read_cpu_tune,
    read_iothreads,
    read_numa_tune,
)
from .record import find_record, put_record

_ORDER = (
    "name",
    "uuid",
    "title",
    "metadata",
    "maxMemory",
    "memory",
    "currentMemory",
    "memoryBacking",
    "vcpu",
    "iothreads",
    "cputune",
    "numatune",
    "sysinfo",
    "os",
    "features",
    "cpu",
    "clock",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "pm",
    "devices",
    "launchSecurity",
)
"""In which order libvirt writes what this file writes."""


def render(machine: Machine) -> str:
    """Return a new definition of ``machine``."""
    domain = new("domain")
    _put(domain, machine)
    return to_text(domain, pretty=True)


def edit(xml: str, machine: Machine) -> str:
    """Return the definition ``xml`` with all that ``machine`` sets."""
    domain = _parse(xml)
    known = set(domain)
    _put(domain, machine)
    for child in [child for child in domain if child not in known]:
        _place(domain, child)
    return to_text(domain)


def read(xml: str) -> Machine:
    """Return what the definition ``xml``, of a defined or of a running domain, says."""
    domain = _parse(xml)
    devices = domain.find("devices")
    if devices is None:
        devices = new("devices")
    memory = read_memory(domain, "memory") or 0
    current_memory = read_memory(domain, "currentMemory")
    vcpus = as_int(text_of(domain, "vcpu")) or 1
    return Machine(
        type=domain.get("type", ""),
        name=domain.findtext("name") or "",
        uuid=text_of(domain, "uuid"),
        title=domain.findtext("title") or None,
        record=find_record(domain),
        memory_kib=memory,
        current_memory_kib=memory if current_memory is None else current_memory,
        vcpus=vcpus,
        current_vcpus=as_int(attribute(domain, "vcpu", "current")) or vcpus,
        max_memory_kib=read_memory(domain, "maxMemory"),
        memory_slots=as_int(attribute(domain, "maxMemory", "slots")),
        memory_modules_kib=read_memory_modules(devices),
        memory_backing=read_memory_backing(domain),
        cpu_tune=read_cpu_tune(domain),
        numa_tune=read_numa_tune(domain),
        iothreads=read_iothreads(domain),
        sysinfo=read_sysinfo(domain),
        os=read_os(domain),
        features=read_features(domain),
        cpu=read_cpu(domain),
        clock_offset=attribute(domain, "clock", "offset"),
        on_poweroff=text_of(domain, "on_poweroff"),
        on_reboot=text_of(domain, "on_reboot"),
        on_crash=text_of(domain, "on_crash"),
        suspend_to_memory=read_suspend(domain, "to-mem"),
        suspend_to_disk=read_suspend(domain, "to-disk"),
        emulator=text_of(devices, "emulator"),
        disks=read_disks(devices),
        nics=read_nics(devices),
        graphics=read_graphics(devices),
        serials=read_serials(devices),
        channels=read_channels(devices),
        watchdogs=read_watchdogs(devices),
        hostdevs=read_hostdevs(devices),
        filesystems=read_filesystems(devices),
        tpm=read_tpm(devices),
        vsock=read_vsock(devices),
        scsi_model=read_scsi(devices, "model"),
        scsi_queues=as_int(read_scsi(devices, "queues")),
        scsi_iothread=as_int(read_scsi(devices, "iothread")),
        pcie_ports=read_pcie_ports(devices),
        video=attribute(devices, "video/model", "type"),
        video_vram_kib=as_int(attribute(devices, "video/model", "vram")),
        video_heads=as_int(attribute(devices, "video/model", "heads")),
        sound=attribute(devices, "sound", "model"),
        tablet=read_tablet(devices),
        rng=read_rng(devices),
        rng_rate_bytes=read_rng_rate(devices, "bytes"),
        rng_rate_period_ms=read_rng_rate(devices, "period"),
        balloon=attribute(devices, "memballoon", "model"),
        balloon_stats_seconds=read_balloon_stats(devices),
        launch_security=read_launch_security(domain),
    )


def _parse(xml: str) -> Element:
    domain = parse(xml, "The domain's XML")
    if domain.tag != "domain":
        raise XmlError(f"The domain's XML cannot be read: it is <{domain.tag}> and not <domain>.")
    return domain


def _put(domain: Element, machine: Machine) -> None:
    domain.set("type", machine.type)
    put(domain, "name", machine.name)
    put(domain, "uuid", machine.uuid)
    put(domain, "title", machine.title)
    put_record(domain, machine.record)
    put_memory(domain, machine)
    put_memory_backing(domain, machine.memory_backing)
    put_vcpus(domain, machine)
    put_iothreads(domain, machine.iothreads)
    put_cpu_tune(domain, machine.cpu_tune)
    put_numa_tune(domain, machine.numa_tune)
    put_sysinfo(domain, machine.sysinfo)
    put_os(domain, machine.os)
    put_features(domain, machine.features)
    put_cpu(domain, machine.cpu)
    put_clock(domain, machine.clock_offset)
    put(domain, "on_poweroff", machine.on_poweroff)
    put(domain, "on_reboot", machine.on_reboot)
    put(domain, "on_crash", machine.on_crash)
    put_suspend(domain, "to-mem", machine.suspend_to_memory)
    put_suspend(domain, "to-disk", machine.suspend_to_disk)
    _put_devices(ensure(domain, "devices"), machine)
    put_launch_security(domain, machine.launch_security)
    settle_boot(domain, machine)


def _place(domain: Element, child: Element) -> None:
    """Move a new ``child`` before those that libvirt writes after it; its schema cares, as libxml2 checks it."""
    later = _ORDER[_ORDER.index(child.tag) + 1 :]
    for other in domain:
        if other.tag in later:
            other.addprevious(child)
            return


def _put_devices(devices: Element, machine: Machine) -> None:
    put(devices, "emulator", machine.emulator)
    put_disks(devices, machine.disks)
    put_scsi(devices, machine.scsi_model, machine.scsi_queues, machine.scsi_iothread)
    put_pcie_ports(devices, machine.pcie_ports)
    put_filesystems(devices, machine.filesystems)
    put_nics(devices, machine.nics)
    put_serials(devices, machine.serials)
    put_channels(devices, machine.channels)
    put_tablet(devices, machine.tablet)
    put_tpm(devices, machine.tpm)
    put_graphics(devices, machine.graphics)
    put_sound(devices, machine.sound)
    put_video(devices, machine.video, machine.video_vram_kib, machine.video_heads)
    put_hostdevs(devices, machine.hostdevs)
    put_watchdogs(devices, machine.watchdogs)
    put_balloon(devices, machine.balloon, machine.balloon_stats_seconds)
    put_rng(devices, machine.rng, machine.rng_rate_bytes, machine.rng_rate_period_ms)
    put_memory_modules(devices, machine.memory_modules_kib)
    put_vsock(devices, machine.vsock)
