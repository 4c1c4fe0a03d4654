# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The room on a host while a plan is being made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .model import Amounts, Demand, Guest, Host, Usage
from .names import natural_key
from .topology.facts import read_host_facts
from .topology.state import HostTopology


def share_left(free: Sequence[int], capacity: Sequence[int]) -> int:
    """Return how much of a host is free, in millionths and over all dimensions."""
    return sum(room * 1_000_000 // whole for room, whole in zip(free, capacity) if whole)


def host_states(hosts: Sequence[Host]) -> list[HostState]:
    """Return the states of hosts that are planned together."""
    everywhere: Counter[str] = Counter()
    return [HostState(host, everywhere) for host in hosts]


class HostState:
    """A host and what of it is taken; claims accumulate."""

    def __init__(self, host: Host, everywhere: Counter[str] | None = None) -> None:
        """Begin with what the host reports; ``everywhere`` counts the members of groups on all hosts together."""
        self.host = host
        self.name = host.name
        self.order = natural_key(host.name)
        self.capacity = host.limits.capacity(host.total)
        self.used = list(host.used)
        self.instances = len(host.guests)
        self.starting = 0
        """Instances that this plan starts there: Nova's num_io_ops."""
        self.members: Counter[str] = Counter(guest.group for guest in host.guests if guest.group)
        """How many instances of each server group are there."""
        self.everywhere = Counter() if everywhere is None else everywhere
        self.everywhere.update(self.members)
        self.names: Counter[str] = Counter(name for guest in host.guests for name in guest.names)
        """Names and UUIDs of what is there, as far as hints may ask for it."""
        self.pool_claims: Counter[str] = Counter()
        """GiB that this plan puts in each storage pool that requests name."""
        self.properties: Counter[tuple[str, str]] = Counter(pair for guest in host.guests for pair in guest.properties)
        """How many instances' images have each property."""
        self._topology: HostTopology | None = None

    @property
    def topology(self) -> HostTopology:
        """Return the NUMA cells and devices; the facts are read once somebody asks."""
        if self._topology is None:
            self._topology = HostTopology(read_host_facts(self.name, self.host.facts))
        return self._topology

    def place(self, demand: Demand) -> None:
        """Take all that a new instance takes."""
        self.claim(demand.amounts)
        self.instances += 1
        self.starting += 1
        self._count(demand, 1)

    def displace(self, demand: Demand) -> None:
        """Take back what ``place`` did."""
        self.release(demand.amounts)
        self.instances -= 1
        self.starting -= 1
        self._count(demand, -1)

    def leave(self, guest: Guest, demand: Demand) -> None:
        """Give back all that a running instance takes, which the state began with and which ``join`` takes again.

        The room of its volumes in other pools is not counted on.
        """
        self.release(demand.amounts)
        self._count_guest(guest, demand, -1)
        if guest.has_own_parts:
            self.topology.leave(guest.name)

    def join(self, guest: Guest, demand: Demand) -> None:
        """Take back what ``leave`` did."""
        self.claim(demand.amounts)
        self._count_guest(guest, demand, 1)
        if guest.has_own_parts:
            self.topology.come_back(guest.name)

    def _count_guest(self, guest: Guest, demand: Demand, number: int) -> None:
        self.instances += number
        if demand.group:
            self._count_member(demand.group.name, number)
        for name in guest.names:
            self.names[name] += number
        for pair in guest.properties:
            self.properties[pair] += number

    def regroup(self, old: str | None, new: str | None) -> None:
        """Count an instance in the group that it is declared in now."""
        if old != new:
            for group, number in ((old, -1), (new, 1)):
                if group is not None:
                    self._count_member(group, number)

    def _count_member(self, group: str, number: int) -> None:
        self.members[group] += number
        self.everywhere[group] += number

    def forget(self, guest: Guest) -> None:
        """Give back all that an instance takes that is about to go."""
        self.release(guest.amounts)
        self.instances -= 1
        self.regroup(guest.group, None)
        self.names.subtract(guest.names)
        self.properties.subtract(guest.properties)
        if guest.has_own_parts:
            self.topology.leave(guest.name)

    def _count(self, demand: Demand, number: int) -> None:
        if demand.group:
            self._count_member(demand.group.name, number)
        for name in demand.marks:
            self.names[name] += number
        for pool, size_gb in demand.pools:
            self.pool_claims[pool] += number * size_gb
        for pair in demand.properties:
            self.properties[pair] += number
        if demand.topology is not None:
            (self.topology.take if number > 0 else self.topology.give)(demand.topology)

    def claim(self, amounts: Amounts) -> None:
        """Take room."""
        for index, amount in enumerate(amounts):
            self.used[index] += amount

    def release(self, amounts: Amounts) -> None:
        """Give room back, never more than is taken."""
        for index, amount in enumerate(amounts):
            self.used[index] = max(0, self.used[index] - amount)

    def free(self, index: int) -> int:
        """Return how much of a dimension is left; negative on a host that is overcommitted already."""
        return self.capacity[index] - self.used[index]

    def as_usage(self) -> Usage:
        """Return the state as a value."""
        return Usage(self.host, tuple(self.used), self.capacity)
