# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How good a plan is at best: bounds that no arrangement can beat, whatever engine made the plan.

They hold for the hosts as they were before the plan, with what runs there staying there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from .batch.board import Board
from .batch.units import MILLION, Kind
from .model import DIMENSIONS, ServerGroup

_WORDS = ("vCPUs", "memory", "disk")
_MIXES = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (2, 1, 0), (1, 2, 0))
"""Weights under which the dimensions are added up: what holds for each holds for every sum."""
_MOST_SIZES = 64
"""How many sizes are tried as the smallest that counts."""

Counts = Mapping[Kind, int]
Bound = tuple[int, str]


class Bounds:
    """What the hosts can take, as they were before anything was placed."""

    def __init__(self, board: Board) -> None:
        """Take the board before anything is put on it."""
        self._board = board
        self._free = [tuple(free) for free in board.free]
        self._is_busy = list(board.is_busy)
        self._possible: dict[Kind, bool] = {}
        self._most: Bound | None = None
        self._members = {
            group: [state.members[group] for state in board.states]
            for group in sorted({kind.demands[0].group.name for kind in board.kinds if kind.demands[0].group})
        }

    def is_possible(self, kind: Kind) -> bool:
        """Tell whether some host takes a unit of the kind if nothing else is placed, as far as room is concerned."""
        if kind not in self._possible:
            hosts = self._board.masks.indices(kind.mask)
            self._possible[kind] = any(_fits(kind.amounts, self._free[host]) for host in hosts)
        return self._possible[kind]

    def free(self, host: int) -> tuple[int, ...]:
        """Return what was free on a host."""
        return self._free[host]

    def most_placed(self) -> Bound:
        """Return how many requests can have a place at most, and what of the fleet is short if not all."""
        if self._most is None:
            self._most = self._most_placed()
        return self._most

    def _most_placed(self) -> Bound:
        kinds = [kind for kind in self._board.kinds if len(kind.demands) > 1 or self.is_possible(kind)]
        wanted = sum(len(kind.demands) * len(kind.units) for kind in kinds)
        hosts = self._hosts(kinds)
        best: Bound = wanted, ""
        for index, dimension in enumerate(DIMENSIONS):
            room = sum(self._free[host][index] for host in hosts)
            amounts = sorted((demand.amounts[index], len(kind.units)) for kind in kinds for demand in kind.demands)
            needed = sum(amount * number for amount, number in amounts)
            count = _how_many(amounts, room)
            if count < best[0]:
                text = f"all that is new needs {needed} {dimension.unit} together, {room} {dimension.unit} are free"
                best = count, text
        return best

    def group_room(self, kind: Kind) -> int | None:
        """Return how many of an anti-affinity group still find a host; None for other kinds."""
        group = kind.demands[0].group
        if group is None or group.policy != "anti-affinity" or kind.is_plain:
            return None
        members = self._members[group.name]
        return sum(max(0, group.most_per_host - members[host]) for host in self._board.masks.indices(kind.mask))

    def _hosts(self, kinds: Sequence[Kind]) -> list[int]:
        mask = 0
        for kind in kinds:
            mask |= kind.mask
        return self._board.masks.indices(mask)

    def least_hosts(self, counts: Counts) -> Bound:
        """Return how many hosts are used at least with so many of each kind placed, and why."""
        parts: list[tuple[int, list[Kind]]] = []
        for kind in sorted((kind for kind in counts if counts[kind]), key=lambda kind: kind.index):
            mask, joined = kind.mask, [kind]
            apart = []
            for other_mask, kinds in parts:
                if other_mask & mask:
                    mask |= other_mask
                    joined = kinds + joined
                else:
                    apart.append((other_mask, kinds))
            parts = [*apart, (mask, joined)]
        total, proofs = sum(self._is_busy), []
        for mask, kinds in parts:
            more, proof = self._least_of_part(self._board.masks.indices(mask), kinds, counts)
            total += more
            if more:
                proofs.append(proof)
        return total, "; ".join(dict.fromkeys(proofs)) or ("what is there already" if total else "nothing is placed")

    def _least_of_part(self, hosts: Sequence[int], kinds: Sequence[Kind], counts: Counts) -> Bound:
        """Return how many more hosts than those in use a set of hosts needs for its kinds."""
        busy = sum(self._is_busy[host] for host in hosts)
        bounds = [self._volume(hosts, kinds, counts, mix) for mix in _MIXES]
        for index, word in enumerate(_WORDS):
            whole = max((self._free[host][index] for host in hosts), default=0)
            sizes = sorted((kind.amounts[index], counts[kind]) for kind in kinds if kind.amounts[index])
            bounds.append((max(0, _by_sizes(sizes, whole) - busy), f"sizes of {word}"))
        bounds.append(self._apart(hosts, kinds, counts))
        return max(bounds, key=lambda bound: bound[0])

    def _volume(self, hosts: Sequence[int], kinds: Sequence[Kind], counts: Counts, mix: Sequence[int]) -> Bound:
        """Return how many empty hosts, the biggest first, hold what the others have no room for."""
        wholes = [sum(self._free[host][index] for host in hosts) for index in range(len(DIMENSIONS))]
        factors = [weight * MILLION * MILLION // max(1, whole) for weight, whole in zip(mix, wholes)]
        lack = sum(_weighed(kind.amounts, factors) * counts[kind] for kind in kinds)
        lack -= sum(_weighed(self._free[host], factors) for host in hosts if self._is_busy[host])
        empty = sorted((_weighed(self._free[host], factors) for host in hosts if not self._is_busy[host]), reverse=True)
        reached = list(accumulate(empty, initial=0))
        words = " and ".join(word for word, weight in zip(_WORDS, mix) if weight)
        return bisect_left(reached, lack) if lack > 0 else 0, f"volume of {words}"

    def _apart(self, hosts: Sequence[int], kinds: Sequence[Kind], counts: Counts) -> Bound:
        """Return how many hosts besides those in use the biggest anti-affinity group needs."""
        numbers: dict[ServerGroup, int] = {}
        for kind in kinds:
            group = kind.demands[0].group
            if group is not None and group.policy == "anti-affinity" and not kind.is_plain:
                numbers[group] = numbers.get(group, 0) + counts[kind]
        best, name = 0, ""
        for group, number in numbers.items():
            members, most = self._members[group.name], group.most_per_host
            spare = sum(max(0, most - members[host]) for host in hosts if self._is_busy[host])
            more = -(-max(0, number - spare) // most)
            if more > best:
                best, name = more, group.name
        return best, f"group {name}, whose members are apart"


def _by_sizes(sizes: Sequence[tuple[int, int]], whole: int) -> int:
    """Return Martello and Toth's second bound: on hosts no bigger than ``whole``, what is big keeps others out.

    ``sizes`` are (size, how often).
    """
    halves = [size for size, _number in sizes if 2 * size <= whole]
    big = sum(number for size, number in sizes if 2 * size > whole)
    best = big
    for least in dict.fromkeys(halves[:: 1 + len(halves) // _MOST_SIZES]):
        gaps = sum((whole - size) * number for size, number in sizes if 2 * size > whole and size <= whole - least)
        small = sum(size * number for size, number in sizes if least <= size and 2 * size <= whole)
        best = max(best, big + max(0, -(-(small - gaps) // max(1, whole))))
    return best


def _fits(amounts: Sequence[int], free: Sequence[int]) -> bool:
    return all(amount <= room for amount, room in zip(amounts, free))


def _weighed(amounts: Sequence[int], factors: Sequence[int]) -> int:
    return sum(amount * factor for amount, factor in zip(amounts, factors))


def _how_many(amounts: Sequence[tuple[int, int]], room: int) -> int:
    """Return how many of the smallest fit into so much room together; ``amounts`` are (amount, how often), ordered."""
    count = 0
    for amount, number in amounts:
        fitting = number if amount == 0 else min(number, room // amount)
        count += fitting
        room -= fitting * amount
        if fitting < number:
            break
    return count
