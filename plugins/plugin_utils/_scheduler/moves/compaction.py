# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The same evenness with fewer moves: what was moved on goes straight there, and what hardly helps stays at home."""

from __future__ import annotations

from collections.abc import Sequence

from .balance import Balance
from .board import Board
from .descent import Descent
from .units import Unit


def moved(board: Board) -> list[Unit]:
    """Return the units that are away from home."""
    return [unit for unit in board.units if board.places[unit.index] not in (unit.home, None)]


def send_home(descent: Descent, board: Board, balance: Balance, least_gain: int, target: int) -> bool:
    """Take back the moves without which it is hardly worse; tell whether there were any."""
    ended = False
    while True:
        cheapest: Unit | None = None
        least = least_gain
        for unit in moved(board):
            after = _at_home(board, balance, unit)
            # With a target, a move is needed if it is missed without it.
            is_needed = after > target >= balance.value
            if after - balance.value < least and not is_needed and board.may(unit, unit.home):
                cheapest, least = unit, after - balance.value
        if cheapest is None:
            return ended
        descent.move(cheapest, cheapest.home)
        ended = True


def _at_home(board: Board, balance: Balance, unit: Unit) -> int:
    """Return the balance's value if a unit were at home."""
    here = board.places[unit.index]
    if here is None:
        raise RuntimeError(f"{unit.describe()} is nowhere")
    gone = balance.change(here, unit.taken(here), -1)
    return balance.after(gone, balance.change(unit.home, unit.taken(unit.home), 1))


def shorten_chains(descent: Descent, board: Board) -> None:
    """Let one of a kind go all the way where one went from A to B and another from B to C."""
    by_home: dict[tuple[int, int], list[Unit]] = {}
    for unit in moved(board):
        by_home.setdefault((unit.home, unit.kind), []).append(unit)
    for unit in moved(board):
        here = board.places[unit.index]
        while here is not None and here != unit.home:
            followers = [
                other
                for other in by_home.get((here, unit.kind), ())
                if board.places[other.index] != other.home and other is not unit and _are_alike(unit, other)
            ]
            if not followers:
                break
            follower = followers[0]
            there = board.places[follower.index]
            if there is None:
                break
            # Both leave before either arrives: they only change names.
            descent.trade(unit, follower, there, here)
            here = there


def _are_alike(unit: Unit, other: Unit) -> bool:
    return unit.amounts == unit.home_amounts and other.amounts == other.home_amounts


def final_moves(board: Board, order: Sequence[Unit]) -> list[tuple[Unit, int]]:
    """Return each unit that is away from home with its place, in the order in which they were first moved."""
    away = {unit.index: place for unit in moved(board) if (place := board.places[unit.index]) is not None}
    first = dict.fromkeys(unit.index for unit in order)
    by_index = {unit.index: unit for unit in order}
    return [(by_index[index], away[index]) for index in first if index in away]
