# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Spread: each unit to the host that it unbalances least, the hardest units first."""

from __future__ import annotations

import heapq
import typing as t
from collections.abc import Callable, Sequence

from .board import NOWHERE, Board
from .scale import Scale
from .units import Kind

Order = Callable[[Kind], t.Any]


def hardness(board: Board) -> Order:
    """Return the key that sorts kinds: those with the fewest hosts to spare first, then the biggest."""

    def key(kind: Kind) -> t.Any:
        hosts = len(board.candidates(kind))
        group = kind.demands[0].group
        is_apart = group is not None and group.policy == "anti-affinity" and not kind.is_plain
        spare = hosts - len(kind.units) // group.most_per_host if group is not None and is_apart else hosts
        # Those that go where another one is wait for it.
        follows = any(demand.hints.same_host for demand in kind.demands)
        return follows, max(0, spare), -kind.size, [-amount for amount in kind.amounts], kind.units[0]

    return key


def smallest(_board: Board) -> Order:
    """Return the key that sorts kinds by size, the smallest first: where not all fit, more of them do."""
    return lambda kind: (any(demand.hints.same_host for demand in kind.demands), kind.size, kind.amounts, kind.units[0])


def spread(board: Board, scale: Scale, order: Order) -> None:
    """Place what has no place, kind by kind."""
    for kind in sorted(board.kinds, key=order):
        units = [unit for unit in kind.units if board.where[unit] == NOWHERE]
        if units:
            _place(board, kind, units, scale.cost(kind))


def _place(board: Board, kind: Kind, units: Sequence[int], cost: Callable[[int], int]) -> None:
    heap = [(cost(host), host) for host in board.candidates(kind)]
    heapq.heapify(heap)
    for unit in units:
        while heap and not (kind.is_plain or board.allows(kind, heap[0][1])):
            # What is not allowed now is not after more of the same kind either.
            heapq.heappop(heap)
        if not heap:
            return
        host = heap[0][1]
        board.put(unit, host)
        # Only this host has changed.
        if board.has_room(kind, host):
            heapq.heapreplace(heap, (cost(host), host))
        else:
            heapq.heappop(heap)
