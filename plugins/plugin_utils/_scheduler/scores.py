# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why an instance is where it is: the terms of its score there, and the host that would have been next."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from .batch.board import Board
from .batch.scale import Scale
from .batch.units import Kind
from .model import Score
from .state import share_left

_NAMES = ("cpu", "ram", "disk")
_MOST = 1_500_000
"""How many pairs of a kind and a host are looked at for runners-up; beyond that none are named."""


class Scores:
    """Scores of a finished board."""

    def __init__(self, board: Board, scale: Scale, is_pack: bool) -> None:
        """Take the board with everything on it."""
        self._board, self._scale, self._is_pack = board, scale, is_pack
        self._names_runners_up = len(board.kinds) * len(board.states) <= _MOST
        self._next: dict[Kind, list[int]] = {}
        self._known: dict[tuple[Kind, int], Score] = {}

    def score(self, unit: int) -> Score:
        """Return the score of a unit on its host."""
        board = self._board
        kind, host = board.kind_of[unit], board.where[unit]
        key = kind, host
        if key not in self._known:
            nearest = [other for other in self._runners_up(kind) if other != host][:1]
            board.take(unit)
            terms = self._terms(kind, host)
            board.put(unit, host)
            other = [(board.states[rival].name, _total(self._terms(kind, rival))) for rival in nearest]
            self._known[key] = Score(terms, _total(terms), other[0] if other else None)
        return self._known[key]

    def _runners_up(self, kind: Kind) -> list[int]:
        """Return the two best hosts for one more of a kind."""
        if not self._names_runners_up:
            return []
        if kind not in self._next:
            board, cost = self._board, self._cost(kind)
            hosts = [host for host in board.candidates(kind) if kind.is_plain or board.allows(kind, host)]
            self._next[kind] = _two_least(hosts, cost)
        return self._next[kind]

    def _cost(self, kind: Kind) -> Callable[[int], t.Any]:
        if not self._is_pack:
            return self._scale.cost(kind)
        free, capacity, is_used = self._board.free, self._board.capacity, self._board.is_used
        return lambda host: (not is_used(host), share_left(free[host], capacity[host]))

    def _terms(self, kind: Kind, host: int) -> tuple[tuple[str, float], ...]:
        if not self._is_pack:
            return self._scale.terms(kind, host)
        board = self._board
        parts = zip(_NAMES, board.free[host], kind.amounts, board.capacity[host])
        terms = [(name, round((amount - free) / whole, 6)) for name, free, amount, whole in parts if whole]
        return (*terms, ("in_use", 0.0 if board.is_used(host) else -float(len(_NAMES))))


def _two_least(hosts: list[int], cost: Callable[[int], t.Any]) -> list[int]:
    ranked = sorted((cost(host), host) for host in hosts)
    return [host for _cost, host in ranked[:2]]


def total(terms: tuple[tuple[str, float], ...]) -> Score | None:
    """Return the score that terms add up to; None where nothing was weighed."""
    return Score(terms, _total(terms)) if terms else None


def _total(terms: tuple[tuple[str, float], ...]) -> float:
    return round(sum(value for _name, value in terms), 6)
