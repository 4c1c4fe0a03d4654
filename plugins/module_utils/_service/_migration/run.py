# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Bring an instance to the host where it shall be: look, plan, lock, look again, act."""

from __future__ import annotations

import contextlib
import typing as t

from ..._driver.connection import Connection
from ..._driver.events import enable_events
from ..._driver.migration import wait_until_still
from ..._errors import ConflictError
from ..._plan.migration import FRESH, HALF, Baggage, plan_move, plan_tidy, stage_of
from ..._plan.migration_obstacles import refuse
from ..._plan.plan import Plan
from ..._spec.migration import MigrationSpec
from ..lock import instance_lock
from .scene import Scene, domain_of, look, look_again, open_scene
from .steps import Job, perform

_ALIVE = (5, 6)
"""Seconds between signs of life, and how many of them a host may leave out."""
_OTHERS_SECONDS = 600.0


def ensure_there(source: Connection, spec: MigrationSpec, check: bool) -> dict[str, t.Any]:
    """Have the instance at the destination, or only say what it takes, and return the task's result."""
    enable_events()
    with Connection(spec.destination.uri, "destination.uri") as target:
        for connection in (source, target):
            connection.keep_alive(*_ALIVE)
        scene = open_scene(source, target, spec)
        plan, job = _plan(scene)
        if plan.changed and not check:
            with _locks(scene):
                _await_others(scene)
                scene = look_again(scene)
                plan, job = _plan(scene)
                perform(job, plan)
        return _result(scene, plan, job)


def _plan(scene: Scene) -> tuple[Plan, Job]:
    stage = stage_of(scene.spec, scene.ends)
    if stage == FRESH:
        baggage, found = look(scene)
        refuse(scene.spec, found)
        return plan_move(scene.spec, scene.ends, baggage), Job(scene, baggage)
    if stage == HALF:
        return plan_tidy(scene.spec, scene.ends), Job(scene, is_there=not _is_switched_only(scene))
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
    for host in (scene.source, scene.target):
        domain = domain_of(host, scene.spec.name)
        if domain is not None and not wait_until_still(host.connection, domain, _OTHERS_SECONDS):
            raise ConflictError(
                f"Instance {scene.spec.name} at {host.connection.uri} is being moved by somebody else; wait for that."
            )


def _result(scene: Scene, plan: Plan, job: Job) -> dict[str, t.Any]:
    figures = job.figures
    baggage: Baggage | None = job.baggage
    return {
        **plan.as_result(),
        "diff": plan.as_diff(),
        "migration": {
            "name": scene.spec.name,
            "source": scene.source.connection.uri,
            "destination": scene.target.connection.uri,
            "mode": baggage.mode if baggage and plan.changed else None,
            "total_ms": figures.total_ms,
            "downtime_ms": figures.downtime_ms,
            "memory_bytes": figures.memory_bytes,
            "disk_bytes": figures.disk_bytes,
            "iterations": figures.iterations,
        },
    }
