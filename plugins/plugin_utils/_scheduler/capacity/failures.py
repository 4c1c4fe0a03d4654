# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which hosts may fail: whether all that is on one finds a place on the others, and how many more fit then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..moves.board import Board
from ..moves.placing import Placing, total_room
from ..moves.report import no_place, refusals_of
from ..moves.scene import Scene
from ..moves.units import Unit
from .count import Counter

_MILLION = 1_000_000


@dataclass(frozen=True)
class Failure:
    """What happens when a host is lost."""

    host: str
    homeless: tuple[tuple[str, str | None, str], ...]
    """(name, fleet, why) of what finds no place."""
    foreign: tuple[str, ...]
    """What is in no fleet, for which nobody looks."""
    instances: int
    numbers: tuple[int, ...]
    """How many more of each flavor fit afterwards."""


def failures(scene: Scene, counters: Sequence[Counter], now: Mapping[int, tuple[int, ...]]) -> list[Failure]:
    """Return what the loss of each host means; ``now`` has what each host takes of each flavor."""
    search = _Search(scene, counters, now)
    return [search.lose(index) for index, host in enumerate(scene.hosts) if host.is_up]


class _Search:
    def __init__(self, scene: Scene, counters: Sequence[Counter], now: Mapping[int, tuple[int, ...]]) -> None:
        self._scene, self._counters, self._now = scene, counters, now
        self._board = scene.board()
        inside = [index for index, host in enumerate(scene.hosts) if host.is_up and host.is_enabled]
        self._room = total_room(self._board, inside)
        self._ordered = sorted(inside, key=lambda index: (_fullness(self._board, index), index))
        self._totals = [sum(now[index][position] for index in inside) for position in range(len(counters))]

    def lose(self, lost: int) -> Failure:
        """Return what the loss of a host means; all is as it was afterwards."""
        board = self._board
        units = list(board.units_on(lost))
        for unit in units:
            board.move(unit, None)
        placing = Placing(board, [index for index in self._ordered if index != lost], is_quick=True, room=self._room)
        placing.place(units)
        fixed = [one for one in self._scene.fixed if one.host == lost]
        homeless = (
            *((one.name, one.fleet, one.why) for one in fixed if one.fleet is not None),
            *(one for unit in placing.homeless for one in _homeless(board, unit, placing.targets)),
        )
        failure = Failure(
            host=self._scene.hosts[lost].name,
            homeless=homeless,
            foreign=tuple(one.name for one in fixed if one.fleet is None),
            instances=sum(len(unit.guests) for unit in units) + len(fixed),
            numbers=(0,) * len(self._counters) if homeless else self._numbers(lost),
        )
        _restore(board)
        return failure

    def _numbers(self, lost: int) -> tuple[int, ...]:
        """Return how many more fit: only what the host had itself, and what its instances took elsewhere, is gone."""
        board = self._board
        changed = {place for moved in board.away if (place := board.places[moved]) is not None}
        return tuple(
            self._totals[position]
            - self._now[lost][position]
            - sum(self._now[index][position] - counter.number(board.states[index]) for index in changed)
            for position, counter in enumerate(self._counters)
        )


def _homeless(board: Board, unit: Unit, hosts: Sequence[int]) -> list[tuple[str, str | None, str]]:
    why = no_place(refusals_of(board, unit, hosts))
    return [(guest.name, guest.fleet, why) for guest in unit.guests]


def _restore(board: Board) -> None:
    away = [board.units[index] for index in sorted(board.away)]
    for unit in away:
        board.move(unit, None)
    for unit in away:
        board.move(unit, unit.home)


def _fullness(board: Board, index: int) -> int:
    state = board.states[index]
    return sum(used * _MILLION // whole for used, whole in zip(state.used, state.capacity) if whole)
