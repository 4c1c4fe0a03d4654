# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where everything is while moves are being looked for, and where it may go: the scheduler's own filters decide.

The board of a batch is another one. There nothing that runs takes part, so that a unit has no home whose room comes back
only in part, no other fleet's rules and no namesakes, and a few whole numbers for each host do for thousands of units that
are alike. Here units run already, have their room on both hosts during a move, and each is somebody's.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ..filters import Filter, NameFilter, first_refusal, refused_in_turn
from ..model import Demand, Host
from ..state import HostState, host_states
from .units import Unit


class Board:
    """Hosts, and the units on them."""

    def __init__(self, hosts: Sequence[Host], units: Sequence[Unit], filters: Mapping[str, Sequence[Filter]]) -> None:
        """Put every unit at home; there are filters for every fleet."""
        self.states = host_states(hosts)
        self.units = units
        self.places: list[int | None] = [unit.home for unit in units]
        self.on: list[set[int]] = [set() for _host in hosts]
        for unit in units:
            self.on[unit.home].add(unit.index)
        self.away: set[int] = set()
        """The numbers of the units that are not at home."""
        self._filters = filters
        self._twins = _twins(units)
        self._dynamic: dict[int, tuple[Filter, ...]] = {}
        self._static: dict[tuple[int, int], bool] = {}

    def may(self, unit: Unit, host: int) -> bool:
        """Tell whether a unit may go to a host as all else is now; what it leaves behind does not matter there."""
        if not self.could(unit, host) or self._namesakes(unit, host):
            return False
        if unit.is_grouped or len(unit.demands) > 1:
            return self.refusal(unit, host) is None
        return first_refusal(self._dynamic_filters(unit), self.states[host], unit.demands[0]) is None

    def could(self, unit: Unit, host: int) -> bool:
        """Tell whether nothing stands in the way but what else is there."""
        known = self._static.get((unit.kind, host))
        if known is None:
            static = [rule for rule in self._filters[unit.fleet] if rule.is_static]
            state = self.states[host]
            known = all(first_refusal(static, state, demand) is None for demand in unit.demands)
            self._static[unit.kind, host] = known
        return known

    def refusal(self, unit: Unit, host: int) -> tuple[str, str] | None:
        """Return the first filter that keeps a unit from a host, with its message; None if it may go there."""
        if self._namesakes(unit, host):
            return NameFilter.name, "has something of the same name by then"
        origin = self.places[unit.index]
        if origin is not None:
            self.leave(unit, origin)
        found = refused_in_turn(self.states[host], unit.demands, [self._filters[unit.fleet]] * len(unit.demands))
        if origin is not None:
            self.arrive(unit, origin)
        return None if found is None else (found[0].name, found[1])

    def worsens(self, unit: Unit, host: int) -> bool:
        """Tell whether a move would part what likes to be together, or join what likes to be apart."""
        origin = self.places[unit.index]
        if origin is None:
            return False
        return any(
            demand.group is not None
            and (
                (
                    demand.group.policy == "soft-affinity"
                    and self._others(demand, origin, 1) > self._others(demand, host)
                )
                or (
                    demand.group.policy == "soft-anti-affinity"
                    and self._others(demand, host) > self._others(demand, origin, 1)
                )
            )
            for demand in unit.demands
        )

    def _others(self, demand: Demand, host: int, itself: int = 0) -> int:
        return self.states[host].members[demand.group.name] - itself if demand.group else 0

    def move(self, unit: Unit, host: int | None) -> None:
        """Put a unit somewhere else, or nowhere."""
        origin = self.places[unit.index]
        if origin is not None:
            self.leave(unit, origin)
        if host is not None:
            self.arrive(unit, host)
        self._put(unit, host)

    def arrive(self, unit: Unit, host: int) -> None:
        """Take room for a unit."""
        state = self.states[host]
        for guest, demand in zip(unit.guests, unit.demands):
            if host == unit.home:
                state.join(guest, demand)
            else:
                state.place(demand)
        self._correct(state, unit, host, -1)
        self.on[host].add(unit.index)
        self._put(unit, host)

    def leave(self, unit: Unit, host: int) -> None:
        """Give back the room that a unit has."""
        state = self.states[host]
        # First, since room that is given back never falls below zero.
        self._correct(state, unit, host, 1)
        for guest, demand in zip(unit.guests, unit.demands):
            if host == unit.home:
                state.leave(guest, demand)
            else:
                state.displace(demand)
        self.on[host].discard(unit.index)

    def units_on(self, host: int) -> t.Iterator[Unit]:
        """Give the units of a host in order."""
        return (self.units[index] for index in sorted(self.on[host]))

    def _put(self, unit: Unit, host: int | None) -> None:
        self.places[unit.index] = host
        if host == unit.home:
            self.away.discard(unit.index)
        else:
            self.away.add(unit.index)

    def _namesakes(self, unit: Unit, host: int) -> bool:
        """Tell whether something of the same name has come to a host; what was there before NameFilter knows of."""
        return unit.index in self._twins and not self._twins[unit.index].isdisjoint(self.on[host])

    def _dynamic_filters(self, unit: Unit) -> tuple[Filter, ...]:
        found = self._dynamic.get(unit.kind)
        if found is None:
            demand = unit.demands[0]
            found = tuple(rule for rule in self._filters[unit.fleet] if not rule.is_static and rule.applies(demand))
            self._dynamic[unit.kind] = found
        return found

    @staticmethod
    def _correct(state: HostState, unit: Unit, host: int, sign: int) -> None:
        if host == unit.home and unit.home_amounts != unit.amounts:
            for index, (whole, freed) in enumerate(zip(unit.amounts, unit.home_amounts)):
                state.used[index] += sign * (whole - freed)


def _twins(units: Sequence[Unit]) -> dict[int, set[int]]:
    """Return the units of other fleets that have the same name, of those that have such ones."""
    holders: dict[str, set[int]] = {}
    for unit in units:
        for guest in unit.guests:
            holders.setdefault(guest.name, set()).add(unit.index)
    found: dict[int, set[int]] = {}
    for indexes in holders.values():
        for index in indexes if len(indexes) > 1 else ():
            found.setdefault(index, set()).update(indexes - {index})
    return found
