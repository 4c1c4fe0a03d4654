# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where units are, in whole numbers only; undone as quickly as done."""

from __future__ import annotations

from collections.abc import Sequence

from ..filters import first_refusal, refused_in_turn
from ..model import DIMENSIONS
from ..state import HostState
from .masks import Masks
from .units import MILLION, Kind, Units

NOWHERE = -1


class Board:
    """The hosts with what this plan puts on them. What runs already is part of the hosts."""

    def __init__(self, states: Sequence[HostState], units: Units, masks: Masks, *, watches: bool = False) -> None:
        """Take the hosts in order; ``watches`` lets their states learn of everything at once."""
        self.states, self.masks = states, masks
        self.kinds, self.units = units.kinds, units
        self.kind_of = [unit.kind for unit in units.units]
        self.where = [NOWHERE] * len(self.kind_of)
        self.on: list[dict[int, None]] = [{} for _state in states]
        self.capacity = [state.capacity for state in states]
        self.free = [self._free(state) for state in states]
        self.is_closed = bytearray(len(states))
        """Hosts that nothing is put on for the time being."""
        self.is_busy = [state.instances > 0 for state in states]
        """Whether something is there that this plan did not put there."""
        self._apart: set[int] = set()
        # Where no rule but capacity looks at claims, the states learn of them in the end.
        self._is_told = watches or not all(kind.is_plain and kind.soft is None for kind in self.kinds)
        self.demanded = [
            sum(kind.amounts[index] * len(kind.units) for kind in self.kinds) for index in range(len(DIMENSIONS))
        ]
        self.room = [sum(free[index] for free in self.free) for index in range(len(DIMENSIONS))]
        for kind in self.kinds:
            kind.size = self._size(kind)

    @staticmethod
    def _free(state: HostState) -> list[int]:
        # A host beyond its limits takes nothing more, and what takes nothing always fits.
        return [max(0, state.free(index)) for index in range(len(DIMENSIONS))]

    def _size(self, kind: Kind) -> int:
        """Return how much of the room it takes; a dimension counts by how scarce it is."""
        return sum(
            amount * MILLION // max(1, room) * wanted // max(1, room)
            for amount, room, wanted in zip(kind.amounts, self.room, self.demanded)
        ) + max(amount * MILLION // max(1, room) for amount, room in zip(kind.amounts, self.room))

    def has_room(self, kind: Kind, host: int) -> bool:
        """Tell whether there is room, and the host is not closed."""
        first, second, third = kind.amounts
        free = self.free[host]
        return first <= free[0] and second <= free[1] and third <= free[2] and not self.is_closed[host]

    def takes(self, kind: Kind, host: int) -> bool:
        """Tell whether the host takes a unit of the kind now."""
        return self.has_room(kind, host) and kind.mask >> host & 1 == 1 and (kind.is_plain or self.allows(kind, host))

    def allows(self, kind: Kind, host: int) -> bool:
        """Ask the rules that depend on what is there already."""
        state = self.states[host]
        if len(kind.demands) == 1:
            return first_refusal(kind.dynamic[0], state, kind.demands[0]) is None
        return refused_in_turn(state, kind.demands, kind.dynamic) is None

    def candidates(self, kind: Kind) -> list[int]:
        """Return the hosts that have room and pass the static rules, in order."""
        first, second, third = kind.amounts
        free, closed = self.free, self.is_closed
        return [
            host
            for host in self.masks.indices(kind.mask)
            if first <= free[host][0] and second <= free[host][1] and third <= free[host][2] and not closed[host]
        ]

    def put(self, unit: int, host: int) -> None:
        """Put a unit on a host that takes it."""
        kind = self.kind_of[unit]
        first, second, third = kind.amounts
        free = self.free[host]
        free[0] -= first
        free[1] -= second
        free[2] -= third
        self.where[unit] = host
        self.on[host][unit] = None
        if self._is_told:
            for demand in kind.demands:
                self.states[host].place(demand)

    def take(self, unit: int) -> int:
        """Take a unit off its host; return which."""
        kind, host = self.kind_of[unit], self.where[unit]
        first, second, third = kind.amounts
        free = self.free[host]
        free[0] += first
        free[1] += second
        free[2] += third
        self.where[unit] = NOWHERE
        del self.on[host][unit]
        if self._is_told:
            for demand in reversed(kind.demands):
                self.states[host].displace(demand)
        return host

    def clear(self) -> None:
        """Take everything off."""
        for unit, host in enumerate(self.where):
            if host != NOWHERE:
                self.take(unit)

    def restore(self, places: Sequence[int]) -> None:
        """Put every unit where it was when ``where`` was copied."""
        moved = [unit for unit, host in enumerate(places) if host != self.where[unit]]
        for unit in moved:
            if self.where[unit] != NOWHERE:
                self.take(unit)
        for unit in moved:
            if places[unit] != NOWHERE:
                self.put(unit, places[unit])

    def tell(self) -> None:
        """Let the states know of what was put on them; from now on they are told at once."""
        if not self._is_told:
            for unit, host in enumerate(self.where):
                if host != NOWHERE:
                    for demand in self.kind_of[unit].demands:
                        self.states[host].place(demand)
        self._is_told = True

    def split(self, unit: int) -> list[int]:
        """Take a unit that is nowhere apart; return its parts."""
        self._apart.add(unit)
        parts = self.units.split(unit)
        self.kind_of.extend(self.units.units[part].kind for part in parts)
        self.where.extend(NOWHERE for _part in parts)
        return parts

    def look_again(self, host: int) -> None:
        """Read a host's room anew, after something that runs there came or went."""
        self.free[host] = self._free(self.states[host])

    def in_order(self) -> list[int]:
        """Return all units, the biggest first and those that follow others last."""
        follows = {kind: any(demand.hints.same_host for demand in kind.demands) for kind in self.kinds}
        return sorted(
            range(len(self.where)),
            key=lambda unit: (follows[self.kind_of[unit]], -self.kind_of[unit].size, self.kind_of[unit].index, unit),
        )

    def pool(self) -> list[int]:
        """Return the units that have no place."""
        return [unit for unit, host in enumerate(self.where) if host == NOWHERE and unit not in self._apart]

    def missing(self) -> tuple[int, int]:
        """Return how many requests have no place, and how big they are together: less is better."""
        pool = self.pool()
        return sum(len(self.kind_of[unit].demands) for unit in pool), sum(self.kind_of[unit].size for unit in pool)

    def opened(self) -> int:
        """Return how many hosts have something, of this plan or before it."""
        return sum(1 for is_busy, units in zip(self.is_busy, self.on) if units or is_busy)

    def is_used(self, host: int) -> bool:
        """Tell whether a host has something, of this plan or before it."""
        return self.is_busy[host] or bool(self.on[host])

    def is_pinned(self, unit: int) -> bool:
        """Tell whether a unit stays where it was put first: others may be there because of it."""
        return any(demand.marks for demand in self.kind_of[unit].demands)
