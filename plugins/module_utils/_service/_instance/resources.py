# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a host an instance may have to itself: counted from what others are promised, and only when it is asked for.

Memory is counted as it is promised, not as it is used at the moment: what the host's cache holds is free, and what an
instance that is off was promised is not.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, replace

from ..._driver import host as host_driver
from ..._driver.connection import Connection
from ..._driver.inventory import read_mdevs, read_pci_devices
from ..._plan.allocate import Demand, allocate, wished
from ..._plan.machine import merged
from ..._plan.placed import place, promised, recorded
from ..._plan.topology import Allocation, FreeDevice, HostCell, taken_cpus
from ..._plan.topology import Host as Free
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine
from ..._spec.record import InstanceRecord
from ..._xml.capabilities import Cell, HostCapabilities, PageTotal
from ..facts_guests import Guest

_KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Holder:
    """A domain that is there, or one that is yet to be made, with what it has of the host."""

    name: str
    machine: Machine
    cpus: frozenset[int] = frozenset()
    """The host's CPUs that its vCPUs are pinned to."""
    pci: frozenset[str] = frozenset()
    is_active: bool = False


class Ledger:
    """Who has what of the host: all domains, and those that this run has planned so far."""

    def __init__(self, connection: Connection, guests: t.Callable[[], t.Mapping[str, Guest]]) -> None:
        """Take how the domains are read, which is done when it is needed."""
        self._connection = connection
        self._guests = guests
        self._claims: dict[str, Machine] = {}

    def forget(self) -> None:
        """Forget what was planned, because it is planned again."""
        self._claims.clear()

    def claim(self, name: str, machine: Machine) -> None:
        """Remember what an instance was given that is planned, so that the next gets something else."""
        guest = self._guests().get(name)
        self._claims[name] = merged(machine, guest.machine) if guest else machine

    @property
    def planned(self) -> t.Mapping[str, Machine]:
        """Return what this run has planned so far, by the instances' names."""
        return self._claims

    def place(self, spec: InstanceSpec, desired: Machine, existing: Machine | None) -> Machine:
        """Return the machine with what it gets of the host, or raise what is short; nothing is asked where nothing is wanted."""
        detail = spec.detail
        demand = Demand(detail.placement, detail.pci or (), detail.mdevs or (), detail.pci_affinity)
        if not demand.placement.cells and detail.pci is None and detail.mdevs is None:
            return desired
        holders = list(self._holders())
        others = [one for one in holders if one.name != spec.name]
        own = next((one for one in holders if one.name == spec.name), None)
        free = free_host(self._connection, demand, others, own)
        record = (existing.record if existing else None) or InstanceRecord()
        wish = wished(spec.wish, demand) if spec.wish else None
        allocation = allocate(spec.name, demand, free, _kept(spec, existing, record), wish)
        machine = place(desired, demand.placement, allocation)
        return replace(machine, record=_recorded(machine.record, spec, record, allocation))

    def _holders(self) -> t.Iterator[Holder]:
        """Give each domain, and what it is planned to be: until its next boot it has what it had."""
        for name, guest in self._guests().items():
            pinned, addresses = frozenset(guest.demand.pinned_cpus), frozenset(guest.demand.pci_addresses)
            yield Holder(name, guest.machine, pinned, addresses, guest.reading.is_active)
        for name, machine in self._claims.items():
            pins = machine.cpu_tune.vcpu_pins or ()
            given = frozenset(device.address for device in machine.hostdevs if device.type == "pci")
            yield Holder(name, machine, frozenset(cpu for pin in pins for cpu in pin.cpus), given)


def _recorded(
    new: InstanceRecord | None, spec: InstanceSpec, before: InstanceRecord, allocation: Allocation
) -> InstanceRecord | None:
    """Return the record with the devices that were given; those of a kind that is not declared stay in it."""
    if new is None:
        return None
    detail = spec.detail
    kept = (one for one in before.hostdevs if (detail.pci if _is_pci(one) else detail.mdevs) is None)
    return replace(new, hostdevs=(*kept, *allocation.pci, *allocation.mdevs))


def _is_pci(address: str) -> bool:
    return ":" in address


