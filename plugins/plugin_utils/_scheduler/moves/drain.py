# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Empty hosts: where everything on them goes, in which order, and what can't leave and why."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._values import ValuesError, boolean, whole_number
from ..errors import ScheduleError
from ..intake.values import MOST, known_hosts
from ..model import Guest, Host
from .board import Board
from .options import read_move_options, reasons
from .placing import Placing, Price
from .question import DrainQuestion
from .report import Refusals, move_rows, no_place, refusals_of, usage_rows
from .scene import Scene, ordered_hosts, read_hosts_question, set_scene
from .units import Fixed, Unit
from .waves import Order, Step, in_waves

_POLICIES = ("spread", "pack")


def drain(question: DrainQuestion) -> dict[str, t.Any]:
    """Return the plan, or raise :class:`ScheduleError` with one sentence."""
    problem = read_hosts_question(question)
    hosts = ordered_hosts(problem)
    try:
        names = known_hosts(question.drained, "drained", {host.name for host in hosts})
        if not names:
            raise ValuesError("drained: no host is named; write for example drained=['hv1'].")
        if question.policy not in _POLICIES:
            raise ValuesError(f"policy: {question.policy!r} is unknown; take one of {', '.join(_POLICIES)}.")
        cost = question.make_room_cost
        price = Price(
            boolean(question.make_room, "make_room"),
            None if cost is None else whole_number(cost, "make_room_cost", 0, MOST),
        )
        options = read_move_options(question)
        scene = set_scene(problem, reasons(options, hosts))
    except ValuesError as exc:
        raise ScheduleError(str(exc)) from exc
    drained = tuple(index for index, host in enumerate(hosts) if host.name in names)
    return _Drain(scene, drained, question.policy == "pack", price, options.concurrent_per_host).plan()


@dataclass(frozen=True)
class _Left:
    """What stays on a host that was to become empty."""

    guest: Guest | Fixed
    host: int
    why: str
    refusals: Refusals = ()


class _Drain:
    def __init__(self, scene: Scene, drained: tuple[int, ...], packs: bool, price: Price, per_host: int) -> None:
        self._scene, self._drained, self._packs, self._price, self._per_host = scene, drained, packs, price, per_host
        self._targets = [
            index
            for index, host in enumerate(scene.hosts)
            if host.is_up and host.is_enabled and index not in self._drained
        ]

    def plan(self) -> dict[str, t.Any]:
        """Return the plan as data."""
        scene = self._scene
        placing = Placing(scene.board(), self._targets, self._packs, self._price)
        placing.place([unit for unit in scene.units if unit.home in self._drained])
        moves = [
            (unit, place)
            for unit in scene.units
            if (place := placing.board.places[unit.index]) is not None and place != unit.home
        ]
        # What makes way goes first.
        moves.sort(key=lambda move: (move[0].home in self._drained, move[0].index))
        order = in_waves(scene.board(), moves, self._per_host, self._targets)
        board = scene.board()
        for step in order.steps:
            board.move(step.unit, step.target)
        left = [*self._fixed(), *self._stuck(order, board), *self._homeless(placing.homeless, board)]
        return self._result(order, left, board)

    def _result(self, order: Order, left: list[_Left], board: Board) -> dict[str, t.Any]:
        scene = self._scene
        rows = move_rows(scene, order, [self._why(step) for step in order.steps])
        unseen = [scene.hosts[index] for index in self._drained if not scene.hosts[index].is_up]
        return {
            "drained": [scene.hosts[index].name for index in self._drained],
            "complete": not left and not unseen,
            "moves": rows,
            "waves": order.waves,
            "memory_mb": sum(row["memory_mb"] for row in rows),
            "left": [self._left_row(one) for one in left],
            "problem": _problem(scene.hosts, left, unseen),
            "hosts": usage_rows(board.states),
        }

    def _why(self, step: Step) -> str:
        if step.is_temporary:
            return "makes way for another move, and goes on in a later wave"
        if step.unit.home not in self._drained:
            return "makes room for what has to leave"
        name = self._scene.hosts[step.unit.home].name
        return (
            f"{name} is drained; its affinity group moves as one" if len(step.unit.guests) > 1 else f"{name} is drained"
        )

    def _fixed(self) -> list[_Left]:
        return [_Left(one, one.host, one.why) for one in self._scene.fixed if one.host in self._drained]

    def _stuck(self, order: Order, board: Board) -> list[_Left]:
        why = "has a place elsewhere, but no order of moves gets it there within the rules at every step"
        return [
            _Left(guest, unit.home, why)
            for unit in order.stuck
            if board.places[unit.index] in self._drained
            for guest in unit.guests
        ]

    def _homeless(self, units: list[Unit], board: Board) -> list[_Left]:
        others = [index for index in range(len(self._scene.hosts)) if index not in self._drained]
        return [
            _Left(guest, unit.home, no_place(refusals), refusals)
            for unit in units
            for refusals in (refusals_of(board, unit, others),)
            for guest in unit.guests
        ]

    def _left_row(self, one: _Left) -> dict[str, t.Any]:
        return {
            "name": one.guest.name,
            "fleet": one.guest.fleet,
            "host": self._scene.hosts[one.host].name,
            "why": one.why,
            "hosts": [{"host": host, "filter": rule, "message": message} for host, rule, message in one.refusals],
        }


def _problem(hosts: tuple[Host, ...], left: list[_Left], unseen: list[Host]) -> str:
    """Return what stands in the way, short enough for an error message; nothing if the hosts become empty."""
    lines = [f"{host.name} {host.condition}: what runs there can't be seen." for host in unseen]
    shown = 3
    lines += [f"{one.guest.name} can't leave {hosts[one.host].name}: it {one.why}." for one in left[:shown]]
    if len(left) > shown:
        lines.append(f"and {len(left) - shown} more")
    return "\n".join(lines)
