# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""In which order moves are made: waves, each of which may be carried out at once and in any order.

Within a wave everything that is moved has its room on both sides, as during a live migration, so that limits and rules
hold whichever move of the wave ends first. Where moves wait for each other in a circle, one of them makes way on a third
host for the time being.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .board import Board
from .units import Unit


@dataclass(frozen=True)
class Step:
    """One move of a unit, in a wave that counts from 1."""

    unit: Unit
    origin: int
    target: int
    wave: int
    is_temporary: bool = False
    """Whether it goes on from there in a later wave."""


@dataclass(frozen=True)
class Order:
    """Moves in waves, and the units for which there is no order."""

    steps: tuple[Step, ...]
    stuck: tuple[Unit, ...]

    @property
    def waves(self) -> int:
        """Return how many waves there are."""
        return max((step.wave for step in self.steps), default=0)


def in_waves(
    board: Board, moves: Sequence[tuple[Unit, int]], per_host: int, detours: Sequence[int], may_park: bool = True
) -> Order:
    """Return the order of moves, and carry them out on the board; ``detours`` are hosts on which units may be parked."""
    waiting = list(moves)
    parked: set[int] = set()
    steps: list[Step] = []
    wave = 0
    while waiting:
        wave += 1
        made = _wave(board, waiting, per_host, wave)
        if not made and may_park:
            made = _parking(board, waiting, parked, detours, wave)
            parked.update(step.unit.index for step in made)
        if not made:
            break
        for step in made:
            board.leave(step.unit, step.origin)
        steps += made
        done = {step.unit.index for step in made if not step.is_temporary}
        waiting = [(unit, target) for unit, target in waiting if unit.index not in done]
    return Order(tuple(steps), tuple(unit for unit, _target in waiting))


def _wave(board: Board, waiting: Sequence[tuple[Unit, int]], per_host: int, wave: int) -> list[Step]:
    """Return what can be moved now; all of it is on both hosts afterwards."""
    busy: Counter[int] = Counter()
    made = []
    for unit, target in waiting:
        origin = board.places[unit.index]
        if origin is None:
            continue
        if _is_too_busy(busy, unit, (origin, target), per_host) or not board.may(unit, target):
            continue
        board.arrive(unit, target)
        busy.update({origin: len(unit.guests), target: len(unit.guests)})
        made.append(Step(unit, origin, target, wave))
    return made


def _is_too_busy(busy: Counter[int], unit: Unit, hosts: Sequence[int], per_host: int) -> bool:
    """Tell whether a host has enough to do in a wave; what has to stay together is moved together, be it more than that."""
    return any(busy[host] and busy[host] + len(unit.guests) > per_host for host in hosts)


def _parking(
    board: Board, waiting: Sequence[tuple[Unit, int]], parked: set[int], detours: Sequence[int], wave: int
) -> list[Step]:
    """Return the smallest move that lets another one go on, each unit once at most."""
    wanted = {board.places[unit.index] for unit, _target in waiting}
    for unit, target in sorted(waiting, key=lambda move: (move[0].memory_mb, move[0].index)):
        origin = board.places[unit.index]
        if origin is None or unit.index in parked:
            continue
        for host in sorted(detours, key=lambda host: (host in wanted, host)):
            if host not in (origin, target) and board.may(unit, host) and _helps(board, unit, host, waiting):
                board.arrive(unit, host)
                return [Step(unit, origin, host, wave, is_temporary=True)]
    return []


def _helps(board: Board, unit: Unit, host: int, waiting: Sequence[tuple[Unit, int]]) -> bool:
    """Tell whether another move becomes possible once a unit is out of the way."""
    origin = board.places[unit.index]
    board.move(unit, host)
    helps = any(board.may(other, target) for other, target in waiting if other is not unit)
    board.move(unit, origin)
    return helps


def in_sequence(board: Board, trail: Sequence[tuple[Unit, int]], per_host: int) -> Order:
    """Return moves in the very order that is given, in as few waves as that leaves; units may be moved on."""
    steps: list[Step] = []
    left = list(trail)
    last = {unit.index: position for position, (unit, _target) in enumerate(trail)}
    wave = 0
    while left:
        wave += 1
        made: list[Step] = []
        busy: Counter[int] = Counter()
        for unit, target in left:
            origin = board.places[unit.index]
            if origin is None or any(step.unit is unit for step in made):
                break
            if _is_too_busy(busy, unit, (origin, target), per_host) or not board.may(unit, target):
                break
            board.arrive(unit, target)
            busy.update({origin: len(unit.guests), target: len(unit.guests)})
            position = len(trail) - len(left) + len(made)
            made.append(Step(unit, origin, target, wave, is_temporary=last[unit.index] != position))
        if not made:
            break
        for step in made:
            board.leave(step.unit, step.origin)
        steps += made
        left = left[len(made) :]
    return Order(tuple(steps), tuple(unit for unit, _target in left))
