# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The batch engine: a whole declaration planned as one."""

from __future__ import annotations

from collections.abc import Callable

from .balance import balance
from .board import Board
from .empty import empty_hosts
from .pack import Score, biggest, dot, least_left, pack, tiniest
from .repair import insert, repair
from .scale import Scale
from .spread import hardness, smallest, spread

_MANY = 6_000
"""With more requests than this, only what packs best is tried."""

Try = Callable[[], None]


def place_all(board: Board, is_pack: bool, most_placed: int, least_hosts: Callable[[], int]) -> int:
    """Place what can be placed; return how many steps were spent on what can't.

    ``most_placed`` is how many requests have room at all, and ``least_hosts`` tells how few hosts those may be on that
    have been placed: nothing better is looked for beyond either.
    """
    scale = Scale(board)
    wanted = sum(len(unit.requests) for unit in board.units.units)
    least_missing = wanted - most_placed
    first: list[Try] = (
        [lambda score=score: pack(board, score) for score in _scores(wanted)]  # type: ignore[misc]
        if is_pack
        else [lambda: spread(board, scale, hardness(board))]
    )
    _best(board, first, None)
    if board.missing()[0] > least_missing:
        others: list[Try] = [lambda: spread(board, scale, smallest(board)), lambda: pack(board, tiniest)]
        if not is_pack:
            others += [lambda: pack(board, least_left), lambda: pack(board, dot)]
        _best(board, others, list(board.where))
    steps = repair(board, most_missing=least_missing) if board.missing()[0] else 0
    steps += _apart(board)
    if is_pack:
        empty_hosts(board, least_hosts())
    else:
        balance(board, scale)
    insert(board)
    return steps


def _scores(wanted: int) -> tuple[Score, ...]:
    return (least_left, dot) if wanted > _MANY else (least_left, dot, biggest)


def _best(board: Board, tries: list[Try], places: list[int] | None) -> None:
    """Take the try that leaves least without a place, then on the fewest hosts; the first of equals."""
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


def _apart(board: Board) -> int:
    """Place as many members as possible of groups that do not fit on one host as a whole."""
    groups = [unit for unit in board.pool() if len(board.kind_of[unit].demands) > 1]
    if not groups:
        return 0
    for unit in groups:
        _most_members(board, board.split(unit))
    return 0


def _most_members(board: Board, parts: list[int]) -> None:
    """Put the parts of a group on the one host that takes most of them, the small ones first."""
    parts = sorted(parts, key=lambda part: (board.kind_of[part].amounts, part))
    best: list[int] = []
    for host in range(len(board.states)):
        placed = _fill(board, parts, host)
        for part in placed:
            board.take(part)
        if len(placed) > len(best):
            best, chosen = placed, host
    if best:
        _fill(board, parts, chosen)


def _fill(board: Board, parts: list[int], host: int) -> list[int]:
    placed = []
    for part in parts:
        if board.takes(board.kind_of[part], host):
            board.put(part, host)
            placed.append(part)
    return placed
