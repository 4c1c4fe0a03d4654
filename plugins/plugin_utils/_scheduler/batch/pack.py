# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Pack: host by host, each filled with what suits the room that is left in it best."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from .board import NOWHERE, Board
from .spread import hardness
from .units import MILLION, Kind

Amounts3 = tuple[int, int, int]
Score = Callable[[Amounts3, Amounts3, int], int]
"""Of what an item takes and what the host has left, both scaled, and the item's size: more is better."""

_FEW_HOSTS = 4
_MOST_LOOKED_AT = 96


def dot(item: Amounts3, left: Amounts3, _size: int) -> int:
    """Prefer what takes most of what there is most of."""
    return item[0] * left[0] + item[1] * left[1] + item[2] * left[2]


def least_left(item: Amounts3, left: Amounts3, _size: int) -> int:
    """Prefer what leaves least, all dimensions together (the L2 norm)."""
    first, second, third = left[0] - item[0], left[1] - item[1], left[2] - item[2]
    return -(first * first + second * second + third * third)


def biggest(_item: Amounts3, _left: Amounts3, size: int) -> int:
    """Prefer the biggest: first fit, decreasing."""
    return size


def tiniest(_item: Amounts3, _left: Amounts3, size: int) -> int:
    """Prefer the smallest: where not all fit, more of them do."""
    return -size


def pack(board: Board, score: Score) -> None:
    """Place what has no place: first what few hosts may take, then host by host."""
    kinds = sorted(board.kinds, key=hardness(board))
    order = opening_order(board)
    several = len(board.states) // _FEW_HOSTS
    fussy = [
        kind
        for kind in kinds
        if not kind.is_plain or kind.soft or kind.demands[0].marks or kind.mask.bit_count() <= several
    ]
    for kind in fussy:
        _first_fit(board, kind, order)
    chosen = set(fussy)
    _Filler(board, [kind for kind in kinds if kind not in chosen], score).fill(order)


def opening_order(board: Board) -> list[int]:
    """Return the hosts in the order in which they are filled: those in use, then the biggest."""
    wholes = [max(1, sum(host[index] for host in board.capacity)) for index in range(3)]

    def key(host: int) -> t.Any:
        bigness = sum(amount * MILLION // whole for amount, whole in zip(board.capacity[host], wholes))
        return not board.is_busy[host], -bigness, host

    return sorted(range(len(board.states)), key=key)


def _first_fit(board: Board, kind: Kind, order: Sequence[int]) -> None:
    waiting = [unit for unit in kind.units if board.where[unit] == NOWHERE]
    waiting.reverse()
    hosts = _in_soft_order(board, kind, [host for host in order if kind.mask >> host & 1])
    group = kind.demands[0].group
    is_apart = group is not None and group.policy == "soft-anti-affinity"
    for host in hosts:
        while waiting and board.takes(kind, host):
            board.put(waiting.pop(), host)
            if is_apart:
                break
        if not waiting:
            return
    if is_apart and any(board.takes(kind, host) for host in hosts):
        _first_fit(board, kind, order)


def _in_soft_order(board: Board, kind: Kind, hosts: list[int]) -> list[int]:
    """Put first where its soft group would have it."""
    name, group = kind.soft, kind.demands[0].group
    if name is None or group is None:
        return hosts
    sign = -1 if group.policy == "soft-affinity" else 1
    return sorted(hosts, key=lambda host: sign * board.states[host].members[name])


class _Filler:
    """Fills hosts from what is waiting."""

    def __init__(self, board: Board, kinds: Sequence[Kind], score: Score) -> None:
        self._board, self._score = board, score
        self._waiting = {
            kind: [unit for unit in reversed(kind.units) if board.where[unit] == NOWHERE] for kind in kinds
        }
        mean = [max(1, sum(host[index] for host in board.capacity) // len(board.capacity)) for index in range(3)]
        # A dimension counts by how much of it is asked for.
        scarcity = [max(1, wanted * 1000 // max(1, room)) for wanted, room in zip(board.demanded, board.room)]
        self._factor = [weight * 1000 for weight in scarcity]
        self._mean = mean
        self._scaled = {kind: self._scale(kind.amounts) for kind in kinds}

    def _scale(self, amounts: Sequence[int]) -> Amounts3:
        first, second, third = (
            amount * factor // mean for amount, factor, mean in zip(amounts, self._factor, self._mean)
        )
        return first, second, third

    def fill(self, order: Sequence[int]) -> None:
        """Fill one host after the other until nothing waits."""
        kinds = [kind for kind, units in self._waiting.items() if units]
        for host in order:
            if not kinds:
                return
            if not self._board.is_closed[host]:
                self._fill_one(host, [kind for kind in kinds if kind.mask >> host & 1])
                kinds = [kind for kind in kinds if self._waiting[kind]]

    def _fill_one(self, host: int, kinds: list[Kind]) -> None:
        board, free, score, scaled = self._board, self._board.free[host], self._score, self._scaled
        while True:
            first, second, third = free
            # What does not fit now won't fit after more has been put there.
            kinds = [
                kind
                for kind in kinds
                if kind.amounts[0] <= first and kind.amounts[1] <= second and kind.amounts[2] <= third
            ]
            if not kinds:
                return
            left = self._scale(free)
            looked_at = kinds[:_MOST_LOOKED_AT]
            best = max(looked_at, key=lambda kind: score(scaled[kind], left, kind.size))
            board.put(self._waiting[best].pop(), host)
            if not self._waiting[best]:
                kinds.remove(best)
