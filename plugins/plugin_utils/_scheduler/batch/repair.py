# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Repair: units without a place change places with those that this plan placed, until nothing more fits.

One goes in and none, one or two come out, so that what waits becomes smaller and finds gaps. What came out may not go
back at once, and what went in stays for a while: the search walks through worse plans without going round in circles.
It ends after a number of steps, never after a time, and the best plan seen is the one that is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from .board import NOWHERE, Board
from .units import Kind

STEPS = 2_000
"""How many exchanges are tried at most."""
_LEAST_STEPS, _STEPS_PER_UNIT = 100, 10
_LOOKS = 300_000
"""How many pairs of a host and what might come out of it are looked at."""
_WINDOW = 24
"""How many hosts are looked at for one exchange."""
_WAITS = 25
"""For how many steps an exchange is not undone."""
_TRIED = 1
"""How many kinds of what waits are looked at in one step."""
_ROUNDS = 3
"""How often all hosts are gone through in vain before it gives up."""

Exchange = tuple[int, int, tuple[int, ...]]


def insert(board: Board) -> None:
    """Place all that fits just so, the biggest first; once more if some go where others went."""
    while _insert(board) and any(demand.hints.same_host for kind in board.kinds for demand in kind.demands):
        pass


def _insert(board: Board) -> int:
    placed = 0
    for kind in sorted(_kinds(board, board.pool()), key=lambda kind: (-kind.size, kind.index)):
        hosts = board.candidates(kind)
        for unit in kind.units:
            if board.where[unit] != NOWHERE:
                continue
            while hosts and not board.takes(kind, hosts[-1]):
                hosts.pop()
            if not hosts:
                break
            board.put(unit, hosts[-1])
            placed += 1
    return placed


def repair(board: Board, looks: int = _LOOKS, most_missing: int = 0) -> int:
    """Place more of what has no place, until no more than ``most_missing`` requests wait; return the steps taken."""
    insert(board)
    if board.missing()[0] <= most_missing:
        return 0
    return _Search(board, looks).run(most_missing)


def _kinds(board: Board, pool: Sequence[int]) -> list[Kind]:
    return list(dict.fromkeys(board.kind_of[unit] for unit in pool))


