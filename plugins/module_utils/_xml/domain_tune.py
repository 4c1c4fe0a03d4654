# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which CPUs and NUMA cells of its host a domain runs on, how much of them it gets, and its I/O threads."""

from __future__ import annotations

from .._spec.tuning import CpuPin, CpuTune, MemoryNode, NumaTune
from .document import Element, add, as_int, attribute, drop, ensure, put, set_attributes, text_of
from .numbers import format_id_set, parse_id_set

_PIN_OF = {"vcpupin": "vcpu", "iothreadpin": "iothread"}
"""Attribute with the id by element."""


def read_cpu_tune(domain: Element) -> CpuTune:
    """Return what ``<cputune>`` says."""
    return CpuTune(
        shares=as_int(text_of(domain, "cputune/shares")),
        period=as_int(text_of(domain, "cputune/period")),
        quota=as_int(text_of(domain, "cputune/quota")),
        vcpu_pins=_pins(domain, "vcpupin"),
        emulator_cpus=parse_id_set(attribute(domain, "cputune/emulatorpin", "cpuset") or ""),
        iothread_pins=_pins(domain, "iothreadpin"),
    )


def put_cpu_tune(domain: Element, tune: CpuTune) -> None:
    """Write ``<cputune>``."""
    element = domain.find("cputune")
    if element is None:
        numbers = (tune.shares, tune.period, tune.quota)
        if not any((*numbers, tune.vcpu_pins, tune.emulator_cpus, tune.iothread_pins)):
            return
        element = add(domain, "cputune")
    put(element, "shares", tune.shares)
    put(element, "period", tune.period)
    put(element, "quota", tune.quota)
    _put_pins(domain, "vcpupin", tune.vcpu_pins)
    if tune.emulator_cpus:
        put(element, "emulatorpin", cpuset=format_id_set(tune.emulator_cpus))
    elif tune.emulator_cpus is not None:
        drop(element, "emulatorpin")
    _put_pins(domain, "iothreadpin", tune.iothread_pins)


def read_numa_tune(domain: Element) -> NumaTune:
    """Return what ``<numatune>`` says."""
    return NumaTune(
        mode=attribute(domain, "numatune/memory", "mode"),
        host_cells=parse_id_set(attribute(domain, "numatune/memory", "nodeset") or ""),
        nodes=_nodes(domain),
    )


def put_numa_tune(domain: Element, tune: NumaTune) -> None:
    """Write ``<numatune>``."""
    element = domain.find("numatune")
    if element is None:
        if not any((tune.mode, tune.host_cells, tune.nodes)):
            return
        element = add(domain, "numatune")
    if tune.host_cells == ():
        drop(element, "memory")
    put(element, "memory", mode=tune.mode, nodeset=format_id_set(tune.host_cells or ()) or None)
    if tune.host_cells:
        # Placement is either automatic or on these cells.
        element.find("memory").attrib.pop("placement", None)
    if tune.nodes is not None and tune.nodes != _nodes(domain):
        drop(element, "memnode")
        for node in tune.nodes:
            add(element, "memnode", cellid=node.cell, mode=node.mode, nodeset=format_id_set(node.host_cells))
    if len(element) == 0:
        domain.remove(element)


def read_iothreads(domain: Element) -> int:
    """Return how many I/O threads there are."""
    return as_int(text_of(domain, "iothreads")) or 0


def put_iothreads(domain: Element, count: int | None) -> None:
    """Write how many I/O threads there are; a list of single ones must agree, and libvirt makes a new one."""
    if count is None or count == read_iothreads(domain):
        return
    drop(domain, "iothreadids")
    if count:
        put(domain, "iothreads", count)
    else:
        drop(domain, "iothreads")


def _pins(domain: Element, tag: str) -> tuple[CpuPin, ...]:
    pins = (
        CpuPin(as_int(pin.get(_PIN_OF[tag])) or 0, parse_id_set(pin.get("cpuset") or ""))
        for pin in domain.iterfind(f"cputune/{tag}")
    )
    return tuple(sorted(pins, key=lambda pin: pin.id))


def _put_pins(domain: Element, tag: str, pins: tuple[CpuPin, ...] | None) -> None:
    if pins is None or pins == _pins(domain, tag):
        return
    element = ensure(domain, "cputune")
    drop(element, tag)
    for pin in pins:
        set_attributes(add(element, tag, cpuset=format_id_set(pin.cpus)), **{_PIN_OF[tag]: pin.id})


def _nodes(domain: Element) -> tuple[MemoryNode, ...]:
    nodes = (
        MemoryNode(
            as_int(node.get("cellid")) or 0, parse_id_set(node.get("nodeset") or ""), node.get("mode") or "strict"
        )
        for node in domain.iterfind("numatune/memnode")
    )
    return tuple(sorted(nodes, key=lambda node: node.cell))
