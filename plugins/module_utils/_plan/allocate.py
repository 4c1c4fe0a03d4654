# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Find room on a host for an instance that wants NUMA cells, CPUs, pages or devices to itself. Deterministic.

As Nova fits an instance: each of its cells lies in another cell of the host, memory comes from there alone, and whether
cells fit together is tried in every way. Cells that the wanted PCI devices are attached to come first, and where the
devices have to be near, no others that are too far from them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import CapacityError
from .._spec.hardware import PciRequest
from .._spec.placement import ANY, LARGE, SMALL, CellDemand, Placement
from .._spec.wish import Wish
from .devices import NoDevicesError, are_asked_for, are_near, find_devices, matches
from .topology import Allocation, Host, HostCell, PlacedCell

_KIB_PER_MIB = 1024
_SMT = 2


@dataclass(frozen=True)
class Demand:
    """What an instance wants of its host."""

    placement: Placement
    pci: tuple[PciRequest, ...] = ()
    mdevs: tuple[str, ...] = ()
    pci_affinity: str | None = None
    """How near to the cells the PCI devices have to be, see :mod:`devices`."""


class NoRoomError(Exception):
    """A cell of the guest does not fit into one of the host: how much of what there is, and how much it takes."""

    def __init__(self, have: int, need: int, what: str, text: str | None = None) -> None:
        """Take the figures, and the words where these are not enough."""
        super().__init__(text or f"{have} of {need} {what}")
        self.have, self.need, self.what = have, need, what


class NoCellsError(Exception):
    """The guest's cells fit nowhere: one by its ``reasons`` by the host's cells, all together, or there are too few.

    If they ``are_far``, they fit into cells that are too far from the devices which the guest wants.
    """

    def __init__(
        self, index: int | None = None, reasons: t.Mapping[int, NoRoomError] | None = None, *, are_far: bool = False
    ) -> None:
        """Take the cell that fits nowhere and why, or nothing."""
        super().__init__(index)
        self.index, self.reasons, self.are_far = index, reasons or {}, are_far


@dataclass(frozen=True)
class _Fit:
    pins: tuple[tuple[int, int], ...]
    emulator_cpu: int | None
    page_kib: int | None

    def place(self, host_cell: int) -> PlacedCell:
        """Return the cell as it lies in ``host_cell``."""
        return PlacedCell(host_cell, self.pins, self.page_kib)


def allocate(
    name: str, demand: Demand, host: Host, kept: Allocation | None = None, wish: Allocation | None = None
) -> Allocation:
    """Return what instance ``name`` gets, or raise :class:`CapacityError` that names what is short.

    ``kept`` is what it has already: that stays as long as it is what the demand asks for and nobody else has it. Of
    the same kind is ``wish``, what somebody planned for it.
    """
    for known in (kept, wish):
        if known is not None and satisfies(known, demand, host):
            return known
    try:
        cells, emulator_cpu = find_cells(demand, host)
        pci = find_devices(demand.pci, demand.pci_affinity, host, frozenset(cell.host_cell for cell in cells))
    except NoCellsError as exc:
        raise CapacityError(_no_cells(name, demand, host, exc)) from exc
    except NoDevicesError as exc:
        raise CapacityError(
            f"Instance {name} needs the PCI devices {exc.what} ({exc.request.option}), of which {exc.found} are free on"
            " this host."
        ) from exc
    for uuid in demand.mdevs:
        if uuid not in host.mdevs:
            raise CapacityError(f"Instance {name} needs the mediated device {uuid}, which is not free on this host.")
    return Allocation(cells, emulator_cpu, pci, demand.mdevs)


def wished(wish: Wish, demand: Demand) -> Allocation:
    """Return what somebody planned for an instance, as far as it is about what the demand asks for."""
    cells = tuple(
        PlacedCell(cell.host_cell, tuple(zip(wanted.own, cell.cpus)), cell.page_kib)
        for cell, wanted in zip(wish.cells, demand.placement.cells)
    )
    return Allocation(cells, wish.emulator_cpu, wish.pci, demand.mdevs)