class _Search:
    def __init__(self, board: Board, looks: int) -> None:
        self._board, self._looks = board, looks
        self._step = 0
        self._pool = dict.fromkeys(board.pool())
        self._locked: dict[int, int] = {}
        """Until which step a unit stays where it was put."""
        self._barred: dict[tuple[Kind, int], int] = {}
        """Until which step a kind does not go back to a host."""
        self._begin = 0
        self._turn = 0

    def run(self, most_missing: int) -> int:
        """Search, then put everything where it was in the best plan seen; return the steps taken."""
        board = self._board
        best, places, idle = board.missing(), list(board.where), 0
        steps = min(STEPS, _LEAST_STEPS + _STEPS_PER_UNIT * len(board.where))
        while self._step < steps and self._looks > 0 and self._pool:
            self._step += 1
            found = self._exchange()
            if found is None:
                idle += 1
                if idle * _WINDOW > _ROUNDS * len(board.states):
                    break
                continue
            idle = 0
            self._carry_out(*found)
            missing = self._missing()
            if missing < best:
                best, places = missing, list(board.where)
                if best[0] <= most_missing:
                    break
        board.restore(places)
        return self._step

    def _missing(self) -> tuple[int, int]:
        kinds = [self._board.kind_of[unit] for unit in self._pool]
        return sum(len(kind.demands) for kind in kinds), sum(kind.size for kind in kinds)

    def _carry_out(self, unit: int, host: int, out: tuple[int, ...]) -> None:
        board = self._board
        for other in out:
            self._barred[board.kind_of[other], host] = self._step + _WAITS
        self._pool.pop(unit)
        self._locked[unit] = self._step + _WAITS
        # What came out goes where it fits; else it waits.
        for other in out:
            place = self._gap(board.kind_of[other], host)
            if place is None:
                self._pool[other] = None
            else:
                board.put(other, place)

    def _gap(self, kind: Kind, besides: int) -> int | None:
        self._looks -= 1 + len(self._board.states) // 8
        return next(
            (host for host in self._board.candidates(kind) if host != besides and self._board.takes(kind, host)), None
        )

    def _exchange(self) -> Exchange | None:
        """Find the exchange after which least waits, among some of what waits and some hosts; carry its host's part out."""
        board = self._board
        kinds = sorted(_kinds(board, list(self._pool)), key=lambda kind: (-kind.size, kind.index))
        self._turn += 1
        tried = [kinds[(self._turn + offset) % len(kinds)] for offset in range(min(_TRIED, len(kinds)))]
        options: list[tuple[int, int, int, tuple[int, ...]]] = []
        count = len(board.states)
        window = [(self._begin + offset) % count for offset in range(min(_WINDOW, count))]
        self._begin = (self._begin + _WINDOW) % count if count > _WINDOW else 0
        for kind in tried:
            unit = next(unit for unit in self._pool if board.kind_of[unit] is kind)
            options += [(gain, unit, host, out) for host in window for gain, out in self._outs(kind, host)]
        for _gain, unit, host, out in sorted(options, key=lambda option: option[0])[: 2 * _WAITS]:
            if self._apply(unit, host, out):
                return unit, host, out
        return None

    def _apply(self, unit: int, host: int, out: tuple[int, ...]) -> bool:
        board = self._board
        for other in out:
            board.take(other)
        if board.takes(board.kind_of[unit], host):
            board.put(unit, host)
            return True
        for other in out:
            board.put(other, host)
        return False

    def _outs(self, kind: Kind, host: int) -> list[tuple[int, tuple[int, ...]]]:
        """Return what may come out for one of the kind to go in, with how much more would wait then."""
        board = self._board
        if not kind.mask >> host & 1 or board.is_closed[host] or self._barred.get((kind, host), 0) > self._step:
            return []
        if board.takes(kind, host):
            return [(-kind.size, ())]
        lack = [amount - free for amount, free in zip(kind.amounts, board.free[host])]
        movable = self._movable(host, kind)
        self._looks -= 1 + len(movable) * (len(movable) + 1) // 2
        found: list[tuple[int, tuple[int, ...]]] = []
        for index, (one, units) in enumerate(movable):
            rest = [need - amount for need, amount in zip(lack, one.amounts)]
            if max(rest) <= 0:
                found.append((one.size - kind.size, (units[0],)))
                continue
            found += self._seconds(kind, one, units, rest, movable[index:])
        found.sort(key=lambda option: option[0])
        return found[:2]

    @staticmethod
    def _seconds(
        kind: Kind, one: Kind, units: Sequence[int], rest: Sequence[int], others: Sequence[tuple[Kind, list[int]]]
    ) -> list[tuple[int, tuple[int, ...]]]:
        found: list[tuple[int, tuple[int, ...]]] = []
        first, second, third = rest
        for two, more in others:
            amounts = two.amounts
            if amounts[0] < first or amounts[1] < second or amounts[2] < third:
                continue
            if two is not one:
                found.append((one.size + two.size - kind.size, (units[0], more[0])))
            elif len(units) > 1:
                found.append((one.size + two.size - kind.size, (units[0], units[1])))
        return found

    def _movable(self, host: int, kind: Kind) -> list[tuple[Kind, list[int]]]:
        by_kind: dict[Kind, list[int]] = {}
        board = self._board
        for unit in board.on[host]:
            if (
                self._locked.get(unit, 0) <= self._step
                and board.kind_of[unit] is not kind
                and not board.is_pinned(unit)
            ):
                by_kind.setdefault(board.kind_of[unit], []).append(unit)
        return sorted(by_kind.items(), key=lambda item: item[0].index)
