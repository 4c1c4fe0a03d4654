# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Moves of one task: all are foreseen before the first is begun, then so many go on at once, and each has its result."""

from __future__ import annotations

import contextlib
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ..._driver.connection import Connection
from ..._errors import BatchError, ComputeError
from ..._plan import migration as verbs
from ..._plan.claims import Amount
from ..._spec.migration import Destination, MigrationSpec
from ..._spec.migration_batch import MigrationBatch
from .._instance.host import Host
from .run import Attempt, as_migration, both_ends, ensure_there, foresee, option_of
from .scene import amount_of, host_of, open_scene


def ensure_moves(source: Connection, batch: MigrationBatch, check: bool) -> dict[str, t.Any]:
    """Have every instance where it shall be, and return the task's result."""
    if not batch.is_listed:
        return _ensure_one(source, batch.moves[0], check)
    attempts = _foresee_all(source, batch.moves)
    if any(attempt.error is not None for attempt in attempts):
        # Of the others nothing is done, or would be.
        attempts = [attempt if attempt.error is not None else Attempt(attempt.spec) for attempt in attempts]
    elif not check:
        attempts = _act_all(source.uri, attempts, batch.concurrency)
    return _summary(source.uri, attempts)


def _ensure_one(source: Connection, spec: MigrationSpec, check: bool) -> dict[str, t.Any]:
    with Connection(spec.destination.uri, option_of(spec)) as target:
        attempt = ensure_there(source, target, spec, check)
    if attempt.error is not None:
        raise attempt.error
    migration = as_migration(attempt, source.uri)
    return {**attempt.plan.as_result(), "diff": attempt.plan.as_diff(), "migration": migration}


class _Foresight:
    """What the hosts will have once the moves before the next one are made; every host is asked once."""

    def __init__(self, source: Connection, stack: contextlib.ExitStack) -> None:
        self._connection, self._stack = source, stack
        self._source: Host | None = None
        self._targets: dict[Destination, Host | ComputeError] = {}
        self._promised: dict[str, Amount] = {}
        self._coming: dict[str, frozenset[str]] = {}

    def foresee(self, spec: MigrationSpec) -> Attempt:
        """Plan a move."""
        attempt = Attempt(spec)
        try:
            target = self._target(spec)
            scene = open_scene(self._its_source(spec), target, spec)
            scene.promised = self._promised.get(target.uuid, Amount())
            scene.coming = self._coming.get(target.uuid, frozenset())
            foresee(attempt, scene)
        except ComputeError as exc:
            attempt.error = exc
        else:
            self._note(attempt, target.uuid)
        return attempt

    def _note(self, attempt: Attempt, uuid: str) -> None:
        baggage = attempt.job.baggage if attempt.job else None
        if baggage is None or attempt.scene is None or not attempt.plan.changed:
            return
        scene = attempt.scene
        if not verbs.is_half(scene.ends):
            guest = scene.guest
            self._promised[uuid] = scene.promised.plus(amount_of(guest, guest.is_shelved))
        self._coming[uuid] = scene.coming | {image.volume for image in baggage.images}

    def _its_source(self, spec: MigrationSpec) -> Host:
        if self._source is None:
            self._source = host_of(self._connection, spec)
        return self._source

    def _target(self, spec: MigrationSpec) -> Host:
        found = self._targets.get(spec.destination)
        if found is None:
            found = self._targets[spec.destination] = self._open(spec)
        if isinstance(found, ComputeError):
            raise found
        return found

    def _open(self, spec: MigrationSpec) -> Host | ComputeError:
        try:
            return host_of(self._stack.enter_context(Connection(spec.destination.uri, option_of(spec))), spec)
        except ComputeError as exc:
            return exc


def _foresee_all(source: Connection, specs: t.Sequence[MigrationSpec]) -> list[Attempt]:
    with contextlib.ExitStack() as stack:
        foresight = _Foresight(source, stack)
        return [foresight.foresee(spec) for spec in specs]


def _act_all(uri: str, attempts: t.Sequence[Attempt], concurrency: int) -> list[Attempt]:
    """Make the moves; each has its own connections, since a daemon answers one client a few calls at a time."""

    def act(attempt: Attempt) -> Attempt:
        if not attempt.plan.changed:
            return attempt
        try:
            with both_ends(uri, attempt.spec) as (source, target):
                return ensure_there(source, target, attempt.spec, False)
        except ComputeError as exc:
            return Attempt(attempt.spec, error=exc)

    with ThreadPoolExecutor(max_workers=max(1, min(concurrency, len(attempts)))) as pool:
        return list(pool.map(act, attempts))


def _summary(uri: str, attempts: t.Sequence[Attempt]) -> dict[str, t.Any]:
    """Return what the task returns, or raise :class:`BatchError` where moves failed."""
    plans = [attempt.plan for attempt in attempts if attempt.error is None and attempt.plan.changed]
    total = {
        "changed": any(attempt.changed for attempt in attempts),
        "migrations": [_entry(attempt, uri) for attempt in attempts],
        "diff": [plan.as_diff() for plan in plans],
    }
    failures = [f"{attempt.spec.name}: {attempt.error}" for attempt in attempts if attempt.error is not None]
    if failures:
        raise BatchError(f"{len(failures)} of {len(attempts)} moves failed. {' '.join(failures)}", total)
    return total


def _entry(attempt: Attempt, uri: str) -> dict[str, t.Any]:
    told: dict[str, t.Any] = {**as_migration(attempt, uri), "to": attempt.spec.to}
    error = attempt.error
    if error is None:
        return {**told, **attempt.plan.as_result()}
    known = {key: value for key, value in error.details.items() if key == "obstacles"}
    return {**told, "changed": attempt.changed, "failed": True, "msg": error.message, "error_code": error.code, **known}
