# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Bring an instance to the host where it shall be: look, plan, lock, look again, act."""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass

from ..._driver.connection import Connection
from ..._driver.migration import Figures, wait_until_still
from ..._errors import ComputeError, ConflictError
from ..._plan.migration import FRESH, HALF, SPLIT, Baggage, is_in_doubt, plan_go_on, plan_move, plan_tidy, stage_of
from ..._plan.migration_obstacles import refuse
from ..._plan.plan import Plan
from ..._spec.migration import MigrationSpec
from ..lock import instance_lock
from ..progress import SILENT_BOARD, Board
from .scene import Scene, domain_of, host_of, look, look_again, open_scene
from .steps import Job, perform

_ALIVE = (5, 6)
"""Seconds between signs of life, and how many of them a host may leave out."""
_OTHERS_SECONDS = 600.0
_REST_SECONDS = 60.0
"""How long libvirt may take to end a move whose client is gone."""
_PAUSE_SECONDS = 0.5


@dataclass
class Attempt:
    """One move that was planned, and what became of it."""

    spec: MigrationSpec
    scene: Scene | None = None
    plan: Plan = Plan("")  # noqa: RUF009  # frozen
    job: Job | None = None
    error: ComputeError | None = None

    @property
    def changed(self) -> bool:
        """Tell whether something was, or is to be, done."""
        if self.error is not None:
            return self.job is not None and self.job.is_there and self.job.is_begun
        return self.plan.changed


def option_of(spec: MigrationSpec) -> str:
    """Return what the destination's URI is called among the options."""
    return f"destinations.{spec.to}.uri" if spec.to else "destination.uri"


@contextlib.contextmanager
def both_ends(uri: str, spec: MigrationSpec) -> t.Iterator[tuple[Connection, Connection]]:
    """Give connections to both hosts that no other move has."""
    with Connection(uri) as source, Connection(spec.destination.uri, option_of(spec)) as target:
        yield source, target


def ensure_there(
    source: Connection, target: Connection, spec: MigrationSpec, check: bool, board: Board = SILENT_BOARD
) -> Attempt:
    """Have the instance at the destination, or only say what it takes; what fails is told by the attempt."""
    attempt = Attempt(spec)
    try:
        for connection in (source, target):
            connection.keep_alive(*_ALIVE)
        foresee(attempt, open_scene(host_of(source, spec), host_of(target, spec), spec))
        if attempt.plan.changed and not check:
            _act(attempt, board)
    except ComputeError as exc:
        attempt.error = exc
    return attempt


def foresee(attempt: Attempt, scene: Scene) -> None:
    """Plan a move, with what an interrupted one left at rest."""
    attempt.scene = scene = _settled(scene)
    attempt.plan, attempt.job = _plan(scene)


def _act(attempt: Attempt, board: Board) -> None:
    scene = attempt.scene
    if scene is None:
        return
    with _locks(scene):
        _await_others(scene)
        foresee(attempt, look_again(scene))
        if attempt.job is not None:
            attempt.job.board = board
            try:
                perform(attempt.job, attempt.plan)
            finally:
                board.end(attempt.spec.name)


def _settled(scene: Scene) -> Scene:
    """Wait for what goes on by itself: a move that somebody waits for, and the end of one that nobody waits for any more."""
    if not is_in_doubt(scene.ends):
        return scene
    _await_others(scene)
    end = time.monotonic() + _REST_SECONDS
    scene = look_again(scene)
    while is_in_doubt(scene.ends) and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)
        scene = look_again(scene)
    return scene


def _plan(scene: Scene) -> tuple[Plan, Job]:
    stage = stage_of(scene.spec, scene.ends)
    if stage == FRESH:
        baggage, found = look(scene)
        refuse(scene.spec, found)
        return plan_move(scene.spec, scene.ends, baggage), Job(scene, baggage)
    if stage in (SPLIT, HALF):
        shared = frozenset(scene.shared(scene.ends.source.record))
        if stage == SPLIT:
            return plan_go_on(scene.spec, scene.ends, shared), Job(scene, is_there=True)
        return plan_tidy(scene.spec, scene.ends, shared), Job(scene, is_there=not _is_switched_only(scene))
    return Plan(f"instance {scene.spec.name}"), Job(scene)


def _is_switched_only(scene: Scene) -> bool:
    """Tell whether the destination's copy counts and was not started yet, so that it may turn out not to start."""
    return scene.ends.target.begun is not None and not scene.ends.target.active


@contextlib.contextmanager
def _locks(scene: Scene) -> t.Iterator[None]:
    """Keep other runs here off the instance at both hosts; in one order, whichever way it goes."""
    with contextlib.ExitStack() as stack:
        for uuid in sorted((scene.source.uuid, scene.target.uuid)):
            stack.enter_context(instance_lock(uuid, scene.spec.name))
        yield


def _await_others(scene: Scene) -> None:
    """Wait for a move that goes on without us, as one that was begun elsewhere."""
    if scene.ends.source.is_split:
        return
    for host in (scene.source, scene.target):
        domain = domain_of(host, scene.spec.name)
        if domain is not None and not wait_until_still(host.connection, domain, _OTHERS_SECONDS):
            raise ConflictError(
                f"Instance {scene.spec.name} at {host.connection.uri} is being moved by somebody else; wait for that."
            )


def as_migration(attempt: Attempt, uri: str) -> dict[str, t.Any]:
    """Return one move's part of the result."""
    job = attempt.job
    baggage: Baggage | None = job.baggage if job else None
    figures = job.figures if job else Figures()
    return {
        "name": attempt.spec.name,
        "source": uri,
        "destination": attempt.spec.destination.uri,
        "mode": baggage.mode if baggage and attempt.plan.changed else None,
        "total_ms": figures.total_ms,
        "downtime_ms": figures.downtime_ms,
        "memory_bytes": figures.memory_bytes,
        "disk_bytes": figures.disk_bytes,
        "iterations": figures.iterations,
    }
