# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Groups that stay together and do not fit on one host as a whole: as many members as possible, on one host."""

from __future__ import annotations

from collections.abc import Sequence

from .board import Board


def place_members(board: Board) -> None:
    """Take such groups apart."""
    for unit in board.pool():
        if len(board.kind_of[unit].demands) > 1:
            _most_members(board, board.split(unit))


def _most_members(board: Board, parts: Sequence[int]) -> None:
    """Put the parts of a group on the first host that takes most of them, the small ones first."""
    parts = sorted(parts, key=lambda part: (board.kind_of[part].amounts, part))
    best, chosen = 0, None
    for host in range(len(board.states)):
        placed = _fill(board, parts, host)
        for part in placed:
            board.take(part)
        if len(placed) > best:
            best, chosen = len(placed), host
    if chosen is not None:
        _fill(board, parts, chosen)


def _fill(board: Board, parts: Sequence[int], host: int) -> list[int]:
    placed = []
    for part in parts:
        if board.takes(board.kind_of[part], host):
            board.put(part, host)
            placed.append(part)
    return placed