def _kept(spec: InstanceSpec, existing: Machine | None, record: InstanceRecord) -> Allocation | None:
    """Return what the instance has of what is asked for; what somebody plugged by hand is not of it."""
    if existing is None:
        return None
    there = recorded(existing)
    lies = bool(spec.detail.placement.cells)
    return Allocation(
        cells=there.cells if lies else (),
        emulator_cpu=there.emulator_cpu if lies else None,
        pci=tuple(one for one in there.pci if one in record.hostdevs) if spec.detail.pci is not None else (),
        mdevs=tuple(one for one in there.mdevs if one in record.hostdevs) if spec.detail.mdevs is not None else (),
    )


def free_host(connection: Connection, demand: Demand, others: t.Sequence[Holder], own: Holder | None) -> Free:
    """Return what is free for an instance, of the kinds that ``demand`` asks for."""
    capabilities = host_driver.capabilities(connection)
    cells = _cells(connection, capabilities, others, own) if demand.placement.cells else ()
    return Free(
        cells=cells,
        taken=_taken(cells, others),
        devices=_devices(connection, others) if demand.pci else (),
        mdevs=_mdevs(connection, others) if demand.mdevs else (),
        small_page_kib=capabilities.page_kib,
    )


def _taken(cells: t.Sequence[HostCell], others: t.Iterable[Holder]) -> frozenset[int]:
    pinned: set[int] = set()
    isolated: set[int] = set()
    for holder in others:
        emulator = recorded(holder.machine).emulator_cpu
        own = holder.cpus if emulator is None else holder.cpus | {emulator}
        record = holder.machine.record
        (isolated if record is not None and record.isolated else pinned).update(own)
    return taken_cpus(cells, pinned, isolated)


def _cells(
    connection: Connection, capabilities: HostCapabilities, others: t.Sequence[Holder], own: Holder | None
) -> tuple[HostCell, ...]:
    cells, small = capabilities.cells, capabilities.page_kib
    huge = {cell.id: [page for page in cell.pages if page.size_kib > small] for cell in cells}
    sizes = sorted({page.size_kib for pages in huge.values() for page in pages})
    free_now = host_driver.free_pages(connection, sizes, cells)
    memory, given = _promised(others)
    in_use = _promised([one for one in (*others, *([own] if own else ())) if one.is_active])[1]

    def left(cell: int, page: PageTotal) -> int:
        key = (cell, page.size_kib)
        now = free_now.get(cell, {}).get(page.size_kib, page.count)
        # What something else than domains holds can be promised to nobody.
        elsewhere = max(0, page.count - now - in_use[key])
        return max(0, page.count - elsewhere - given[key])

    def left_mb(cell: Cell) -> int:
        ordinary_kib = cell.memory_kib - sum(page.size_kib * page.count for page in huge[cell.id])
        return max(0, ordinary_kib // _KIB_PER_MIB - memory[cell.id])

    return tuple(
        HostCell(
            cell.id,
            cell.cores,
            left_mb(cell),
            tuple((page.size_kib, left(cell.id, page)) for page in huge[cell.id]),
            cell.socket,
        )
        for cell in cells
    )


def _promised(holders: t.Iterable[Holder]) -> tuple[Counter[int], Counter[tuple[int, int]]]:
    """Return by cell of the host the MiB of ordinary memory that is promised, and by cell and size the huge pages."""
    memory: Counter[int] = Counter()
    pages: Counter[tuple[int, int]] = Counter()
    # What one is planned to be counts, rather than what it is.
    for machine in {holder.name: holder.machine for holder in holders}.values():
        for there, memory_kib in promised(machine):
            if there.page_kib:
                pages[there.host_cell, there.page_kib] += -(-memory_kib // there.page_kib)
            else:
                memory[there.host_cell] += -(-memory_kib // _KIB_PER_MIB)
    return memory, pages


def _devices(connection: Connection, others: t.Iterable[Holder]) -> tuple[FreeDevice, ...]:
    used = {address for holder in others for address in holder.pci}
    return tuple(
        FreeDevice(device.address, device.vendor_id or "", device.product_id or "", device.numa_node)
        for device in read_pci_devices(connection)
        if not device.is_bridge and device.address not in used
    )


def _mdevs(connection: Connection, others: t.Iterable[Holder]) -> tuple[str, ...]:
    used = {device.address for holder in others for device in holder.machine.hostdevs if device.type == "mdev"}
    return tuple(uuid for uuid in read_mdevs(connection) if uuid not in used)
