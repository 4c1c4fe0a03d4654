# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How good a host is for what spreads out: how near to the fleet's mean its fractions used would be."""

from __future__ import annotations

from collections.abc import Callable

from ..model import DIMENSIONS, Amounts
from .board import Board
from .goal import Goal
from .units import MILLION, Kind

_MEMBER = 4 * MILLION * MILLION
"""What one member of a soft group counts: more than all there is to balance on a host."""

Cost = Callable[[int], int]


class Scale:
    """The sum over hosts and dimensions of the squared distances to the mean that the whole plan comes to.

    That mean is known beforehand, so what a host adds depends on that host alone: no other score grows stale.
    """

    def __init__(self, board: Board, goal: Goal) -> None:
        """Take the board before anything is put on it."""
        self._board, self._goal = board, goal
        capacity = [sum(host[index] for host in board.capacity) for index in range(len(DIMENSIONS))]
        self.target = tuple(
            min(MILLION, (whole - room + wanted) * MILLION // max(1, whole))
            for whole, room, wanted in zip(capacity, board.room, board.demanded)
        )
        self._shares: dict[tuple[Amounts, Amounts], Amounts] = {}

    def _share(self, amounts: Amounts, capacity: Amounts) -> Amounts:
        """Return what an amount is of a host, in millionths."""
        key = amounts, capacity
        if key not in self._shares:
            self._shares[key] = tuple(amount * MILLION // max(1, whole) for amount, whole in zip(amounts, capacity))
        return self._shares[key]

    def cost(self, kind: Kind) -> Cost:
        """Return a function that tells what a unit of the kind would add to the sum on a host: less is better."""
        own = self._goal.own
        if own is not None:
            states, demand = self._board.states, kind.demands[0]
            return lambda host: -own.weigh(states[host], demand)
        return self._with_soft(kind, self._room_cost(kind))

    def _room_cost(self, kind: Kind) -> Cost:
        free, capacity, share, amounts = self._board.free, self._board.capacity, self._share, kind.amounts
        goal0, goal1, goal2 = (2 * (MILLION - target) for target in self.target)
        weight0, weight1, weight2 = self._goal.weights

        def cost(host: int) -> int:
            whole = capacity[host]
            left = free[host]
            add0, add1, add2 = share(amounts, whole)
            # With u used of one and x more: (u + x - t)^2 - (u - t)^2 = x (2 (u - t) + x), and u is 1 - left.
            return (
                weight0 * add0 * (goal0 - 2 * left[0] * MILLION // (whole[0] or 1) + add0)
                + weight1 * add1 * (goal1 - 2 * left[1] * MILLION // (whole[1] or 1) + add1)
                + weight2 * add2 * (goal2 - 2 * left[2] * MILLION // (whole[2] or 1) + add2)
            )

        return cost

    def _with_soft(self, kind: Kind, cost: Cost) -> Cost:
        group, states = kind.demands[0].group, self._board.states
        if group is None or kind.soft is None:
            return cost
        name = group.name
        affinity, anti_affinity = self._goal.soft
        step = _MEMBER * (-affinity if group.policy == "soft-affinity" else anti_affinity)
        return lambda host: cost(host) + step * states[host].members[name]

    def terms(self, kind: Kind, host: int) -> tuple[tuple[str, float], ...]:
        """Return the parts of what a unit takes off the balance on a host where it is not; more is better."""
        own = self._goal.own
        if own is not None:
            return own.terms(self._board.states[host], kind.demands[0])
        whole, left = self._board.capacity[host], self._board.free[host]
        terms = []
        names = ("cpu", "ram", "disk")
        for index, (name, add) in enumerate(zip(names, self._share(kind.amounts, whole))):
            used = MILLION - left[index] * MILLION // (whole[index] or 1)
            cost = self._goal.weights[index] * add * (2 * (used - self.target[index]) + add)
            terms.append((name, -cost / MILLION / MILLION))
        if kind.soft is not None:
            terms.append(
                ("group", (sum(-part for _name, part in terms) * MILLION**2 - self.cost(kind)(host)) / MILLION**2)
            )
        return tuple((name, round(value, 6)) for name, value in terms)
