# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The batch engine: a whole declaration planned as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .apart import place_members
from .balance import balance
from .board import Board
from .empty import empty_hosts
from .goal import Goal
from .pack import Score, biggest, dot, least_left, pack, tiniest
from .repair import insert, repair
from .scale import Scale
from .spread import hardness, smallest, spread

_MANY = 6_000
"""With more requests than this, only what packs best is tried."""

Try = Callable[[], None]


class Batch:
    """One run of the engine over a board."""

    def __init__(self, board: Board, goal: Goal, most_placed: int) -> None:
        """Take the board before anything is put on it, and how many requests have room at all."""
        self._board, self._goal = board, goal
        self.scale = Scale(board, goal)
        self.steps = 0
        """How many exchanges were tried for what has no place."""
        wanted = sum(len(unit.requests) for unit in board.units.units)
        self._least_missing, self._is_large = wanted - most_placed, wanted > _MANY

    def place(self, start: Try | None = None, improve: Try | None = None) -> None:
        """Place what can be placed; ``start`` does it in another way, and then only what it leaves is dealt with.

        ``improve`` may arrange all of it anew, before groups that have no place as a whole are taken apart.
        """
        if start is not None:
            start()
        else:
            self._best(self._packings() if self._goal.is_pack else [self._spread], None)
        if self._board.missing()[0] > self._least_missing:
            self._best(self._others(), list(self._board.where))
            self.steps += repair(self._board, most_missing=self._least_missing)
        if improve is not None:
            improve()
        place_members(self._board)
        insert(self._board)

    def polish(self, least_hosts: Callable[[], int]) -> None:
        """Use fewer hosts, or use them more evenly, with what has a place; no fewer than ``least_hosts`` returns."""
        if self._goal.own is not None or self._goal.policy == "nova":
            return
        if self._goal.is_pack:
            empty_hosts(self._board, least_hosts())
        else:
            balance(self._board, self.scale)
        insert(self._board)

    def _spread(self) -> None:
        spread(self._board, self.scale, hardness(self._board))

    def _packings(self) -> list[Try]:
        scores = (least_left, dot) if self._is_large else (least_left, dot, biggest)
        return [self._packing(score) for score in scores]

    def _packing(self, score: Score) -> Try:
        return lambda: pack(self._board, score)

    def _others(self) -> list[Try]:
        """Return what may place more where not all fits: the smallest first, and what packs densely."""
        small: list[Try] = [lambda: spread(self._board, self.scale, smallest(self._board)), self._packing(tiniest)]
        return small if self._goal.is_pack else [*small, self._packing(least_left), self._packing(dot)]

    def _best(self, tries: Sequence[Try], places: list[int] | None) -> None:
        """Take what leaves least without a place, then what uses the fewest hosts; the first of equals."""
        board = self._board
        best = None if places is None else (board.missing(), board.opened())
        for attempt in tries:
            board.clear()
            attempt()
            insert(board)
            outcome = board.missing(), board.opened()
            if best is None or outcome < best:
                best, places = outcome, list(board.where)
        if places is not None:
            board.restore(places)
