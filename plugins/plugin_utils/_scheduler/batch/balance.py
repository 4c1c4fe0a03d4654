# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Balance: what this plan placed goes from the hosts that are fullest to those that are emptiest, while that helps."""

from __future__ import annotations

from collections.abc import Callable

from .board import Board
from .scale import Scale
from .units import MILLION, Kind

_HOSTS = 10
"""How many of the fullest and of the emptiest hosts are looked at."""
_LOOKS = 150_000
"""How many moves and swaps are looked at."""

Cost = Callable[[int], int]


def balance(board: Board, scale: Scale) -> None:
    """Lower the sum of squared distances to the mean."""
    _Descent(board, scale).run()


class _Descent:
    def __init__(self, board: Board, scale: Scale) -> None:
        self._board, self._scale = board, scale
        self._costs: dict[Kind, Cost] = {}
        self._looks = _LOOKS

    def run(self) -> None:
        """Make the best move or swap there is, until none is left."""
        hosts = [host for host in range(len(self._board.states)) if any(self._board.capacity[host])]
        while self._looks > 0:
            ranked = sorted(hosts, key=lambda host: (self._fullness(host), host))
            self._looks -= len(hosts)
            cold = ranked[:_HOSTS]
            hot = [host for host in reversed(ranked[-2 * _HOSTS :]) if self._board.on[host]][:_HOSTS]
            if not any(self._improve(source, target) for source in hot for target in cold if source != target):
                return

    def _fullness(self, host: int) -> int:
        parts = zip(self._board.free[host], self._board.capacity[host])
        return sum(MILLION - free * MILLION // whole for free, whole in parts if whole)

    def _cost(self, kind: Kind) -> Cost:
        if kind not in self._costs:
            self._costs[kind] = self._scale.cost(kind)
        return self._costs[kind]

    def _improve(self, source: int, target: int) -> bool:
        """Move or swap what lowers the sum most between two hosts, if anything does."""
        gains: list[tuple[int, int, int | None]] = []
        here, there = self._kinds(source), self._kinds(target)
        for kind, unit in here.items():
            gain = self._gain(unit, target)
            if gain is not None:
                gains.append((gain, unit, None))
            for other_kind, other in there.items():
                if other_kind is not kind:
                    swapped = self._swap_gain(unit, other)
                    if swapped is not None:
                        gains.append((swapped, unit, other))
        if not gains:
            return False
        _gain, chosen, partner = max(gains, key=lambda option: (option[0], -option[1]))
        self._carry_out(chosen, partner, target)
        return True

    def _carry_out(self, unit: int, partner: int | None, target: int) -> None:
        source = self._board.take(unit)
        if partner is not None:
            self._board.take(partner)
            self._board.put(partner, source)
        self._board.put(unit, target)

    def _kinds(self, host: int) -> dict[Kind, int]:
        kinds: dict[Kind, int] = {}
        for unit in self._board.on[host]:
            if self._board.is_pinned(unit):
                continue
            kinds.setdefault(self._board.kind_of[unit], unit)
        return kinds

    def _gain(self, unit: int, target: int) -> int | None:
        """Return by how much a move lowers the sum; None if it does not or is not allowed."""
        self._looks -= 1
        board, kind = self._board, self._board.kind_of[unit]
        if not board.has_room(kind, target):
            return None
        source = board.take(unit)
        gain = self._cost(kind)(source) - self._cost(kind)(target)
        is_good = gain > 0 and board.takes(kind, target)
        board.put(unit, source)
        return gain if is_good else None

    def _swap_gain(self, unit: int, other: int) -> int | None:
        self._looks -= 2
        board = self._board
        kind, other_kind = board.kind_of[unit], board.kind_of[other]
        source, target = board.take(unit), board.take(other)
        before = self._cost(kind)(source) + self._cost(other_kind)(target)
        gain = before - self._cost(kind)(target) - self._cost(other_kind)(source)
        is_good = gain > 0 and board.takes(kind, target) and board.takes(other_kind, source)
        board.put(unit, source)
        board.put(other, target)
        return gain if is_good else None
