# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How many instances of one flavor fit on a host, without placing them one by one where that can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..filters import CapacityFilter, Filter, dynamic_besides_room
from ..model import Demand
from ..state import HostState


@dataclass(frozen=True)
class Count:
    """How many fit, and which filters refuse one more."""

    number: int
    stops: tuple[str, ...]


class Counter:
    """Counts instances of one demand."""

    def __init__(self, demand: Demand, filters: Sequence[Filter]) -> None:
        """Take what is asked for and the filters to ask."""
        self.demand = demand
        self._static = [rule for rule in filters if rule.is_static]
        self._room = [rule for rule in filters if isinstance(rule, CapacityFilter)]
        # Of these only trying tells how often they let one pass.
        self._others = dynamic_besides_room(filters, demand)

    def could(self, state: HostState) -> bool:
        """Tell whether a host would take one if it were empty, as far as its kind goes."""
        return all(rule.passes(state, self.demand) for rule in self._static)

    def count(self, state: HostState) -> Count:
        """Return how many more a host takes."""
        refused = [rule.name for rule in self._static if not rule.passes(state, self.demand)]
        if refused:
            return Count(0, (refused[0],))
        most = self.most(state, [state.free(index) for index in range(len(state.capacity))])
        number = most if not self._others else self._tried(state, most)
        for _instance in range(number):
            state.place(self.demand)
        stops = tuple(rule.name for rule in (*self._others, *self._room) if not rule.passes(state, self.demand))
        for _instance in range(number):
            state.displace(self.demand)
        return Count(number, stops)

    def number(self, state: HostState) -> int:
        """Return how many more a host takes, without what stops it."""
        if not self.could(state):
            return 0
        most = self.most(state, [state.free(index) for index in range(len(state.capacity))])
        return most if not self._others else self._tried(state, most)

    def most(self, state: HostState, room: Sequence[int]) -> int:
        """Return how many some room of a host has place for."""
        numbers = [
            0 if amount > total else max(0, free) // amount
            for amount, total, free in zip(self.demand.amounts, state.host.total, room)
            if amount
        ]
        return min(numbers, default=0)

    def _is_let_in(self, state: HostState) -> bool:
        topology = self.demand.topology
        return all(rule.passes(state, self.demand) for rule in self._others) and (
            topology is None or state.topology.fits(topology)
        )

    def _tried(self, state: HostState, most: int) -> int:
        number = 0
        while number < most and self._is_let_in(state):
            state.place(self.demand)
            number += 1
        for _instance in range(number):
            state.displace(self.demand)
        return number