def satisfies(kept: Allocation, demand: Demand, host: Host) -> bool:
    """Tell whether what an instance has is what ``demand`` asks for, with nothing in it that others have."""
    placement = demand.placement
    here = {cell.id: cell for cell in host.cells}
    places = [placed.host_cell for placed in kept.cells]
    if len(kept.cells) != len(placement.cells) or len(set(places)) != len(places) or not here.keys() >= set(places):
        return False
    if (kept.emulator_cpu is not None) != _isolates_emulator(placement) or kept.mdevs != demand.mdevs:
        return False
    if not set(kept.mdevs) <= set(host.mdevs) or kept.cpus & host.taken:
        return False
    for index, (placed, wanted) in enumerate(zip(kept.cells, placement.cells)):
        cell = here[placed.host_cell]
        emulator = [kept.emulator_cpu] if index == 0 and kept.emulator_cpu is not None else []
        if not _lies_well(placed, wanted, cell, placement, host):
            return False
        if not _suits([*(cpu for _vcpu, cpu in placed.pins), *emulator], cell, placement.thread_policy, host.taken):
            return False
    return are_asked_for(kept.pci, demand.pci, demand.pci_affinity, host, frozenset(places))


def find_cells(demand: Demand, host: Host) -> tuple[tuple[PlacedCell, ...], int | None]:
    """Return where the guest's cells go, and the emulator's CPU; or raise :class:`NoCellsError`."""
    placement = demand.placement
    if len(placement.cells) > len(host.cells):
        raise NoCellsError
    attached = [device.cell for device in host.devices if any(matches(device, request) for request in demand.pci)]
    order = sorted(host.cells, key=lambda cell: (-attached.count(cell.id), cell.id))
    fits: list[dict[int, _Fit]] = []
    for index, wanted in enumerate(placement.cells):
        reasons: dict[int, NoRoomError] = {}
        fits.append({})
        for cell in order:
            try:
                fits[-1][cell.id] = _fit(wanted, index == 0, cell, placement, host)
            except NoRoomError as exc:
                reasons[cell.id] = exc
        if not fits[-1]:
            raise NoCellsError(index, reasons)
    ids = [cell.id for cell in order]
    chosen = _match(fits, ids, lambda used: are_near(demand.pci, demand.pci_affinity, host, used))
    if chosen is None:
        raise NoCellsError(are_far=_match(fits, ids) is not None)
    placed = tuple(fits[index][cell].place(cell) for index, cell in enumerate(chosen))
    return placed, fits[0][chosen[0]].emulator_cpu if chosen else None


def _no_cells(name: str, demand: Demand, host: Host, short: NoCellsError) -> str:
    count = len(demand.placement.cells)
    if short.index is not None:
        reasons = "; ".join(f"cell {cell} has {reason}" for cell, reason in short.reasons.items())
        return f"NUMA cell {short.index} of instance {name} fits nowhere on this host: {reasons}."
    if count > len(host.cells):
        return f"Instance {name} needs {count} NUMA cells and this host has {len(host.cells)}."
    if short.are_far:
        return (
            f"The PCI devices of instance {name} are not near enough to NUMA cells of this host that it fits into"
            f" (hw:pci_numa_affinity_policy: {demand.pci_affinity})."
        )
    return (
        f"The {count} NUMA cells of instance {name} fit into cells of this host one by one, but not together:"
        " each needs a cell to itself."
    )


def _match(
    fits: list[dict[int, _Fit]], order: list[int], is_good: t.Callable[[frozenset[int]], bool] | None = None
) -> tuple[int, ...] | None:
    """Return a cell of the host for each of the guest, the first way in ``order`` whose cells together are good."""
    hopeless: set[tuple[int, frozenset[int]]] = set()

    def extend(index: int, used: frozenset[int]) -> tuple[int, ...] | None:
        if index == len(fits):
            return () if is_good is None or is_good(used) else None
        if (index, used) in hopeless:
            return None
        for cell in order:
            if cell in fits[index] and cell not in used:
                rest = extend(index + 1, used | {cell})
                if rest is not None:
                    return (cell, *rest)
        hopeless.add((index, used))
        return None

    return extend(0, frozenset())


def _fit(wanted: CellDemand, is_first: bool, cell: HostCell, placement: Placement, host: Host) -> _Fit:
    page_kib = _page(wanted, cell, placement, host)
    if not placement.dedicated:
        return _Fit((), None, page_kib)
    extra = 1 if is_first and placement.isolate_emulator else 0
    chosen = _threads(len(wanted.own) + extra, cell, placement.thread_policy, host.taken)
    return _Fit(tuple(zip(wanted.own, chosen)), chosen[-1] if extra else None, page_kib)


