# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Volumes by themselves: what is there is read, compared with what is declared, and brought about.

libvirt can't rename a volume. So while one is being filled, a small volume beside it says that it can't be trusted: it is
made first and removed last, and whoever finds it after a run was killed removes the half volume.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from dataclasses import dataclass, replace

from .._driver.connection import Connection
from .._driver.storage import BUSY_SECONDS, Pool, Volume, find_pool
from .._errors import ConflictError, DriverError, ExistsError
from .._plan import volume as steps
from .._plan.plan import Plan
from .._plan.volume import Content, VolumeState, format_of_new, plan_volume
from .._spec.image import ImageSpec
from .._spec.volume import StoredVolumeSpec, unfinished_name
from .._xml.volume import VolumeDescription
from ._image.fetched import Fetched, upload
from .fetch import fetch
from .image_usage import read_usage
from .lock import host_lock
from .pool_room import refuse_without_room
from .volume_download import download, refuse_download
from .volume_origin import find_origin

_LOCK_SECONDS = 3600.0
_FILE_POOLS = frozenset({"dir", "fs", "netfs"})
_MARK_BYTES = 4096
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class VolumeOutcome:
    """What was planned, and the volume as it is now."""

    plan: Plan
    volume: dict[str, t.Any] | None = None


@dataclass(frozen=True)
class _Work:
    """One run's view: the pool, and what a new volume is filled from."""

    connection: Connection
    pool: Pool
    spec: StoredVolumeSpec
    in_files: bool
    origin: Volume | None = None
    file: Fetched | None = None

    @property
    def content(self) -> Content | None:
        """Return what a new volume is to hold."""
        if self.file:
            return Content(self.file.inspection.virtual_size_bytes, self.file.inspection.format)
        return Content(self.origin.capacity, self.origin.format or "raw") if self.origin else None


def ensure_stored_volume(connection: Connection, spec: StoredVolumeSpec, check_mode: bool) -> VolumeOutcome:
    """Bring the volume about that ``spec`` declares."""
    pool = find_pool(connection, spec.pool)
    in_files = pool.describe().type in _FILE_POOLS
    what = f"volume {spec.name} of pool {spec.pool}"
    with contextlib.ExitStack() as stack:
        state = _read_state(connection, pool, spec, in_files)
        work = _prepare(_Work(connection, pool, spec, in_files), state, stack)
        plan = plan_volume(spec, state, work.content)
        if plan.changed and not check_mode:
            stack.enter_context(host_lock(f"volume {pool.uuid} {spec.name}", _LOCK_SECONDS, what))
            state = _read_state(connection, pool, spec, in_files)
            work = _prepare(work, state, stack)
            plan = plan_volume(spec, state, work.content)
            _apply(work, state, plan)
    volume = pool.find(spec.name) if spec.present else None
    return VolumeOutcome(plan, _as_result(volume) if volume else None)


def _read_state(connection: Connection, pool: Pool, spec: StoredVolumeSpec, in_files: bool) -> VolumeState:
    volume = pool.find(spec.name)
    unfinished = pool.find(unfinished_name(spec.name)) is not None
    has_copy = spec.dest is not None and os.path.lexists(spec.dest)
    if volume is None:
        return VolumeState(unfinished=unfinished, in_files=in_files, has_copy=has_copy)
    if spec.dest and not has_copy and not unfinished:
        refuse_download(connection, volume)
    matters = unfinished or not spec.present or (spec.size is not None and spec.size > volume.capacity)
    users = _users(connection, volume, growing=spec.present and not unfinished) if matters else []
    return VolumeState(volume.capacity, volume.format, unfinished, in_files, has_copy, tuple(users))


def _users(connection: Connection, volume: Volume, growing: bool) -> list[str]:
    usage = read_usage(connection)
    if growing:
        return usage.volumes_on(volume.path) + usage.domains_on({volume.path}, running=True)
    return usage.possible_users(volume.path)


