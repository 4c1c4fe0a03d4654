# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The CPU of a domain: model, features, topology and NUMA cells."""

from __future__ import annotations

from .._spec.machine import Cpu
from .._spec.tuning import NumaCell
from .document import Element, add, as_bool, as_int, attribute, drop, ensure, put, set_attributes, text_of
from .numbers import format_id_set, kib_of, parse_id_set

_OF_A_MODE = ("match", "check", "migratable")


def read_cpu(domain: Element) -> Cpu | None:
    """Return what ``<cpu>`` says; None where it says nothing that a :class:`Cpu` holds."""
    cpu = Cpu(
        mode=attribute(domain, "cpu", "mode"),
        model=text_of(domain, "cpu/model"),
        sockets=as_int(attribute(domain, "cpu/topology", "sockets")),
        cores=as_int(attribute(domain, "cpu/topology", "cores")),
        threads=as_int(attribute(domain, "cpu/topology", "threads")),
        dies=as_int(attribute(domain, "cpu/topology", "dies")),
        vendor=text_of(domain, "cpu/vendor"),
        features=_features(domain),
        check=attribute(domain, "cpu", "check"),
        migratable=as_bool(attribute(domain, "cpu", "migratable")),
        cells=_cells(domain),
    )
    return None if cpu == Cpu(features=(), cells=()) else cpu


def put_cpu(domain: Element, cpu: Cpu | None) -> None:
    """Write ``<cpu>``; a change of mode takes what belongs to the old one away."""
    if cpu is None or cpu == Cpu():
        return
    element = ensure(domain, "cpu")
    if cpu.mode is not None and element.get("mode") not in (None, cpu.mode):
        for name in _OF_A_MODE:
            element.attrib.pop(name, None)
        drop(element, "model", "vendor")
    migratable = None if cpu.migratable is None else "on" if cpu.migratable else "off"
    set_attributes(element, mode=cpu.mode, check=cpu.check, migratable=migratable)
    put(element, "model", cpu.model)
    put(element, "vendor", cpu.vendor)
    put(element, "topology", sockets=cpu.sockets, dies=cpu.dies, cores=cpu.cores, threads=cpu.threads)
    if cpu.features is not None and cpu.features != _features(domain):
        drop(element, "feature")
        for name, policy in cpu.features:
            add(element, "feature", policy=policy, name=name)
    if cpu.cells is not None and cpu.cells != _cells(domain):
        _put_cells(element, cpu.cells)


def _features(domain: Element) -> tuple[tuple[str, str], ...]:
    features = domain.iterfind("cpu/feature")
    return tuple(sorted((feature.get("name", ""), feature.get("policy", "require")) for feature in features))


def _cells(domain: Element) -> tuple[NumaCell, ...]:
    cells = (_read_cell(cell, index) for index, cell in enumerate(domain.iterfind("cpu/numa/cell")))
    return tuple(sorted(cells, key=lambda cell: cell.id))


def _read_cell(cell: Element, index: int) -> NumaCell:
    number = as_int(cell.get("id"))
    return NumaCell(
        id=index if number is None else number,
        memory_kib=kib_of(cell, cell.get("memory")),
        cpus=parse_id_set(cell.get("cpus") or ""),
        access=cell.get("memAccess"),
    )


def _put_cells(cpu: Element, cells: tuple[NumaCell, ...]) -> None:
    """Make the cells those wanted; one that stays keeps its distances and caches."""
    if not cells:
        drop(cpu, "numa")
        return
    numa = ensure(cpu, "numa")
    present = {_read_cell(cell, index).id: cell for index, cell in enumerate(numa.findall("cell"))}
    for number, element in present.items():
        if number not in {cell.id for cell in cells}:
            numa.remove(element)
    for cell in cells:
        element = present.get(cell.id)
        if element is None:
            element = add(numa, "cell")
        for name in ("cpus", "memAccess"):
            element.attrib.pop(name, None)
        cpus = format_id_set(cell.cpus) or None
        set_attributes(element, id=cell.id, cpus=cpus, memory=cell.memory_kib, unit="KiB", memAccess=cell.access)
