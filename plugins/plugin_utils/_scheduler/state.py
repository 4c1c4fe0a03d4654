# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The room on a host while a plan is being made."""

from __future__ import annotations

from collections import Counter

from .model import Amounts, Demand, Host, Usage
from .names import natural_key


class HostState:
    """A host and what of it is taken; claims accumulate."""

    def __init__(self, host: Host) -> None:
        """Begin with what the host reports."""
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

    def place(self, demand: Demand) -> None:
        """Take all that a new instance takes."""
        self.claim(demand.amounts)
        self.instances += 1
        self.starting += 1
        if demand.group:
            self.members[demand.group.name] += 1

    def displace(self, demand: Demand) -> None:
        """Take back what ``place`` did."""
        self.release(demand.amounts)
        self.instances -= 1
        self.starting -= 1
        if demand.group:
            self.members[demand.group.name] -= 1

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
