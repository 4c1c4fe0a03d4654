# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How a virtual machine is tied to its host: NUMA cells, pinning, pages, shares and limits. Parts of a Machine.

None means "not set". Where a tuple may be None, an empty one means "none of them", as in a :class:`Machine` that
was read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NumaCell:
    """``<cell>`` of ``<cpu><numa>``: ``cpus`` are vCPUs, in order."""

    id: int
    memory_kib: int
    cpus: tuple[int, ...] = ()
    access: str | None = None
    """shared or private."""


@dataclass(frozen=True)
class CpuPin:
    """``<vcpupin>`` or ``<iothreadpin>``: the vCPU or I/O thread ``id`` runs on these CPUs of the host."""

    id: int
    cpus: tuple[int, ...]


@dataclass(frozen=True)
class CpuTune:
    """``<cputune>``: the pins of vCPUs are one value, so are those of I/O threads; both in the order of ids."""

    shares: int | None = None
    period: int | None = None
    """Microseconds."""
    quota: int | None = None
    """Microseconds per period for each vCPU; -1 is no limit."""
    vcpu_pins: tuple[CpuPin, ...] | None = None
    emulator_cpus: tuple[int, ...] | None = None
    iothread_pins: tuple[CpuPin, ...] | None = None


@dataclass(frozen=True)
class MemoryNode:
    """``<memnode>``: where the memory of the guest's cell lies."""

    cell: int
    host_cells: tuple[int, ...]
    mode: str = "strict"


@dataclass(frozen=True)
class NumaTune:
    """``<numatune>``: ``nodes`` are one value, in the order of the guest's cells."""

    mode: str | None = None
    """strict, preferred, interleave or restrictive: for memory of no cell in ``nodes``."""
    host_cells: tuple[int, ...] | None = None
    nodes: tuple[MemoryNode, ...] | None = None


@dataclass(frozen=True)
class Pages:
    """``<page>``: memory of these cells of the guest, or all of it, is made of pages of one size."""

    size_kib: int
    cells: tuple[int, ...] = ()


@dataclass(frozen=True)
class MemoryBacking:
    """``<memoryBacking>``: ``hugepages`` are one value; the flags are True or False when read."""

    hugepages: tuple[Pages, ...] | None = None
    nosharepages: bool | None = None
    locked: bool | None = None
    source: str | None = None
    """file, anonymous or memfd."""
    access: str | None = None
    """shared or private; devices that share memory, such as virtiofs, need shared."""
    allocation: str | None = None
    """immediate or ondemand."""


@dataclass(frozen=True)
class IoTune:
    """``<iotune>``: what a disk may do per second; 0 is no limit. ``total`` excludes ``read`` and ``write``."""

    total_bytes_sec: int | None = None
    read_bytes_sec: int | None = None
    write_bytes_sec: int | None = None
    total_iops_sec: int | None = None
    read_iops_sec: int | None = None
    write_iops_sec: int | None = None
    total_bytes_sec_max: int | None = None
    read_bytes_sec_max: int | None = None
    write_bytes_sec_max: int | None = None
    total_iops_sec_max: int | None = None
    read_iops_sec_max: int | None = None
    write_iops_sec_max: int | None = None


def excluded(name: str) -> tuple[str, ...]:
    """Return the limits that cannot stand beside ``name``: libvirt takes a total, or reads and writes apart."""
    direction, _underscore, rest = name.partition("_")
    return (f"read_{rest}", f"write_{rest}") if direction == "total" else (f"total_{rest}",)


@dataclass(frozen=True)
class Rate:
    """``<inbound>`` or ``<outbound>`` of a NIC's ``<bandwidth>``; 0 is no limit. Libvirt insists on an average."""

    average: int | None = None
    """KiB per second, as ``peak``."""
    peak: int | None = None
    burst: int | None = None
    """KiB."""


# Names for "nothing is set", which defaults of other files' dataclasses need.
FREE_CPUS = CpuTune()
FREE_CELLS = NumaTune()
ANY_MEMORY = MemoryBacking()
