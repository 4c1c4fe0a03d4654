# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How much memory and how many vCPUs a domain has, up to where they can grow, and what its memory is made of."""

from __future__ import annotations

from .._spec.machine import Machine
from .._spec.tuning import MemoryBacking, Pages
from .document import Element, XmlError, add, as_int, attribute, drop, ensure, new, put, set_flag, text_of, to_text
from .numbers import format_id_set, kib_of, parse_id_set

_KIB = 1024
_UNITS = {
    "b": 1,
    "bytes": 1,
    **{letter: _KIB**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}ib": _KIB**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtpe", 1)},
}


def read_memory(domain: Element, tag: str) -> int | None:
    """Return the KiB that ``<memory>`` or one of its siblings holds."""
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


def put_memory(domain: Element, machine: Machine) -> None:
    """Write the amounts of memory; those that are there are kept within their bounds."""
    most = read_memory(domain, "maxMemory")
    if machine.max_memory_kib == 0:
        drop(domain, "maxMemory")
    elif machine.max_memory_kib is not None or machine.memory_slots is not None:
        unit = None if machine.max_memory_kib is None else "KiB"
        put(domain, "maxMemory", machine.max_memory_kib, slots=machine.memory_slots, unit=unit)
    elif most is not None and most < machine.memory_kib:
        put(domain, "maxMemory", machine.memory_kib, unit="KiB")
    if machine.memory_kib:
        put(domain, "memory", machine.memory_kib, unit="KiB")
        current = read_memory(domain, "currentMemory")
        if current is not None and current > machine.memory_kib:
            put(domain, "currentMemory", machine.memory_kib, unit="KiB")
    if machine.current_memory_kib is not None:
        put(domain, "currentMemory", machine.current_memory_kib, unit="KiB")


def read_memory_modules(devices: Element) -> tuple[int, ...]:
    """Return the KiB of each module of memory."""
    return tuple(kib_of(size) for size in devices.iterfind("memory/target/size"))


def put_memory_modules(devices: Element, sizes_kib: tuple[int, ...]) -> None:
    """Write modules of memory in place of others; none leaves those that are there."""
    if sizes_kib and sizes_kib != read_memory_modules(devices):
        drop(devices, "memory")
        for size_kib in sizes_kib:
            _add_module(devices, size_kib)


def render_memory_module(size_kib: int) -> str:
    """Return a new module of memory."""
    devices = new("devices")
    _add_module(devices, size_kib)
    return to_text(devices[0], pretty=True)


def _add_module(devices: Element, size_kib: int) -> None:
    target = add(add(devices, "memory", model="dimm"), "target")
    add(target, "size", size_kib, unit="KiB")
    # In the guest's first cell.
    add(target, "node", 0)


def put_vcpus(domain: Element, machine: Machine) -> None:
    """Write the numbers of vCPUs."""
    before = (text_of(domain, "vcpu"), attribute(domain, "vcpu", "current"))
    put(domain, "vcpu", machine.vcpus, current=machine.current_vcpus)
    vcpu = domain.find("vcpu")
    if (as_int(vcpu.get("current")) or 0) > machine.vcpus:
        vcpu.attrib.pop("current")
    detail = domain.find("vcpus")
    # The list names each vCPU and must agree with the numbers; libvirt makes a new one.
    if detail is not None and before != (vcpu.text, vcpu.get("current")):
        domain.remove(detail)


def read_memory_backing(domain: Element) -> MemoryBacking:
    """Return what the memory is made of."""
    return MemoryBacking(
        hugepages=_pages(domain),
        nosharepages=domain.find("memoryBacking/nosharepages") is not None,
        locked=domain.find("memoryBacking/locked") is not None,
        source=attribute(domain, "memoryBacking/source", "type"),
        access=attribute(domain, "memoryBacking/access", "mode"),
        allocation=attribute(domain, "memoryBacking/allocation", "mode"),
    )


def put_memory_backing(domain: Element, backing: MemoryBacking) -> None:
    """Write what the memory is made of."""
    element = domain.find("memoryBacking")
    if element is None:
        wanted = (backing.hugepages, backing.nosharepages, backing.locked)
        if not any((*wanted, backing.source, backing.access, backing.allocation)):
            return
        element = add(domain, "memoryBacking")
    if backing.hugepages is not None and backing.hugepages != _pages(domain):
        _put_pages(element, backing.hugepages)
    set_flag(element, "nosharepages", backing.nosharepages)
    set_flag(element, "locked", backing.locked)
    put(element, "source", type=backing.source)
    put(element, "access", mode=backing.access)
    put(element, "allocation", mode=backing.allocation)


def _pages(domain: Element) -> tuple[Pages, ...]:
    hugepages = domain.find("memoryBacking/hugepages")
    if hugepages is None:
        return ()
    pages = tuple(
        Pages(kib_of(page, page.get("size")), parse_id_set(page.get("nodeset") or ""))
        for page in hugepages.iterfind("page")
    )
    return pages or (Pages(0),)


def _put_pages(element: Element, pages: tuple[Pages, ...]) -> None:
    drop(element, "hugepages")
    if not pages:
        return
    hugepages = ensure(element, "hugepages")
    for page in pages:
        if page.size_kib:
            add(hugepages, "page", size=page.size_kib, unit="KiB", nodeset=format_id_set(page.cells) or None)
