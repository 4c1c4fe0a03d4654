# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Making room: what runs is moved so that something new fits, as little of it and as small as possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ..model import Demand, Migration, Request
from ..sticky import Resident
from .board import Board
from .units import Kind, Units

_MOST_MOVES = 3
"""How many instances are moved for one new one at most."""
_MOST_LOOKED_AT = 10
"""How many instances of a host are looked at, the smallest that help first."""
_TRIES = 200
"""How many ways to make room are tried out for each new instance."""


@dataclass(frozen=True)
class _Way:
    memory_mb: int
    host: int
    movers: tuple[int, ...]


class Room:
    """Moves residents off hosts for units that have no place."""

    def __init__(self, board: Board, residents: Sequence[Resident], cost: int | None) -> None:
        """Take what may be moved, and how many MiB may be moved for each new instance (None for any number)."""
        board.tell()
        self._board, self._cost = board, cost
        movable = [resident for resident in residents if not resident.request.demand.marks]
        units = Units([_as_new(resident) for resident in movable], board.masks, fuse=False)
        self._kinds: list[Kind] = [unit.kind for unit in units.units]
        self._residents = movable
        index = {state.name: number for number, state in enumerate(board.states)}
        self._on: dict[int, list[int]] = {}
        for number, resident in enumerate(movable):
            self._on.setdefault(index[resident.state.name], []).append(number)
        self.migrations: list[tuple[Resident, Migration]] = []

    def make(self) -> None:
        """Make room for all that has no place, the biggest first, while that is possible at the price."""
        board = self._board
        for unit in sorted(board.pool(), key=lambda unit: (-board.kind_of[unit].size, unit)):
            if len(board.kind_of[unit].demands) == 1:
                self._make_for(unit)

    def _make_for(self, unit: int) -> None:
        board, kind = self._board, self._board.kind_of[unit]
        straight = next((host for host in board.candidates(kind) if board.takes(kind, host)), None)
        if straight is not None:
            board.put(unit, straight)
            return
        ways = [way for host in board.masks.indices(kind.mask) for way in self._ways(kind, host)]
        ways.sort(key=lambda way: (len(way.movers), way.memory_mb, way.host, way.movers))
        for way in ways[:_TRIES]:
            if self._go(unit, way):
                return

    def _ways(self, kind: Kind, host: int) -> list[_Way]:
        """Return which residents would have to leave a host."""
        board = self._board
        lack = [max(0, amount - max(0, free)) for amount, free in zip(kind.amounts, self._really_free(host))]
        movers = [mover for mover in self._on.get(host, ()) if self._helps(mover, lack)]
        movers.sort(key=lambda mover: (self._memory(mover), mover))
        ways = []
        for count in range(1, _MOST_MOVES + 1):
            for chosen in combinations(movers[:_MOST_LOOKED_AT], count):
                memory = sum(self._memory(mover) for mover in chosen)
                if self._cost is not None and memory > self._cost:
                    continue
                given = [sum(self._kinds[mover].amounts[index] for mover in chosen) for index in range(len(lack))]
                if all(amount >= need for amount, need in zip(given, lack)):
                    ways.append(_Way(memory, host, chosen))
            if ways:
                break
        return [] if board.is_closed[host] else ways

    def _really_free(self, host: int) -> list[int]:
        # Unlike the board's figures these are negative on a host beyond its limits.
        state = self._board.states[host]
        return [state.free(index) for index in range(len(state.capacity))]

    def _helps(self, mover: int, lack: Sequence[int]) -> bool:
        """Tell whether it takes some of what is short; where nothing is, it may be its group that is in the way."""
        amounts = self._kinds[mover].amounts
        return not any(lack) or any(amount and need for amount, need in zip(amounts, lack))

    def _memory(self, mover: int) -> int:
        return self._residents[mover].guest.amounts[1]

    def _go(self, unit: int, way: _Way) -> bool:
        """Move what has to leave and put the unit there, or leave all as it is."""
        board, kind = self._board, self._board.kind_of[unit]
        for mover in way.movers:
            self._leave(mover, way.host)
        placed: list[tuple[int, int]] = []
        is_done = board.takes(kind, way.host)
        if is_done:
            board.put(unit, way.host)
            order = sorted(way.movers, key=lambda mover: (-self._kinds[mover].size, self._kinds[mover].amounts, mover))
            for mover in order:
                place = self._place_for(mover, way.host)
                if place is None:
                    is_done = False
                    break
                board.states[place].place(self._demand(mover))
                board.look_again(place)
                placed.append((mover, place))
        if is_done:
            self._note(unit, way.host, placed)
            return True
        for mover, place in reversed(placed):
            board.states[place].displace(self._demand(mover))
            board.look_again(place)
        if board.where[unit] == way.host:
            board.take(unit)
        for mover in reversed(way.movers):
            board.states[way.host].join(self._residents[mover].guest, self._demand(mover))
        board.look_again(way.host)
        return False

    def _leave(self, mover: int, host: int) -> None:
        self._board.states[host].leave(self._residents[mover].guest, self._demand(mover))
        self._board.look_again(host)

    def _demand(self, mover: int) -> Demand:
        return self._kinds[mover].demands[0]

    def _place_for(self, mover: int, besides: int) -> int | None:
        """Return the host that is left with least room of those that take a resident."""
        board, kind = self._board, self._kinds[mover]
        hosts = [host for host in board.candidates(kind) if host != besides and board.takes(kind, host)]
        return min(hosts, key=lambda host: (sum(board.free[host]), host), default=None)

    def _note(self, unit: int, host: int, placed: Sequence[tuple[int, int]]) -> None:
        board = self._board
        name = board.units.units[unit].requests[0].name
        for mover, place in placed:
            resident = self._residents[mover]
            self._on[host].remove(mover)
            move = Migration(
                resident.name,
                board.states[host].name,
                board.states[place].name,
                resident.guest.amounts,
                f"makes room for {name}",
            )
            self.migrations.append((resident, move))


def _as_new(resident: Resident) -> Request:
    return replace(resident.request, demand=resident.demand)