def _prepare(work: _Work, state: VolumeState, stack: contextlib.ExitStack) -> _Work:
    """Find what the volume is filled from, where it is to be made."""
    spec = work.spec
    if not spec.present or (state.exists and not state.unfinished):
        return work
    if spec.origin and not work.origin:
        return replace(work, origin=find_origin(work.connection, spec.origin))
    if spec.src and not work.file:
        source = ImageSpec(name=spec.name, path=spec.src, format=spec.format)
        return replace(work, file=stack.enter_context(fetch(source)))
    return work


def _apply(work: _Work, state: VolumeState, plan: Plan) -> None:
    volume = work.pool.find(work.spec.name)
    if volume and plan.has(steps.WIPE):
        volume.wipe()
    if volume and plan.has(steps.DELETE):
        volume.delete()
    if volume and plan.has(steps.DISCARD):
        _discard(work, volume)
    if volume and plan.has(steps.GROW) and work.spec.size:
        volume.resize(work.spec.size)
    if state.unfinished and not plan.has(steps.FILL):
        _unmark(work)
    content = work.content
    if plan.has(steps.CREATE):
        work.pool.add(_definition(work, state, None, work.spec.size or 0))
    elif plan.has(steps.FILL) and content:
        _fill(work, _definition(work, state, content, max(work.spec.size or 0, content.size)))
    made = work.pool.find(work.spec.name) if plan.has(steps.DOWNLOAD) else None
    if made and work.spec.dest:
        download(made, work.spec.dest)


def _discard(work: _Work, volume: Volume) -> None:
    """Remove a half volume; libvirt keeps one that a run on another machine is filling, and that run may finish it."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            volume.delete(patience=0)
            return
        except DriverError:
            if time.monotonic() > end:
                raise
        time.sleep(_PAUSE_SECONDS)
        if work.pool.find(unfinished_name(work.spec.name)) is None:
            raise ConflictError(f"Volume {volume.name} was finished by another run just now; run again.")


def _definition(work: _Work, state: VolumeState, content: Content | None, size: int) -> VolumeDescription:
    """Describe the new volume; what is no file gets all its room, which LVM would else not hold ready."""
    image_format = format_of_new(work.spec, state, content) if work.in_files else None
    return VolumeDescription(work.spec.name, size, image_format, 0 if work.in_files else size)


def _fill(work: _Work, definition: VolumeDescription) -> None:
    """Make the volume with its content; one that could not be filled is removed, and one that others made is not."""
    if work.file:
        refuse_without_room(work.file, work.pool, str(work.spec.src), work.in_files, besides=_MARK_BYTES)
    # After a run that was killed, the mark is there already.
    with contextlib.suppress(ExistsError):
        work.pool.create(unfinished_name(work.spec.name), _MARK_BYTES, "raw", allocation=_MARK_BYTES)
    try:
        if work.origin:
            work.pool.copy(definition, work.origin)
        elif work.file:
            _upload(work, definition, work.file)
    except ExistsError:
        _unmark(work)
        raise
    except BaseException:
        if work.pool.find(definition.name) is None:
            _unmark(work)
        raise
    _unmark(work)


def _unmark(work: _Work) -> None:
    mark = work.pool.find(unfinished_name(work.spec.name))
    if mark:
        mark.delete()


def _upload(work: _Work, definition: VolumeDescription, file: Fetched) -> None:
    as_file = VolumeDescription(definition.name, file.size_bytes, "raw")
    volume = work.pool.add(as_file if work.in_files else definition)
    try:
        if not upload(file, volume, sparse=work.in_files):
            raise ConflictError(f"The file {work.spec.src} was changed by someone else while it was read; run again.")
        if work.in_files:
            work.pool.refresh()
            if volume.reread().capacity < definition.capacity_bytes:
                volume.resize(definition.capacity_bytes)
    except BaseException:
        volume.delete()
        raise


def _as_result(volume: Volume) -> dict[str, t.Any]:
    found = volume.reread().description
    return {
        "name": volume.name,
        "pool": volume.pool,
        "path": volume.path,
        "format": found.format,
        "size_bytes": found.capacity_bytes,
        "allocation_bytes": found.allocation_bytes,
    }
