# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How uneven hosts are: of each dimension the standard deviation of the fraction used, weighted and summed.

All is kept in whole numbers. A move changes sums of two hosts only, so that its effect is known at once, however many
hosts there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from ..model import DIMENSIONS, Amounts
from ..state import HostState

_MILLION = 1_000_000

Change = tuple[tuple[int, int], ...]
"""By how much a host's change alters the sum of fractions and the sum of their squares, for each dimension."""


class Balance:
    """The fractions used of some hosts."""

    def __init__(self, states: Sequence[HostState], members: Sequence[int], weights: Sequence[Fraction]) -> None:
        """Take all hosts, the numbers of those that count, and each dimension's weight."""
        self.members = tuple(members)
        self._capacity = [state.capacity for state in states]
        self._used = [list(state.used) for state in states]
        self._known: list[dict[tuple[Amounts, int], Change]] = [{} for _state in states]
        """What ``change`` has said of each host as it is now."""
        self._counts = [
            max(1, sum(self._capacity[host][index] > 0 for host in members)) for index in range(len(DIMENSIONS))
        ]
        common = math.lcm(*self._counts)
        whole = math.lcm(*(weight.denominator for weight in weights))
        self._factors = [int(weight * whole) * (common // count) for weight, count in zip(weights, self._counts)]
        self._unit = common * whole * _MILLION
        self._parts = [[self._part(host, index) for index in range(len(DIMENSIONS))] for host in range(len(states))]
        self._sums = [sum(self._parts[host][index] for host in members) for index in range(len(DIMENSIONS))]
        self._squares = [sum(self._parts[host][index] ** 2 for host in members) for index in range(len(DIMENSIONS))]
        self.value = self._value(self._sums, self._squares)
        """The imbalance in units of its own, see ``as_score``."""

    def as_score(self, value: int) -> Fraction:
        """Return an imbalance as the weighted sum of standard deviations of fractions."""
        return Fraction(value, self._unit)

    def as_gain(self, difference: int) -> Fraction:
        """Return a gain as a fraction of one host, which does not shrink as hosts become more."""
        return Fraction(difference * len(self.members), self._unit)

    def least_gain(self, gain: Fraction) -> int:
        """Return a gain that users gave in units of ``value``."""
        return max(1, math.ceil(gain * self._unit / max(1, len(self.members))))

    def heat(self, host: int) -> int:
        """Return how full a host is, all dimensions together."""
        return sum(factor * part for factor, part in zip(self._factors, self._parts[host]))

    def change(self, host: int, amounts: Amounts, sign: int) -> Change:
        """Return what it does to take amounts from a host or to give it some."""
        known = self._known[host].get((amounts, sign))
        if known is None:
            known = self._known[host][amounts, sign] = self._change(host, amounts, sign)
        return known

    def _change(self, host: int, amounts: Amounts, sign: int) -> Change:
        found = []
        for used, amount, capacity, part in zip(self._used[host], amounts, self._capacity[host], self._parts[host]):
            new = (used + sign * amount) * _MILLION // capacity if capacity else 0
            found.append((new - part, new * new - part * part))
        return tuple(found)

    def exchange(self, host: int, gone: Amounts, come: Amounts) -> Change:
        """Return what it does to take amounts from a host and to give it others."""
        return self._change(host, tuple(new - old for new, old in zip(come, gone)), 1)

    def after(self, one: Change, other: Change) -> int:
        """Return the value after the changes of two hosts."""
        # pylint: disable=too-many-locals # spelled out for the three dimensions, since nothing is asked more often
        (part, more), (part1, more1), (part2, more2) = one
        (extra, further), (extra1, further1), (extra2, further2) = other
        whole, whole1, whole2 = self._sums
        square, square1, square2 = self._squares
        count, count1, count2 = self._counts
        factor, factor1, factor2 = self._factors
        isqrt = math.isqrt
        whole += part + extra
        whole1 += part1 + extra1
        whole2 += part2 + extra2
        return (
            factor * isqrt(count * (square + more + further) - whole * whole)
            + factor1 * isqrt(count1 * (square1 + more1 + further1) - whole1 * whole1)
            + factor2 * isqrt(count2 * (square2 + more2 + further2) - whole2 * whole2)
        )

    def apply(self, host: int, amounts: Amounts, sign: int) -> None:
        """Take amounts from a host or give it some."""
        for index, (part, more) in enumerate(self.change(host, amounts, sign)):
            self._sums[index] += part
            self._squares[index] += more
            self._used[host][index] += sign * amounts[index]
            self._parts[host][index] = self._part(host, index)
        self._known[host].clear()
        self.value = self._value(self._sums, self._squares)

    def deviation(self, index: int) -> Fraction:
        """Return a dimension's standard deviation."""
        return Fraction(self._root(index, self._sums, self._squares), self._counts[index] * _MILLION)

    def most(self, index: int) -> Fraction:
        """Return the largest fraction used in a dimension."""
        return max((Fraction(self._parts[host][index], _MILLION) for host in self.members), default=Fraction(0))

    def percentages(self, host: int) -> str:
        """Return how full a host is, for people."""
        texts = [
            f"{name} {self._parts[host][index] * 100 // _MILLION}%"
            for index, name in enumerate(("cpu", "ram", "disk"))
            if self._capacity[host][index]
        ]
        return ", ".join(texts) or "no room at all"

    def _part(self, host: int, index: int) -> int:
        capacity = self._capacity[host][index]
        return self._used[host][index] * _MILLION // capacity if capacity else 0

    def _root(self, index: int, sums: Sequence[int], squares: Sequence[int]) -> int:
        return math.isqrt(self._counts[index] * squares[index] - sums[index] ** 2)

    def _value(self, sums: Sequence[int], squares: Sequence[int]) -> int:
        return sum(factor * self._root(index, sums, squares) for index, factor in enumerate(self._factors))
