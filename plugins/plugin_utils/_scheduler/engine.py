# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The engine: what runs stays, the rest is planned as one batch or one after the other, and the plan is explained.

Nothing here depends on the order of hosts or, in a batch, of requests: every tie is broken by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .batch import Batch
from .batch.board import NOWHERE, Board
from .batch.goal import Goal, goal_of
from .batch.masks import Masks
from .batch.room import Room
from .batch.units import Kind, Units
from .certificate import Bounds
from .errors import ScheduleError
from .exact.cpsat import find_solver
from .exact.engine import EXACT, improve
from .explain import Explainer
from .homes import find_homes
from .model import Demand, Engine, Plan, Problem
from .nova.weighers import NOVA, NovaScorer
from .scene import Scene
from .scores import Scores, total
from .sequential import PolicyScorer, Scorer, Turn, place_in_turn
from .state import HostState
from .topology.result import with_allocations
from .verdicts import Verdicts
from .weighers import PACK, SPREAD, own_policy, room_text

__all__ = ["find_homes", "make_plan"]


def make_plan(problem: Problem) -> Plan:
    """Return where every request goes, or why it goes nowhere."""
    if problem.policy not in (SPREAD, PACK, NOVA):
        known = ", ".join(sorted((SPREAD, PACK, NOVA)))
        raise ScheduleError(f"Policy {problem.policy!r} is unknown; take one of {known}.")
    scene = Scene(problem)
    is_batch = problem.order == "batch"
    masks = Masks(scene.states, scene.filters)
    goal = goal_of(problem)
    watches = goal.own is not None or not is_batch or problem.policy == NOVA
    board = Board(scene.states, Units(scene.new, masks), masks, watches=watches)
    bounds = Bounds(board)
    if is_batch:
        batched = _Batched(scene, board, goal, bounds)
        steps, engine = batched.run(), batched.engine
    else:
        steps, engine = 0, Engine("search")
        _in_declared_order(scene)
    return _plan(scene, bounds, Verdicts(scene, board, bounds, steps, engine), engine)


def _plan(scene: Scene, bounds: Bounds, verdicts: Verdicts, engine: Engine) -> Plan:
    problem, placements, refused = scene.problem, scene.placements, scene.refused
    declared = [request.name for request in problem.requests]
    explainer = Explainer(scene.states, scene.hidden, problem.prefix)
    return Plan(
        policy=problem.policy,
        purge=problem.purge,
        placements=with_allocations(
            [placements[name] for name in declared if name in placements], problem.requests, scene.by_name
        ),
        unplaced=tuple(explainer.explain(refused[name]) for name in declared if name in refused),
        removed=scene.removed,
        usage=tuple(state.as_usage() for state in scene.states),
        migrations=tuple(scene.migrations),
        violations=tuple(scene.violations),
        certificate=verdicts.certificate(bounds, [name for name in declared if name in refused]),
        engine=engine,
    )


def _scorer(problem: Problem, states: Sequence[HostState]) -> Scorer:
    return NovaScorer(problem.rules, states) if problem.policy == NOVA else PolicyScorer(own_policy(problem))


def _in_declared_order(scene: Scene) -> None:
    """Place one request after the other, as Nova does."""
    problem = scene.problem
    turns = {request.name: number for number, request in enumerate(problem.requests)}
    new = sorted(scene.new, key=lambda request: turns[request.name])
    scorer = _scorer(problem, scene.states)
    for turn in place_in_turn(new, scene.states, scene.filters, scorer):
        if turn.host is None:
            scene.refuse(turn.request)
        else:
            why = _why(turn.request.demand, turn.host, turn.choices, f"{scorer.summary} of")
            scene.create(turn.request, turn.host.name, why, total(turn.terms))


class _Batched:
    """Plans all that is new as one batch."""

    def __init__(self, scene: Scene, board: Board, goal: Goal, bounds: Bounds) -> None:
        self._scene, self._board, self._goal, self._bounds = scene, board, goal, bounds
        self._turns: dict[str, Turn] = {}
        self.engine = Engine("search")
        """What planned, once it has run."""
        self._choices = {kind: len(board.candidates(kind)) for kind in board.kinds}

    def run(self) -> int:
        """Place what can be placed; return how many exchanges were tried for the rest."""
        scene, board, bounds = self._scene, self._board, self._bounds
        batch = Batch(board, self._goal, bounds.most_placed()[0])
        start = self._as_nova if scene.problem.policy == NOVA else None
        batch.place(start, self._improve if scene.problem.engine == EXACT else None)
        if scene.problem.make_room and board.pool():
            room = Room(board, scene.movable(), scene.problem.make_room_cost)
            room.make()
            scene.has_made_room = bool(room.migrations)
            for resident, move in room.migrations:
                scene.migrate(resident, move)
        batch.polish(lambda: bounds.least_hosts(_placed(board))[0])
        self._note(Scores(board, batch.scale, self._goal.is_pack))
        return batch.steps

    def _improve(self) -> None:
        self.engine = improve(self._board, self._goal.is_pack, find_solver())

    def _note(self, scores: Scores) -> None:
        """Note where everything goes, and why."""
        scene, board = self._scene, self._board
        found = [(unit, scores.score(unit)) for unit, host in enumerate(board.where) if host != NOWHERE]
        board.tell()
        for unit, score in found:
            state = board.states[board.where[unit]]
            choices = self._choices.get(board.kind_of[unit], 0)
            for request in board.units.units[unit].requests:
                turn = self._turns.get(request.name)
                own = score if turn is None or turn.host is not state else total(turn.terms)
                why = _why(request.demand, state, choices, self._goal.summary)
                scene.create(request, state.name, why, own)
        for unit in board.pool():
            for request in board.units.units[unit].requests:
                scene.refuse(request)

    def _as_nova(self) -> None:
        """Place the hardest first, each as Nova would; what is left without a place is then dealt with as ever."""
        board, scene = self._board, self._scene
        units = [(unit, board.units.units[unit].requests) for unit in board.in_order()]
        order = [request for _unit, requests in units for request in requests]
        scorer = _scorer(scene.problem, scene.states)
        turns = list(place_in_turn(order, scene.states, scene.filters, scorer))
        index = {state.name: number for number, state in enumerate(scene.states)}
        for turn in reversed(turns):
            if turn.host is not None:
                turn.host.displace(turn.request.demand)
        self._turns = {turn.request.name: turn for turn in turns}
        for unit, requests in units:
            hosts = {turn.host.name if turn.host else None for turn in (self._turns[one.name] for one in requests)}
            name = hosts.pop()
            if not hosts and name is not None and board.has_room(board.kind_of[unit], index[name]):
                board.put(unit, index[name])


def _placed(board: Board) -> Counter[Kind]:
    return Counter(board.kind_of[unit] for unit, host in enumerate(board.where) if host != NOWHERE)


def _why(demand: Demand, state: HostState, choices: int, summary: str) -> str:
    if demand.host is not None:
        return "is the declared host"
    if choices == 1:
        return f"the only host that can take it ({room_text(state)} left)"
    return f"{summary} {choices} hosts ({room_text(state)} left)"
