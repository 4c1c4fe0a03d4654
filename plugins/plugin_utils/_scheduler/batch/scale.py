# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How good a host is for what spreads out: how near to the fleet's mean its fractions used would be."""

from __future__ import annotations

from collections.abc import Callable

from ..model import DIMENSIONS, Amounts
from .board import Board
from .units import MILLION, Kind

_SOFT = MILLION * MILLION
"""What one member of a soft group counts: as much as a whole host."""


class Scale:
    """The sum over hosts and dimensions of the squared distances to the mean that the whole plan comes to.

    That mean is known beforehand, so what a host adds depends on that host alone: no other score grows stale.
    """

    def __init__(self, board: Board) -> None:
        """Take the board before anything is put on it."""
        self._board = board
        capacity = [sum(host[index] for host in board.capacity) for index in range(len(DIMENSIONS))]
        self.target = tuple(
            min(MILLION, (whole - room + wanted) * MILLION // max(1, whole))
            for whole, room, wanted in zip(capacity, board.room, board.demanded)
        )
        self._shares: dict[tuple[Amounts, Amounts], Amounts] = {}

    def shares(self, amounts: Amounts, capacity: Amounts) -> Amounts:
        """Return what an amount is of a host, in millionths."""
        key = amounts, capacity
        if key not in self._shares:
            self._shares[key] = tuple(amount * MILLION // max(1, whole) for amount, whole in key_pairs(key))
        return self._shares[key]

    def cost(self, kind: Kind) -> Callable[[int], int]:
        """Return a function that tells what a unit of the kind would add to the sum on a host: less is better."""
        free, capacity, shares, amounts = self._board.free, self._board.capacity, self.shares, kind.amounts
        goal0, goal1, goal2 = (2 * (MILLION - target) for target in self.target)

        def cost(host: int) -> int:
            whole = capacity[host]
            left = free[host]
            add0, add1, add2 = shares(amounts, whole)
            # With u used of one and x more: (u + x - t)^2 - (u - t)^2 = x (2 (u - t) + x), and u is 1 - left.
            return (
                add0 * (goal0 - 2 * left[0] * MILLION // (whole[0] or 1) + add0)
                + add1 * (goal1 - 2 * left[1] * MILLION // (whole[1] or 1) + add1)
                + add2 * (goal2 - 2 * left[2] * MILLION // (whole[2] or 1) + add2)
            )

        name = kind.soft
        if name is None:
            return cost
        group = kind.demands[0].group
        step = -_SOFT if group is not None and group.policy == "soft-affinity" else _SOFT
        states = self._board.states
        return lambda host: cost(host) + step * states[host].members[name]


def key_pairs(key: tuple[Amounts, Amounts]) -> list[tuple[int, int]]:
    """Return amounts with the wholes that they are parts of."""
    return list(zip(*key))
