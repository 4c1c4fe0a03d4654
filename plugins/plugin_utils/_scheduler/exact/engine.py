# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the board holds as a whole-number program: how many units of each kind are on each host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..batch.board import NOWHERE, Board
from ..batch.units import Kind
from ..model import DIMENSIONS, Engine
from .program import Cut, Program, Row, Solver

EXACT = "exact"
_MOST_VARIABLES = 5_000
_MOST_CUTS = 40
"""How often it is told that what it put on a host does not go together there."""
_APART = "ServerGroupAntiAffinityFilter"
_KNOWN = frozenset({_APART, "ServerGroupAffinityFilter", "NUMATopologyFilter", "PciPassthroughFilter", "PoolFilter"})
"""Rules under which less on a host is never worse, so that what does not go together can be ruled out."""
MISSING = (
    "engine exact needs OR-tools, which this Python does not have, so that it was planned by search;"
    " install it with pip install ortools, or leave engine: exact out"
)


def improve(board: Board, is_pack: bool, solver: Solver | None) -> Engine:
    """Arrange the board anew if that places more or uses fewer hosts."""
    if solver is None:
        return Engine("search", MISSING)
    obstacle = _obstacle(board)
    if obstacle:
        return Engine("search", f"engine exact was not used, and it was planned by search: {obstacle}")
    return _Exact(board, is_pack, solver).run()


def _obstacle(board: Board) -> str:
    names = {rule.name for kind in board.kinds for rules in kind.dynamic for rule in rules}
    if names - _KNOWN:
        return f"it does not know how to reckon with {', '.join(sorted(names - _KNOWN))}"
    if any(kind.soft is not None for kind in board.kinds):
        return "it does not know what the wishes of soft groups are worth"
    count = sum(len(board.masks.indices(kind.mask)) for kind in board.kinds)
    if count > _MOST_VARIABLES:
        return f"{count} pairs of a host and a kind of instance are more than the {_MOST_VARIABLES} that it takes"
    return ""


class _Exact:
    def __init__(self, board: Board, is_pack: bool, solver: Solver) -> None:
        self._board, self._is_pack, self._solver = board, is_pack, solver
        self._found = list(board.where)
        self._outcome = board.missing(), board.opened()
        board.clear()
        self._pairs = [
            (kind, host) for kind in board.kinds for host in board.candidates(kind) if board.takes(kind, host)
        ]
        self._opens = [host for host in range(len(board.states)) if not board.is_busy[host]] if is_pack else []
        self._index = {pair: index for index, pair in enumerate(self._pairs)}
        self._cuts = 0

    def run(self) -> Engine:
        """Find the best arrangement, and take it if it is better than what the board had."""
        board = self._board
        program = self._program()
        gains = self._gains()
        values, are_placed_best, program = self._solved(program, gains)
        are_hosts_best = False
        if values is not None and self._is_pack:
            # As much stays placed, on as few hosts as that is possible on.
            least = sum(gain * value for gain, value in zip(gains, values))
            kept = program.with_row(Row(tuple((index, -gain) for index, gain in enumerate(gains) if gain), -least))
            fewer, are_hosts_best, _program = self._solved(kept, [0] * len(self._pairs) + [-1] * len(self._opens))
            values = fewer or values
        if values is None or self._arrange(values) or (board.missing(), board.opened()) > self._outcome:
            board.restore(self._found)
        return self._told(are_placed_best, are_placed_best and are_hosts_best)

    def _told(self, are_placed_best: bool, are_hosts_best: bool) -> Engine:
        # Groups of which a part may still be placed, and rules that were learned by trying, are no matter of proof.
        is_proof = not self._cuts and all(len(self._board.kind_of[unit].demands) == 1 for unit in self._board.pool())
        if not is_proof or not are_placed_best:
            return Engine("exact", "engine exact proved nothing within its steps")
        if self._is_pack and not are_hosts_best:
            return Engine("exact", "engine exact proved that nothing places more; fewer hosts may do", True)
        also = " or uses fewer hosts" if self._is_pack else ""
        return Engine("exact", f"engine exact proved that nothing places more{also}", True, are_hosts_best)

    def _gains(self) -> list[int]:
        """Return what each unit placed counts: its requests first, then its size, as in ``Board.missing``."""
        one = 1 + sum(kind.size * len(kind.units) for kind in self._board.kinds)
        return [len(kind.demands) * one + kind.size for kind, _host in self._pairs] + [0] * len(self._opens)

    def _program(self) -> Program:
        board = self._board
        rows: list[Row] = []
        for kind in board.kinds:
            rows.append(Row(tuple((self._index[pair], 1) for pair in self._pairs if pair[0] is kind), len(kind.units)))
        for host in range(len(board.states)):
            here = [(index, kind) for (kind, place), index in self._index.items() if place == host]
            for dimension in range(len(DIMENSIONS)):
                terms = tuple((index, kind.amounts[dimension]) for index, kind in here if kind.amounts[dimension])
                rows.append(Row(terms, board.free[host][dimension]))
            rows += self._apart(host, here)
            if host in self._opens:
                most = sum(len(kind.units) for _index, kind in here)
                opened = len(self._pairs) + self._opens.index(host)
                rows.append(Row((*((index, 1) for index, _kind in here), (opened, -most)), 0))
        most_of = [len(kind.units) for kind, _host in self._pairs] + [1] * len(self._opens)
        return Program(tuple(most_of), tuple(row for row in rows if row.terms), hint=self._hint())

    def _apart(self, host: int, here: Sequence[tuple[int, Kind]]) -> list[Row]:
        """Return how many members of each anti-affinity group find a place."""
        terms: dict[str, list[tuple[int, int]]] = {}
        most = {}
        for index, kind in here:
            group = kind.demands[0].group
            if group is not None and any(rule.name == _APART for rules in kind.dynamic for rule in rules):
                terms.setdefault(group.name, []).append((index, len(kind.demands)))
                most[group.name] = group.most_per_host - self._board.states[host].members[group.name]
        return [Row(tuple(found), most[name]) for name, found in terms.items()]

    def _hint(self) -> tuple[int, ...]:
        counts = Counter((self._board.kind_of[unit], host) for unit, host in enumerate(self._found) if host != NOWHERE)
        used = {host for _kind, host in counts}
        return tuple([counts[pair] for pair in self._pairs] + [int(host in used) for host in self._opens])

    def _solved(self, program: Program, gains: Sequence[int]) -> tuple[tuple[int, ...] | None, bool, Program]:
        """Return the best arrangement that the rules allow, whether it is proven to be the best, and what was solved.

        What turns out not to go together is ruled out.
        """
        for _try in range(_MOST_CUTS):
            solution = self._solver(program, gains)
            if solution is None:
                break
            crowd = self._arrange(solution.values)
            if not crowd:
                return solution.values, solution.is_best, program
            self._cuts += 1
            program = program.with_cut(crowd)
        return None, False, program

    def _arrange(self, values: Sequence[int]) -> Cut:
        """Put units where the program has them; return what is too much for a host, nothing if the rules allow it."""
        board = self._board
        board.clear()
        waiting = {kind: list(kind.units) for kind in board.kinds}
        for host in range(len(board.states)):
            here = [(kind, values[self._index[kind, host]]) for kind in board.kinds if (kind, host) in self._index]
            for kind, number in here:
                for _one in range(number):
                    if not board.takes(kind, host):
                        return tuple((self._index[one, host], count) for one, count in here if count)
                    board.put(waiting[kind].pop(0), host)
        return ()
