# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a compute_node tells of its NUMA cells and devices, and of who has what of them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ....module_utils._plan.topology import FreeDevice
from ..._values import ValuesError, mapping, mappings, whole_number
from ..errors import ScheduleError

_MOST = 10**12
_KIB_PER_MIB = 1024
_SMALL_PAGE_KIB = 4


@dataclass(frozen=True)
class Pages:
    """The huge pages of one size that a cell has; ``free`` are those that nothing holds now."""

    size_kib: int
    total: int
    free: int


@dataclass(frozen=True)
class CellFacts:
    """A NUMA cell with nothing given to anybody."""

    id: int
    cores: tuple[tuple[int, ...], ...]
    memory_mb: int
    """Memory of ordinary pages."""
    pages: tuple[Pages, ...]
    pinned: frozenset[int]
    """CPUs that something is pinned to."""
    socket: int | None = None


@dataclass(frozen=True)
class HeldCell:
    """What a guest has of one cell."""

    host_cell: int
    cpus: tuple[int, ...]
    memory_mb: int
    page_kib: int | None


@dataclass(frozen=True)
class Held:
    """What a guest has of its host to itself."""

    cells: tuple[HeldCell, ...] = ()
    emulator_cpu: int | None = None
    taken: frozenset[int] = frozenset()
    """All CPUs that nobody else gets."""
    pci: tuple[str, ...] = ()
    mdevs: tuple[str, ...] = ()
    is_running: bool = False


@dataclass(frozen=True)
class HostFacts:
    """A host's cells and devices, and what its guests hold."""

    cells: tuple[CellFacts, ...] = ()
    devices: tuple[FreeDevice, ...] = ()
    """All of them, also those that somebody has."""
    mdevs: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()
    """Addresses and UUIDs of devices that somebody has."""
    held: Mapping[str, Held] | None = None
    small_page_kib: int = _SMALL_PAGE_KIB


def read_host_facts(name: str, node: Mapping[str, t.Any]) -> HostFacts:
    """Return what host ``name`` tells, or raise :class:`ScheduleError`."""
    try:
        return _read(f"hosts.{name}", node)
    except ValuesError as exc:
        raise ScheduleError(str(exc)) from exc


def _read(where: str, node: Mapping[str, t.Any]) -> HostFacts:
    cells = mappings(node.get("numa_topology") or [], f"{where}.numa_topology")
    devices = mappings(node.get("pci_devices") or [], f"{where}.pci_devices")
    mdevs = mappings(node.get("mdevs") or [], f"{where}.mdevs")
    guests = mappings(node.get("instances") or [], f"{where}.instances")
    names = [*((str(one.get("address")), one) for one in devices), *((str(one.get("uuid")), one) for one in mdevs)]
    return HostFacts(
        cells=tuple(_cell(cell, f"{where}.numa_topology") for cell in cells),
        devices=tuple(_device(device, f"{where}.pci_devices") for device in devices),
        mdevs=tuple(str(one.get("uuid")) for one in mdevs),
        used=frozenset(name for name, one in names if one.get("in_use_by") is not None),
        held={
            str(guest.get("name")): _held(guest, f"{where}.instances.{guest.get('name')}")
            for guest in guests
            if guest.get("placement")
        },
        small_page_kib=_number(cells[0], "page_kb", where, _SMALL_PAGE_KIB) if cells else _SMALL_PAGE_KIB,
    )


def _cell(cell: dict[str, t.Any], where: str) -> CellFacts:
    where = f"{where}[{cell.get('id')}]"
    cpus = _numbers(cell.get("cpus"), f"{where}.cpus")
    cores = cell.get("siblings")
    if cores is not None and not isinstance(cores, list):
        raise ValuesError(f"{where}.siblings: {cores!r} is not a list; write one list of CPUs for each core.")
    pages = tuple(
        _pages(page, f"{where}.hugepages") for page in mappings(cell.get("hugepages") or [], f"{where}.hugepages")
    )
    huge_kib = sum(page.size_kib * page.total for page in pages)
    return CellFacts(
        id=_number(cell, "id", where),
        # Where nothing is told of threads, each CPU is a core.
        cores=tuple((cpu,) for cpu in cpus) if cores is None else tuple(_numbers(core, where) for core in cores),
        memory_mb=max(0, (_number(cell, "memory_mb", where) * _KIB_PER_MIB - huge_kib) // _KIB_PER_MIB),
        pages=pages,
        pinned=frozenset(_numbers(cell.get("pinned_cpus"), f"{where}.pinned_cpus")),
        socket=None if cell.get("socket") is None else _number(cell, "socket", where),
    )


def _pages(page: dict[str, t.Any], where: str) -> Pages:
    total = _number(page, "total", where)
    return Pages(_number(page, "size_kb", where), total, min(total, _number(page, "free", where, total)))


def _device(device: dict[str, t.Any], where: str) -> FreeDevice:
    address = str(device.get("address"))
    cell = device.get("numa_node")
    return FreeDevice(
        address,
        str(device.get("vendor_id") or ""),
        str(device.get("product_id") or ""),
        None if cell is None else whole_number(cell, f"{where}[{address}].numa_node", -1, _MOST),
    )


def _held(guest: dict[str, t.Any], where: str) -> Held:
    where = f"{where}.placement"
    row = mapping(guest["placement"], where)
    emulator = row.get("emulator_cpu")
    return Held(
        cells=tuple(
            HeldCell(
                _number(cell, "host_cell", where),
                _numbers(cell.get("cpus"), f"{where}.cells.cpus"),
                _number(cell, "memory_mb", where),
                None if cell.get("page_kb") is None else _number(cell, "page_kb", where),
            )
            for cell in mappings(row.get("cells") or [], f"{where}.cells")
        ),
        emulator_cpu=None if emulator is None else _number(row, "emulator_cpu", where),
        taken=frozenset(_numbers(row.get("taken_cpus"), f"{where}.taken_cpus")),
        pci=tuple(str(address) for address in row.get("pci_devices") or ()),
        mdevs=tuple(str(uuid) for uuid in row.get("mdevs") or ()),
        is_running=guest.get("power_state") in ("running", "paused"),
    )


def _number(row: Mapping[str, t.Any], key: str, where: str, default: int | None = None) -> int:
    value = row.get(key)
    return default if value is None and default is not None else whole_number(value, f"{where}.{key}", 0, _MOST)


def _numbers(value: t.Any, where: str) -> tuple[int, ...]:
    if value is not None and not isinstance(value, list):
        raise ValuesError(f"{where}: {value!r} is not a list; write a list of numbers.")
    return tuple(whole_number(one, where, 0, _MOST) for one in value or ())
