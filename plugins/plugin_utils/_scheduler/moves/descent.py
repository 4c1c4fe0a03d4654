# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Make hosts alike: the move that helps most, again and again, and where no move helps, an exchange.

Only moves from the fullest hosts to the emptiest are looked at, more of them where those don't help. All stops are counts,
so that the same input gives the same moves.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from ..model import Amounts
from .balance import Balance
from .board import Board
from .budget import Budget
from .units import Unit

_WIDTHS = (10, 40)
"""How many of the fullest and of the emptiest hosts are looked at."""
_EXCHANGE_WIDTH = 6
_DETOURS = 4
_SHIFT = 40
_MOST_STEPS_PER_UNIT = 4

Step = tuple[Unit, int]
"""A unit and where it goes."""


@dataclass(frozen=True)
class Wishes:
    """When a move is worth it, in units of the balance's value."""

    least_gain: int
    target: int
    """No further than this."""
    prefers_memory: bool
    """Whether gain counts for each MiB that is moved."""

    def key(self, gain: int, memory_mb: int) -> int:
        """Return how good a gain is."""
        return (gain << _SHIFT) // max(1, memory_mb) if self.prefers_memory else gain


class Descent:
    """The search; it moves units on the board and keeps the balance."""

    def __init__(self, board: Board, balance: Balance, budget: Budget, wishes: Wishes) -> None:
        """Begin with things as they are."""
        self._board, self._balance, self._budget, self._wishes = board, balance, budget, wishes
        self.trail: list[Step] = []
        """Every move in the order in which it was made: each is allowed after those before it."""

    def run(self) -> None:
        """Move until nothing helps any more."""
        for _step in range(_MOST_STEPS_PER_UNIT * len(self._board.units) + 1):
            if self._balance.value <= self._wishes.target or not (self._move() or self._exchange()):
                return

    def move(self, unit: Unit, host: int) -> None:
        """Make one move."""
        origin = self._board.places[unit.index]
        if origin is None:
            raise RuntimeError(f"{unit.describe()} is nowhere")
        self._board.move(unit, host)
        self._balance.apply(origin, unit.taken(origin), -1)
        self._balance.apply(host, unit.taken(host), 1)
        self._budget.spend(unit, origin != unit.home, host != unit.home)
        self.trail.append((unit, host))

    def trade(self, unit: Unit, other: Unit, host: int, host_of_other: int) -> None:
        """Let two units of a kind have each other's place: nothing else sees a difference."""
        for mover in (unit, other):
            self._budget.spend(mover, self._board.places[mover.index] != mover.home, False)
        self._board.move(other, None)
        self._board.move(unit, host)
        self._board.move(other, host_of_other)
        for mover in (unit, other):
            self._budget.spend(mover, False, self._board.places[mover.index] != mover.home)
        self.trail += [(unit, host), (other, host_of_other)]

    def _ends(self, width: int) -> tuple[list[int], list[int]]:
        """Return the fullest hosts and the emptiest."""
        ordered = sorted(self._balance.members, key=lambda host: (self._balance.heat(host), host))
        return ordered[: -width - 1 : -1], ordered[:width]

    def _kinds(self, host: int) -> list[Unit]:
        """Return one unit of each kind that is there, rather one that was moved already."""
        found: dict[tuple[int, Amounts], Unit] = {}
        for unit in self._board.units_on(host):
            key = (unit.kind, unit.taken(host))
            if key not in found or (unit.home != host and found[key].home == host):
                found[key] = unit
        return list(found.values())

    def _is_affordable(self, *units: Unit) -> bool:
        return not self._budget.is_limited or self._budget.allows(
            [(unit, self._board.places[unit.index] != unit.home) for unit in units]
        )

    def _move(self) -> bool:
        for width in _WIDTHS:
            best = self._best_move(*self._ends(width))
            if best is not None:
                self.move(*best)
                return True
            if width >= len(self._balance.members):
                break
        return False

    def _best_move(self, sources: Sequence[int], targets: Sequence[int]) -> Step | None:
        best: Step | None = None
        best_key = 0
        for source in sources:
            for unit in self._kinds(source):
                if not self._is_affordable(unit):
                    continue
                gone = self._balance.change(source, unit.taken(source), -1)
                for target in targets:
                    if target == source:
                        continue
                    come = self._balance.change(target, unit.taken(target), 1)
                    gain = self._balance.value - self._balance.after(gone, come)
                    if gain < self._wishes.least_gain:
                        continue
                    key = self._wishes.key(gain, unit.memory_mb)
                    if key > best_key and self._is_legal(unit, target):
                        best, best_key = (unit, target), key
        return best

    def _is_legal(self, unit: Unit, target: int) -> bool:
        return self._board.may(unit, target) and not self._board.worsens(unit, target)

    def _exchange(self) -> bool:
        """Exchange two units if that helps and can be done one move after the other."""
        for _key, unit, other in self._exchanges(*self._ends(_EXCHANGE_WIDTH)):
            steps = self._way(unit, other)
            if steps:
                for step in steps:
                    self.move(*step)
                return True
        return False

    def _exchanges(self, sources: Sequence[int], targets: Sequence[int]) -> list[tuple[int, Unit, Unit]]:
        """Return the exchanges that help, the best first; only so many, since most of the best can be done."""
        found = []
        for source in sources:
            for target in targets:
                if source == target or self._balance.heat(source) <= self._balance.heat(target):
                    continue
                for unit, other in self._pairs(source, target):
                    gone = self._balance.exchange(source, unit.taken(source), other.taken(source))
                    come = self._balance.exchange(target, other.taken(target), unit.taken(target))
                    gain = self._balance.value - self._balance.after(gone, come)
                    if gain >= 2 * self._wishes.least_gain:
                        key = self._wishes.key(gain, unit.memory_mb + other.memory_mb)
                        found.append((-key, unit.index, other.index, unit, other))
        found.sort(key=lambda item: item[:3])
        return [(-key, unit, other) for key, _index, _other, unit, other in found[:20]]

    def _pairs(self, source: int, target: int) -> t.Iterator[tuple[Unit, Unit]]:
        others = self._kinds(target)
        for unit in self._kinds(source):
            for other in others:
                if unit.kind != other.kind and self._is_affordable(unit, other):
                    yield unit, other

    def _way(self, unit: Unit, other: Unit) -> list[Step]:
        """Return the moves of an exchange, by way of a third host where the two have no room for both; nothing if none is allowed."""
        here, there = self._board.places[unit.index], self._board.places[other.index]
        if here is None or there is None:
            return []
        ways: list[list[Step]] = [[(unit, there), (other, here)], [(other, here), (unit, there)]]
        # A detour is a move more, which a limit may not have.
        if not self._budget.is_limited:
            emptiest = [host for host in self._ends(_DETOURS + 2)[1] if host not in (here, there)][:_DETOURS]
            ways += [[(unit, host), (other, here), (unit, there)] for host in emptiest]
        return next((way for way in ways if self._is_passable(way, here, there, unit, other)), [])

    def _is_passable(self, way: list[Step], here: int, there: int, unit: Unit, other: Unit) -> bool:
        passable = True
        for mover, host in way:
            if not self._board.may(mover, host) or (host in (here, there) and self._board.worsens(mover, host)):
                passable = False
                break
            self._board.move(mover, host)
        self._board.move(unit, here)
        self._board.move(other, there)
        return passable
