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
from .domain_disk import put_disks, read_disks
from .domain_extra import put_balloon, put_rng, put_scsi_model, put_video, read_balloon_stats, read_rng, read_scsi_model
from .domain_nic import put_nics, read_nics
from .domain_platform import (
    put_clock,
    put_cpu,
    put_features,
    put_os,
    put_sysinfo,
    read_cpu,
    read_features,
    read_os,
    read_sysinfo,
    settle_boot,
)
from .domain_ports import put_root_ports, read_root_ports
from .record import find_record, put_record

_KIB = 1024
_UNITS = {
    "b": 1,
    "bytes": 1,
    **{letter: _KIB**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}ib": _KIB**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtpe", 1)},
}
_ORDER = (
    "name",
    "uuid",
    "title",
    "metadata",
    "memory",
    "currentMemory",
    "vcpu",
    "sysinfo",
    "os",
    "features",
    "cpu",
    "clock",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "devices",
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
    memory = _memory(domain, "memory") or 0
    current_memory = _memory(domain, "currentMemory")
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
        sysinfo=read_sysinfo(domain),
        os=read_os(domain),
        features=read_features(domain),
        cpu=read_cpu(domain),
        clock_offset=attribute(domain, "clock", "offset"),
        on_poweroff=text_of(domain, "on_poweroff"),
        on_reboot=text_of(domain, "on_reboot"),
        on_crash=text_of(domain, "on_crash"),
        emulator=text_of(devices, "emulator"),
        disks=read_disks(devices),
        nics=read_nics(devices),
        graphics=read_graphics(devices),
        serials=read_serials(devices),
        channels=read_channels(devices),
        scsi_model=read_scsi_model(devices),
        pcie_root_ports=read_root_ports(devices),
        video=attribute(devices, "video/model", "type"),
        rng=read_rng(devices),
        balloon=attribute(devices, "memballoon", "model"),
        balloon_stats_seconds=read_balloon_stats(devices),
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
    _put_memory(domain, machine)
    _put_vcpus(domain, machine)
    put_sysinfo(domain, machine.sysinfo)
    put_os(domain, machine.os)
    put_features(domain, machine.features)
    put_cpu(domain, machine.cpu)
    put_clock(domain, machine.clock_offset)
    put(domain, "on_poweroff", machine.on_poweroff)
    put(domain, "on_reboot", machine.on_reboot)
    put(domain, "on_crash", machine.on_crash)
    _put_devices(ensure(domain, "devices"), machine)
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
    put_scsi_model(devices, machine.scsi_model)
    put_root_ports(devices, machine.pcie_root_ports)
    put_nics(devices, machine.nics)
    put_serials(devices, machine.serials)
    put_channels(devices, machine.channels)
    put_graphics(devices, machine.graphics)
    put_video(devices, machine.video)
    put_balloon(devices, machine.balloon, machine.balloon_stats_seconds)
    put_rng(devices, machine.rng)


def _put_memory(domain: Element, machine: Machine) -> None:
    if machine.memory_kib:
        put(domain, "memory", machine.memory_kib, unit="KiB")
        current = _memory(domain, "currentMemory")
        if current is not None and current > machine.memory_kib:
            put(domain, "currentMemory", machine.memory_kib, unit="KiB")
    if machine.current_memory_kib is not None:
        put(domain, "currentMemory", machine.current_memory_kib, unit="KiB")


def _put_vcpus(domain: Element, machine: Machine) -> None:
    before = (text_of(domain, "vcpu"), attribute(domain, "vcpu", "current"))
    put(domain, "vcpu", machine.vcpus, current=machine.current_vcpus)
    vcpu = domain.find("vcpu")
    if (as_int(vcpu.get("current")) or 0) > machine.vcpus:
        vcpu.attrib.pop("current")
    detail = domain.find("vcpus")
    # The list names each vCPU and must agree with the numbers; libvirt makes a new one.
    if detail is not None and before != (vcpu.text, vcpu.get("current")):
        domain.remove(detail)


def _memory(domain: Element, tag: str) -> int | None:
    text = text_of(domain, tag)
    if text is None:
        return None
    number = as_int(text)
    unit = attribute(domain, tag, "unit") or "KiB"
    factor = _UNITS.get(unit.lower())
    if number is None or factor is None:
        raise XmlError(f"The domain's <{tag}> cannot be read: {text!r} of unit {unit!r} is not an amount of memory.")
    # Up to whole KiB, as libvirt does.
    return -(-number * factor // _KIB)