def _threads(count: int, cell: HostCell, policy: str, taken: frozenset[int]) -> list[int]:
    """Return the CPUs of ``cell`` for ``count`` threads; full cores first, then in the order of their numbers."""
    usable = _usable(cell, policy, taken)
    if len(usable) < count:
        what = {"isolate": "idle cores", "require": "free CPUs with a free sibling"}.get(policy, "free CPUs")
        raise NoRoomError(len(usable), count, what)
    return usable[:count]


def _usable(cell: HostCell, policy: str, taken: frozenset[int]) -> list[int]:
    cores = sorted(tuple(sorted(core)) for core in cell.cores)
    if policy == "isolate":
        return [core[0] for core in cores if not taken.intersection(core)]
    free = [[cpu for cpu in core if cpu not in taken] for core in cores]
    if policy == "require":
        free = [core for core in free if len(core) >= _SMT]
    free.sort(key=len, reverse=True)
    return [cpu for core in free for cpu in core]


def _page(wanted: CellDemand, cell: HostCell, placement: Placement, host: Host) -> int | None:
    """Return the size of huge pages that hold the memory, None for ordinary ones."""
    ordinary = _takes_ordinary(placement, host)
    huge = {size: free for size, free in cell.free_pages if size != host.small_page_kib}
    for size in sorted(huge, reverse=True):
        if placement.pages in (LARGE, ANY, size) and _are_enough(size, huge[size], wanted):
            return size
    if ordinary and wanted.memory_mb <= cell.free_memory_mb:
        return None
    if ordinary and placement.pages != ANY:
        raise NoRoomError(cell.free_memory_mb, wanted.memory_mb, "MiB of memory")
    pages = ", ".join(f"{free} of {size} KiB" for size, free in sorted(huge.items())) or "none"
    kind = placement.pages if isinstance(placement.pages, str) else f"{placement.pages} KiB"
    text = f"too few pages ({kind}) for {wanted.memory_mb} MiB, free huge pages: {pages}"
    most = max((size * free for size, free in huge.items() if placement.pages in (LARGE, ANY, size)), default=0)
    raise NoRoomError(most // _KIB_PER_MIB, wanted.memory_mb, f"MiB of pages ({kind})", text)


def _takes_ordinary(placement: Placement, host: Host) -> bool:
    return placement.pages in (None, SMALL, ANY, host.small_page_kib)


def _are_enough(size_kib: int, free: int, wanted: CellDemand) -> bool:
    """Tell whether pages hold the memory exactly."""
    need_kib = wanted.memory_mb * _KIB_PER_MIB
    return need_kib % size_kib == 0 and need_kib // size_kib <= free


def _lies_well(placed: PlacedCell, wanted: CellDemand, cell: HostCell, placement: Placement, host: Host) -> bool:
    """Tell whether a cell of the guest has the memory and the pins that are asked for."""
    if tuple(vcpu for vcpu, _cpu in placed.pins) != (wanted.own if placement.dedicated else ()):
        return False
    size = placed.page_kib
    if size is None:
        return _takes_ordinary(placement, host) and wanted.memory_mb <= cell.free_memory_mb
    free = dict(cell.free_pages).get(size, 0)
    return placement.pages in (LARGE, ANY, size) and size != host.small_page_kib and _are_enough(size, free, wanted)


def _suits(own: list[int], cell: HostCell, policy: str, taken: frozenset[int]) -> bool:
    """Tell whether threads are different ones of ``cell`` that lie as ``policy`` wants it.

    Policy require fills cores. Of an odd number one sibling is left over, which others may take.
    """
    if len(set(own)) != len(own) or not set(own) <= set(cell.cpus):
        return False
    cores = [frozenset(core) for core in cell.cores if set(core).intersection(own)]
    if policy == "isolate":
        return len(cores) == len(own) and not any(core & taken for core in cores)
    if policy != "require":
        return True
    is_filled = sum(len(core.intersection(own)) < _SMT for core in cores) <= 1
    return all(len(core if is_filled else core - taken) >= _SMT for core in cores)


def _isolates_emulator(placement: Placement) -> bool:
    return placement.dedicated and placement.isolate_emulator and bool(placement.cells)
