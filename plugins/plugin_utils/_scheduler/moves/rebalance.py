# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Make hosts alike with few moves, or say why nothing is moved."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from ..._values import ValuesError, whole_number
from ..errors import ScheduleError
from ..intake.values import MOST, known_hosts
from ..model import Guest, Host
from .balance import Balance
from .board import Board
from .budget import Budget
from .compaction import final_moves, send_home, shorten_chains
from .descent import Descent, Wishes
from .options import MoveOptions, dimension_weights, fraction, read_move_options, reasons
from .question import RebalanceQuestion
from .report import evening_rows, evenness, fixed_rows, number, usage_rows
from .scene import Reason, Scene, ordered_hosts, read_hosts_question, set_scene
from .waves import Order, in_sequence, in_waves

_PREFERENCES = ("moves", "memory")
_ROUNDS = 6
_FEWEST_HOSTS = 2


@dataclass(frozen=True)
class _Options:
    moves: MoveOptions
    threshold: Fraction
    target: Fraction
    min_gain: Fraction
    max_moves: int | None
    max_mb: int | None
    prefers_memory: bool
    weights: tuple[Fraction, ...]


def rebalance(question: RebalanceQuestion) -> dict[str, t.Any]:
    """Return the plan, or raise :class:`ScheduleError` with one sentence."""
    problem = read_hosts_question(question)
    hosts = ordered_hosts(problem)
    try:
        options = _read(question)
        excluded = known_hosts(question.excluded, "excluded", {host.name for host in hosts})
        scene = set_scene(problem, _fixes(options.moves, hosts, excluded))
    except ValuesError as exc:
        raise ScheduleError(str(exc)) from exc
    members = [
        index for index, host in enumerate(hosts) if host.is_up and host.is_enabled and host.name not in excluded
    ]
    return _Rebalance(scene, options, members).plan()


def _read(question: RebalanceQuestion) -> _Options:
    if question.prefer not in _PREFERENCES:
        raise ValuesError(f"prefer: {question.prefer!r} is unknown; take one of {', '.join(_PREFERENCES)}.")
    limits = {
        key: None if value is None else whole_number(value, key, 0, MOST)
        for key, value in (("max_moves", question.max_moves), ("max_mb", question.max_mb))
    }
    return _Options(
        moves=read_move_options(question),
        threshold=fraction(question.threshold, "threshold"),
        target=fraction(question.target, "target"),
        min_gain=fraction(question.min_gain, "min_gain"),
        max_moves=limits["max_moves"],
        max_mb=limits["max_mb"],
        prefers_memory=question.prefer == "memory",
        weights=dimension_weights(question.weights),
    )


def _fixes(options: MoveOptions, hosts: tuple[Host, ...], excluded: tuple[str, ...]) -> Reason:
    general = reasons(options, hosts)

    def reason(guest: Guest, index: int) -> str | None:
        host = hosts[index]
        if host.name in excluded:
            return f"{host.name} is excluded"
        return general(guest, index) if host.is_enabled else f"{host.name} {host.condition}"

    return reason


class _Rebalance:
    def __init__(self, scene: Scene, options: _Options, members: list[int]) -> None:
        self._scene, self._options, self._members = scene, options, members

    def plan(self) -> dict[str, t.Any]:
        """Return the plan as data."""
        board = self._scene.board()
        balance = self._balance(board)
        before = evenness(balance)
        reason = self._nothing_to_do(balance)
        order = Order((), ()) if reason else self._search()
        for step in order.steps:
            board.move(step.unit, step.target)
        rows = evening_rows(self._scene, order, balance)
        if not rows and not reason:
            gain = number(self._options.min_gain)
            limits = " and the limits on moves and memory" if Budget(*self._limits()).is_limited else ""
            reason = (
                f"No move within the rules{limits} gains {gain} of a host or more; the imbalance is {before['score']}."
            )
        return {
            "moves": rows,
            "waves": order.waves,
            "memory_mb": sum(row["memory_mb"] for row in rows),
            "reason": reason,
            "before": before,
            "after": evenness(balance),
            "fixed": fixed_rows(self._scene),
            "hosts": usage_rows(board.states),
        }

    def _limits(self) -> tuple[int | None, int | None]:
        return self._options.max_moves, self._options.max_mb

    def _balance(self, board: Board) -> Balance:
        return Balance(board.states, self._members, self._options.weights)

    def _nothing_to_do(self, balance: Balance) -> str:
        """Say why there is nothing to look for."""
        score = balance.as_score(balance.value)
        if len(self._members) < _FEWEST_HOSTS:
            return "There are no two hosts in service between which instances could be moved."
        if score <= self._options.threshold:
            return f"The imbalance is {number(score)}, and up to {number(self._options.threshold)} nothing is moved."
        if not self._scene.units:
            return f"There is no instance that may be moved{_summary(self._scene)}."
        return ""

    def _search(self) -> Order:
        board = self._scene.board()
        balance = self._balance(board)
        budget = Budget(*self._limits())
        least = balance.least_gain(self._options.min_gain)
        target = int(self._options.target * (balance.value / balance.as_score(balance.value)))
        descent = Descent(board, balance, budget, Wishes(least, target, self._options.prefers_memory))
        for _round in range(_ROUNDS):
            descent.run()
            if not send_home(descent, board, balance, least, target):
                break
        else:
            descent.run()
        trail = list(descent.trail)
        movers = [unit for unit, _host in trail]
        straight = final_moves(board, movers)
        shorten_chains(descent, board)
        order = Order((), ())
        for moves in (final_moves(board, movers), straight):
            may_park = not budget.is_limited
            order = in_waves(self._scene.board(), moves, self._per_host, self._members, may_park)
            if not order.stuck:
                return order
        # The way in which it was found is allowed at every step, but has more moves than a limit may allow.
        return order if budget.is_limited else in_sequence(self._scene.board(), trail, self._per_host)

    @property
    def _per_host(self) -> int:
        return self._options.moves.concurrent_per_host


def _summary(scene: Scene) -> str:
    counts = Counter(one.why for one in scene.fixed)
    if not counts:
        return ""
    why, number_of = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return f": of {len(scene.fixed)} there, {number_of} {'is' if number_of == 1 else 'are'} fixed since each {why}"
