# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The host itself: what it has, what it runs, and what its hypervisor can do."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import DriverError
from .._xml.capabilities import (
    Cell,
    DomainCapabilities,
    HostCapabilities,
    read_cpu_features,
    read_domain_capabilities,
    read_host,
)
from .capabilities import once, supported
from .connection import Connection, libvirt

_KIB_PER_MIB = 1024


@dataclass(frozen=True)
class NodeInfo:
    """What the machine has; ``vcpus`` are its CPUs that are online."""

    vcpus: int
    memory_mb: int
    cells: int
    sockets: int
    cores: int
    threads: int


@dataclass(frozen=True)
class Versions:
    """Who answers: ``hypervisor_type`` such as QEMU, and versions as libvirt's numbers (7002022 is 7.2.22)."""

    hypervisor_type: str
    hypervisor_version: int | None
    libvirt_version: int


@dataclass(frozen=True)
class MemoryStats:
    """Memory of the whole host in KiB, as its kernel counts."""

    total_kib: int
    free_kib: int
    buffers_kib: int = 0
    cached_kib: int = 0


def capabilities(connection: Connection) -> HostCapabilities:
    """Return the host's capabilities."""

    def ask() -> HostCapabilities:
        return read_host(connection.call("read the host's capabilities", connection.raw.getCapabilities))

    return once(connection, "capabilities", ask)


def domain_capabilities(
    connection: Connection, virt_type: str | None = None, arch: str | None = None, machine: str | None = None
) -> DomainCapabilities:
    """Return what guests of this kind may be made of; None leaves the choice to libvirt."""

    def ask() -> DomainCapabilities:
        function = connection.raw.getDomainCapabilities
        doing = f"read what {virt_type or 'default'} guests can have here"
        return read_domain_capabilities(connection.call(doing, function, None, arch, machine, virt_type, 0))

    return once(connection, ("domain capabilities", virt_type, arch, machine), ask)


def hostname(connection: Connection) -> str | None:
    """Return the host's own name; None where the driver does not tell it."""
    return t.cast("str | None", supported(connection, "read the host's name", connection.raw.getHostname))


def versions(connection: Connection) -> Versions:
    """Return the hypervisor's type, its version and libvirt's."""
    hypervisor = supported(connection, "read the hypervisor's version", connection.raw.getVersion)
    return Versions(
        connection.call("read the hypervisor's type", connection.raw.getType),
        hypervisor,
        connection.call("read libvirt's version", connection.raw.getLibVersion),
    )


def node_info(connection: Connection) -> NodeInfo:
    """Return what the machine has."""
    _model, memory_mb, cpus, _mhz, cells, sockets, cores, threads = connection.call(
        "read the host's size", connection.raw.getInfo
    )
    stats = memory_stats(connection)
    # The first call adds up the NUMA cells, which on a machine that gets its memory by and by lags behind.
    memory_mb = max(memory_mb, stats.total_kib // _KIB_PER_MIB if stats else 0)
    return NodeInfo(_online_cpus(connection, cpus), memory_mb, cells, sockets, cores, threads)


def _online_cpus(connection: Connection, known: int) -> int:
    """Count the CPUs that are online; drivers without a CPU map (Xen) tell just how many there are."""
    answer = supported(connection, "read the host's CPU map", connection.raw.getCPUMap, 0)
    return known if answer is None else sum(answer[1])


def memory_stats(connection: Connection) -> MemoryStats | None:
    """Return the memory of the whole host; None where the driver does not count it."""
    every_cell = libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS
    answer = supported(connection, "read the host's memory", connection.raw.getMemoryStats, every_cell, 0)
    if answer is None:
        return None
    return MemoryStats(answer["total"], answer["free"], answer.get("buffers", 0), answer.get("cached", 0))


def free_memory_kib(connection: Connection, cells: t.Sequence[Cell]) -> dict[int, int]:
    """Return the free memory of each NUMA cell by its id; empty where the driver does not tell."""
    if not cells:
        return {}
    first = min(cell.id for cell in cells)
    # The call counts ids, which may have gaps.
    count = max(cell.id for cell in cells) - first + 1
    doing = "read the free memory of the NUMA cells"
    answer = supported(connection, doing, connection.raw.getCellsFreeMemory, first, count)
    return {first + index: free // 1024 for index, free in enumerate(answer or [])}


def free_pages(
    connection: Connection, sizes_kib: t.Sequence[int], cells: t.Sequence[Cell]
) -> dict[int, dict[int, int]]:
    """Return how many pages of each size are free in each NUMA cell; empty where the driver does not tell."""
    if not sizes_kib or not cells:
        return {}
    first = min(cell.id for cell in cells)
    count = max(cell.id for cell in cells) - first + 1
    doing = "read the free pages of the NUMA cells"
    answer = supported(connection, doing, connection.raw.getFreePages, list(sizes_kib), first, count, 0)
    return t.cast("dict[int, dict[int, int]]", answer or {})


def cpu_features(connection: Connection) -> tuple[str, ...]:
    """Return all features of the host's CPU, those of its model included where libvirt can name them."""
    known = capabilities(connection)
    if not known.cpu_model:
        return known.cpu_features
    flags = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
    try:
        answer = supported(
            connection, "expand the host's CPU model", connection.raw.baselineCPU, [known.cpu_xml], flags
        )
    except DriverError:
        # A CPU that libvirt does not know well cannot be expanded, which is no reason to fail.
        answer = None
    expanded = read_cpu_features(answer) if answer else ()
    return tuple(sorted({*known.cpu_features, *expanded}))
