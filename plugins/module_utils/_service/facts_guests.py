# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A host's guests as facts: each one's row, and what all of them take. Pure.

Nova's resource tracker counts what instances were promised, not what they use at the moment: vCPUs and memory as
defined, the disk as the flavor says. Of a shelved instance, as of one that Nova has offloaded, only the disk counts.
Guests that are not ours count with what they are defined with, since the room they take is as gone.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._driver.guests import BlockStats, GuestReading
from .._spec.machine import Disk, Machine
from .._spec.record import InstanceRecord
from .._xml import domain as domain_xml
from .._xml.demand import HostDemand, read_host_demand

GIB = 1024**3
_KIB_PER_MIB = 1024
_NO_RECORD = InstanceRecord()
_POWER_STATES = {
    "running": "running",
    "blocked": "running",
    # On its way off, and all of it still there.
    "shutdown": "running",
    "paused": "paused",
    "pmsuspended": "suspended",
    "shutoff": "stopped",
    "crashed": "crashed",
}


@dataclass(frozen=True)
class PoolPlace:
    """The storage pool whose room is counted."""

    name: str
    path: str | None

    def holds(self, path: str | None) -> bool:
        """Tell whether a path lies in the pool."""
        return bool(self.path and path and path.startswith(self.path.rstrip("/") + "/"))


@dataclass(frozen=True)
class Guest:
    """A domain with all that facts say of it."""

    reading: GuestReading
    machine: Machine
    demand: HostDemand

    @property
    def record(self) -> InstanceRecord | None:
        """Return what the collection wrote into it; None on a domain that is not ours."""
        return self.machine.record

    @property
    def vcpus(self) -> int:
        """Return the vCPUs it was promised; of another's guest the most it can have."""
        if self.record is None or self.record.adopted:
            return self.machine.vcpus
        return max(self.record.vcpus, self.machine.current_vcpus or 0)

    @property
    def memory_mb(self) -> int:
        """Return the MiB it was promised; of another's guest the most it can have."""
        if self.record is None or self.record.adopted:
            return -(-self.machine.memory_kib // _KIB_PER_MIB)
        return max(self.record.memory_mb, -(-(self.machine.current_memory_kib or 0) // _KIB_PER_MIB))

    @property
    def is_shelved(self) -> bool:
        """Tell whether its vCPUs and memory are promised to others; one that runs all the same has them."""
        return bool(self.record and self.record.shelved and not self.reading.is_active)

    @property
    def claimed_vcpus(self) -> int:
        """Return the vCPUs of the host that it was promised."""
        return 0 if self.is_shelved else self.vcpus

    @property
    def claimed_memory_mb(self) -> int:
        """Return the memory of the host that it was promised."""
        return 0 if self.is_shelved else self.memory_mb

    @property
    def power_state(self) -> str:
        """Return Nova's word for its state."""
        return power_state(self.reading)

    def writable_blocks(self) -> t.Iterator[tuple[Disk, BlockStats]]:
        """Give the disks that take room of the host, with their sizes."""
        blocks = {block.target: block for block in self.reading.blocks}
        for disk in self.machine.disks:
            if disk.device == "disk" and not disk.readonly and disk.target in blocks:
                yield disk, blocks[disk.target]

    def disk_gb(self) -> int:
        """Return the declared size of an instance of ours, and what all disks of another guest can grow to."""
        if self.record and not self.record.adopted:
            return self.record.disk_gb + self._volumes_gb(None)
        return _whole_gib(block.capacity_bytes or 0 for _disk, block in self.writable_blocks())

    def disk_gb_in(self, pool: PoolPlace) -> int:
        """Return how much of the pool it was promised."""
        if self.record and not self.record.adopted:
            root = self.record.root
            return self._volumes_gb(pool.name) + (self.record.disk_gb if root and root.pool == pool.name else 0)
        own = (block for _disk, block in self.writable_blocks() if pool.holds(block.path))
        return _whole_gib(block.capacity_bytes or 0 for block in own)

    def _volumes_gb(self, pool: str | None) -> int:
        """Return what the volumes beside the root disk can grow to that were made for it, in one pool or in all."""
        record = self.record or _NO_RECORD
        made = {disk.target for disk in record.disks if disk != record.root and pool in (None, disk.pool)}
        return _whole_gib(block.capacity_bytes or 0 for block in self.reading.blocks if block.target in made)


def power_state(reading: GuestReading) -> str:
    """Return Nova's word for a domain's state."""
    if reading.state == "shutoff" and reading.has_saved_memory:
        return "suspended"
    return _POWER_STATES.get(reading.state, "nostate")


def understand(readings: t.Iterable[GuestReading]) -> list[Guest]:
    """Return the guests with their definitions read."""
    return [Guest(reading, domain_xml.read(reading.xml), read_host_demand(reading.xml)) for reading in readings]


def instance_row(guest: Guest) -> dict[str, t.Any]:
    """Return the guest as an item of the fact ``instances``."""
    record = guest.record or _NO_RECORD
    return {
        "name": guest.reading.name,
        "uuid": guest.reading.uuid,
        "managed": guest.record is not None,
        "fleet": record.fleet,
        "flavor": record.flavor or None,
        "image": record.image,
        "vcpus": guest.vcpus,
        "memory_mb": guest.memory_mb,
        "disk_gb": guest.disk_gb(),
        "power_state": guest.power_state,
        "group": record.group,
        "group_policy": record.group_policy,
        "created_at": record.created_at or None,
    }


def growth_bytes(guests: t.Iterable[Guest], pool: PoolPlace) -> int:
    """Return how much the disks in the pool may still grow; a disk that several guests share counts once."""
    growth: dict[str, int] = {}
    for guest in guests:
        for _disk, block in guest.writable_blocks():
            if block.path and pool.holds(block.path) and block.capacity_bytes is not None:
                growth[block.path] = max(0, block.capacity_bytes - (block.allocation_bytes or 0))
    return sum(growth.values())


def pinned_cpus(guests: t.Iterable[Guest]) -> frozenset[int]:
    """Return the host CPUs that some guest's vCPU is pinned to."""
    return frozenset(cpu for guest in guests for cpu in guest.demand.pinned_cpus)


def pci_users(guests: t.Iterable[Guest]) -> dict[str, str]:
    """Return which guest has a PCI device: by address; of several, one that is there now."""
    users: dict[str, str] = {}
    for guest in sorted(guests, key=lambda one: (not one.reading.is_active, one.reading.name)):
        for address in guest.demand.pci_addresses:
            users.setdefault(address, guest.reading.name)
    return users


def _whole_gib(sizes: t.Iterable[int]) -> int:
    return -(-sum(sizes) // GIB)
