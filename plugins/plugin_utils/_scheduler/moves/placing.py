# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""New places for units that have to leave: the hardest first, and where none is left, others make way.

What makes way is first of all what was given its place here, which costs nothing; what stays at home otherwise may be
moved at a price. All searches are bounded by counts.

A batch has two searches of its own, for other ends. ``batch.repair`` exchanges what is only planned, which costs
nothing: it goes through worse plans for thousands of steps, with units that are alike. ``batch.room`` moves what runs for
the sake of what is new, so that the new one has to have its place first, and nothing is moved twice. Here every unit runs
and has to leave, and each move will be carried out.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ..model import DIMENSIONS
from .board import Board
from .units import Unit

_MILLION = 1_000_000
_MOST_TRIES = 20_000
"""How many ways of making way are looked at for one unit."""


@dataclass(frozen=True)
class Price:
    """Whether what could stay may be moved, and how many MiB of it for each that has to leave (None for any number)."""

    may_move: bool = False
    most_mb: int | None = None


@dataclass
class Placing:
    """The search for places; it moves units on the board."""

    board: Board
    targets: Sequence[int]
    packs: bool = False
    price: Price = field(default_factory=Price)
    homeless: list[Unit] = field(default_factory=list)
    leaving: set[int] = field(default_factory=set)
    """The numbers of the units that have to leave."""
    is_quick: bool = False
    """Whether the first host that will do is good enough; targets then come in the order in which they are tried."""
    room: Sequence[int] | None = None
    """How much all hosts may hold, where the caller knows."""
    _candidates: dict[int, int] = field(default_factory=dict)

    def place(self, units: Collection[Unit]) -> None:
        """Find a place for each; those that have none are homeless and stay where they are."""
        self.leaving = {unit.index for unit in units}
        waiting = []
        for unit in sorted(units, key=self._hardness):
            host = self._best(unit)
            if host is None:
                waiting.append(unit)
            else:
                self.board.move(unit, host)
        for unit in waiting:
            # Places that were taken since may have become free again.
            host = self._best(unit)
            if host is not None:
                self.board.move(unit, host)
            elif not self._make_way(unit):
                self.homeless.append(unit)

    def _hardness(self, unit: Unit) -> tuple[t.Any, ...]:
        if self.room is None:
            self.room = total_room(self.board, self.targets)
        if unit.kind not in self._candidates:
            self._candidates[unit.kind] = (
                0 if self.is_quick else sum(self.board.could(unit, host) for host in self.targets)
            )
        shares = [amount * _MILLION // max(1, whole) for amount, whole in zip(unit.amounts, self.room)]
        return self._candidates[unit.kind], -max(shares), [-share for share in shares], unit.index

    def _best(self, unit: Unit) -> int | None:
        if self.is_quick:
            return next((host for host in self.targets if self.board.may(unit, host)), None)
        best: tuple[t.Any, ...] | None = None
        for host in self.targets:
            key = (self.board.worsens(unit, host), self._fullness(unit, host), host)
            if (best is None or key < best) and self.board.may(unit, host):
                best = key
        return None if best is None else best[-1]

    def _fullness(self, unit: Unit, host: int) -> int:
        state = self.board.states[host]
        used = sum(
            (used + amount) * _MILLION // capacity
            for used, amount, capacity in zip(state.used, unit.amounts, state.capacity)
            if capacity
        )
        return -used if self.packs else used

    def _make_way(self, unit: Unit) -> bool:
        """Let one or two others go elsewhere so that a unit fits; the cheapest way that there is."""
        best: tuple[t.Any, ...] | None = None
        best_way: tuple[int, list[tuple[Unit, int]]] | None = None
        tries = 0
        for host in self.targets:
            if not self.board.could(unit, host):
                continue
            for victims in self._victims(host):
                cost = sum(victim.memory_mb for victim in victims if self._costs(victim))
                key = (cost, len(victims), sum(victim.memory_mb for victim in victims), host)
                too_much = self.price.most_mb is not None and cost > self.price.most_mb
                if too_much or (best is not None and key >= best):
                    continue
                tries += 1
                if tries > _MOST_TRIES:
                    break
                ways = self._ways(unit, host, victims)
                if ways:
                    best, best_way = key, (host, ways)
        if best_way is None:
            return False
        for victim, _place in best_way[1]:
            self.board.move(victim, None)
        self.board.move(unit, best_way[0])
        for victim, host in best_way[1]:
            self.board.move(victim, host)
        return True

    def _costs(self, unit: Unit) -> bool:
        """Tell whether a unit need not be moved but for others, and has not been yet."""
        return unit.index not in self.leaving and self.board.places[unit.index] == unit.home

    def _victims(self, host: int) -> list[tuple[Unit, ...]]:
        on = [
            unit
            for unit in self.board.units_on(host)
            if unit.index in self.leaving or self.board.places[unit.index] != unit.home or self.price.may_move
        ]
        on.sort(key=lambda unit: (self._costs(unit) * unit.memory_mb, unit.memory_mb, unit.index))
        singles: list[tuple[Unit, ...]] = [(unit,) for unit in on]
        return singles + [(one, other) for index, one in enumerate(on) for other in on[index + 1 :]]

    def _ways(self, unit: Unit, host: int, victims: tuple[Unit, ...]) -> list[tuple[Unit, int]]:
        """Return where victims go if a unit takes their place; nothing if that does not work. Leaves all as it was."""
        origin = self.board.places[unit.index]
        for victim in victims:
            self.board.move(victim, None)
        ways: list[tuple[Unit, int]] = []
        if self.board.may(unit, host):
            self.board.move(unit, host)
            for victim in sorted(victims, key=lambda victim: (-victim.memory_mb, victim.index)):
                place = self._best(victim)
                if place is None:
                    break
                self.board.move(victim, place)
                ways.append((victim, place))
            self.board.move(unit, origin)
        for victim in victims:
            self.board.move(victim, host)
        return ways if len(ways) == len(victims) else []


def total_room(board: Board, hosts: Sequence[int]) -> list[int]:
    """Return how much some hosts may hold together."""
    return [sum(board.states[host].capacity[index] for host in hosts) for index in range(len(DIMENSIONS))]
