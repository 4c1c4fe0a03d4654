# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Fewer hosts: what is on the emptiest of those that the plan opened is put on the others, if it fits."""

from __future__ import annotations

from .board import Board
from .repair import repair

_LOOKS = 60_000
_VAIN = 2
"""After how many hosts that could not be emptied it gives up."""
_MOST = 64
"""How many hosts are tried."""


def empty_hosts(board: Board, least: int) -> None:
    """Close one host after the other until no more than ``least`` are used or it does not work out."""
    unused = [host for host, units in enumerate(board.on) if not units and not board.is_busy[host]]
    for idle in unused:
        board.is_closed[idle] = 1
    vain: set[int] = set()
    emptied: list[int] = []
    while board.opened() > least and len(vain) < _VAIN and len(emptied) < _MOST:
        host = _emptiest(board, vain)
        if host is None:
            break
        if _empty(board, host):
            emptied.append(host)
        else:
            vain.add(host)
    for idle in unused + emptied:
        board.is_closed[idle] = 0


def _empty(board: Board, host: int) -> bool:
    waiting, places = board.missing()[0], list(board.where)
    board.is_closed[host] = 1
    for unit in list(board.on[host]):
        board.take(unit)
    repair(board, _LOOKS, waiting)
    if board.missing()[0] <= waiting:
        return True
    board.is_closed[host] = 0
    board.restore(places)
    return False


def _emptiest(board: Board, vain: set[int]) -> int | None:
    hosts = [
        host
        for host, units in enumerate(board.on)
        if units and not board.is_busy[host] and host not in vain and not any(_stays(board, unit) for unit in units)
    ]
    return min(hosts, key=lambda host: (sum(board.kind_of[unit].size for unit in board.on[host]), -host), default=None)


def _stays(board: Board, unit: int) -> bool:
    """Tell whether a unit is where it has to be, or where its soft group would have it."""
    return board.is_pinned(unit) or board.kind_of[unit].soft is not None
