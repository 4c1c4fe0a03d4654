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
from .._errors import ComputeError, ConflictError, DriverError, ExistsError, NotFoundError, SpecError
from .._plan import volume as steps
from .._plan.attachment import ATTACH
from .._plan.plan import Plan
from .._plan.volume import Content, VolumeState, format_of_new, plan_volume
from .._plan.volume_secret import FORGET_PASSPHRASE, SET_PASSPHRASE, SecretState
from .._spec.image import ImageSpec
from .._spec.volume import StoredVolumeSpec, unfinished_name
from .._xml.volume import VolumeDescription
from . import attachment as attachments
from ._image.fetched import Fetched, upload
from .fetch import fetch
from .image_usage import read_usage
from .lock import host_lock
from .pool_limits import refuse_beyond
from .pool_room import refuse_without_room
from .volume_download import download, refuse_download
from .volume_origin import find_origin
from .volume_secret import forget_passphrase, path_of, read_secret_state, set_passphrase

_LOCK_SECONDS = 3600.0
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
    secret: str | None = None
    """UUID of the secret of a new volume that is encrypted."""

    @property
    def content(self) -> Content | None:
        """Return what a new volume is to hold."""
        if self.file:
            return Content(self.file.inspection.virtual_size_bytes, self.file.inspection.format)
        return Content(self.origin.capacity, self.origin.format or "raw") if self.origin else None


def ensure_stored_volume(connection: Connection, spec: StoredVolumeSpec, check_mode: bool) -> VolumeOutcome:
    """Bring the volume about that ``spec`` declares."""
    pool = find_pool(connection, spec.pool)
    description = pool.describe()
    refuse_beyond(spec, description)
    in_files = description.holds_files
    what = f"volume {spec.name} of pool {spec.pool}"
    with contextlib.ExitStack() as stack:
        state = _read_state(connection, pool, spec, in_files)
        work = _prepare(_Work(connection, pool, spec, in_files), state, stack)
        plan = _plan(work, state)
        if plan.changed and not check_mode:
            stack.enter_context(host_lock(f"volume {pool.uuid} {spec.name}", _LOCK_SECONDS, what))
            state = _read_state(connection, pool, spec, in_files)
            work = _prepare(work, state, stack)
            plan = _plan(work, state)
            _apply(work, state, plan)
    volume = pool.find(spec.name) if spec.present else None
    return VolumeOutcome(plan, _as_result(volume, spec) if volume else None)


def _plan(work: _Work, state: VolumeState) -> Plan:
    plan = plan_volume(work.spec, state, work.content)
    volume = work.pool.find(work.spec.name) if plan.has(ATTACH) else None
    if volume and not state.unfinished:
        attachments.refuse_disguised(work.connection, work.spec, volume)
    return plan


def _read_state(connection: Connection, pool: Pool, spec: StoredVolumeSpec, in_files: bool) -> VolumeState:
    volume = _find_readable(pool, spec.name)
    state = VolumeState(
        unfinished=pool.find(unfinished_name(spec.name)) is not None,
        in_files=in_files,
        rounded=not in_files and not (volume and volume.is_remote),
        has_copy=spec.dest is not None and os.path.lexists(spec.dest),
        secret=_read_secret(connection, pool, spec, volume),
    )
    if spec.attachment:
        path = volume.path if volume else None
        state = replace(state, attachment=attachments.read_attachment(connection, spec, spec.attachment, path))
    if volume is None:
        return state
    if spec.dest and not state.has_copy and not state.unfinished:
        refuse_download(connection, volume)
    encrypted = volume.description.encryption is not None
    state = replace(state, capacity=volume.capacity, format=volume.format, encrypted=encrypted)
    return _with_users(connection, volume, spec, state)


def _find_readable(pool: Pool, name: str) -> Volume | None:
    """Return a volume, unless others removed it behind libvirt's back and it saw that just now."""
    volume = pool.find(name)
    try:
        return volume if volume and volume.description else None
    except NotFoundError:
        if pool.find(name) is not None:
            raise
        return None


def _read_secret(
    connection: Connection, pool: Pool, spec: StoredVolumeSpec, volume: Volume | None
) -> SecretState | None:
    """Return the secret of a volume that is or shall be encrypted, and what a killed run may have left of one."""
    path = path_of(pool, spec, volume)
    if spec.encryption and path is None:
        remedy = "declare a pool of files or of LVM"
        raise SpecError("encryption", f"the volumes of pool {spec.pool} have no paths, by which passphrases go", remedy)
    is_asked = spec.encryption or not spec.present or volume is None or volume.description.encryption
    return read_secret_state(connection, path) if path and is_asked else None


def _with_users(connection: Connection, volume: Volume, spec: StoredVolumeSpec, state: VolumeState) -> VolumeState:
    """Return the state with who lies on the volume, as far as that matters."""
    grows = spec.size is not None and spec.size > volume.capacity
    lost = spec.encryption is not None and (state.secret is None or not state.secret.is_finished)
    if not (state.unfinished or not spec.present or grows or lost):
        return state
    usage = read_usage(connection)
    if state.unfinished or not spec.present:
        return replace(state, users=tuple(usage.possible_users(volume.path)))
    guests = attachments.growing_guests(connection, spec, volume.path, usage)
    domains = [] if guests else usage.domains_on({volume.path}, running=True)
    return replace(state, users=(*usage.volumes_on(volume.path), *domains), guests=tuple(guests))


def _prepare(work: _Work, state: VolumeState, stack: contextlib.ExitStack) -> _Work:
    """Find what the volume is filled from, where it is to be made."""
    spec = work.spec
    if not spec.present or (state.exists and not state.unfinished):
        return work
    if spec.origin and not work.origin:
        return replace(work, origin=find_origin(work.connection, spec.origin, work.pool))
    if spec.src and not work.file:
        source = ImageSpec(name=spec.name, path=spec.src, format=spec.format)
        return replace(work, file=stack.enter_context(fetch(source)))
    return work


def _apply(work: _Work, state: VolumeState, plan: Plan) -> None:
    spec = work.spec
    volume = _clear(work, plan)
    if plan.has(FORGET_PASSPHRASE):
        forget_passphrase(work.connection, _path(work, volume))
    if plan.has(SET_PASSPHRASE) and spec.encryption:
        work = replace(work, secret=set_passphrase(work.connection, _path(work, volume), spec.encryption, volume))
    if volume and plan.has(steps.GROW) and spec.size:
        _grow(work, state, volume, spec.size)
    if state.unfinished and not plan.has(steps.FILL):
        _unmark(work)
    if plan.has(steps.CREATE) or plan.has(steps.FILL):
        _make(work, state, plan)
    made = work.pool.find(spec.name) if spec.present else None
    if made and spec.dest and plan.has(steps.DOWNLOAD):
        download(made, spec.dest)
    if made and spec.attachment:
        attachments.apply_attachment(work.connection, spec, plan, made, _secret_of(work, made))


def _clear(work: _Work, plan: Plan) -> Volume | None:
    """Remove what shall go, and return the volume that is left."""
    volume = work.pool.find(work.spec.name)
    if volume is None:
        return None
    if plan.has(steps.WIPE):
        volume.wipe()
    if plan.has(steps.DELETE):
        volume.delete()
    if plan.has(steps.DISCARD):
        _discard(work, volume)
    return None if plan.has(steps.DELETE) or plan.has(steps.DISCARD) else volume


def _path(work: _Work, volume: Volume | None) -> str:
    path = path_of(work.pool, work.spec, volume)
    if path is None:
        raise DriverError(f"Volume {work.spec.name} of pool {work.spec.pool} has no path.")
    return path


def _secret_of(work: _Work, volume: Volume) -> str | None:
    if work.secret or volume.description.encryption is None:
        return work.secret
    secret = read_secret_state(work.connection, volume.path)
    return secret.uuid if secret else None


def _grow(work: _Work, state: VolumeState, volume: Volume, size: int) -> None:
    for guest in state.guests:
        if attachments.grow_in_guest(work.connection, work.spec, guest, volume.path):
            return
    volume.resize(size)


def _make(work: _Work, state: VolumeState, plan: Plan) -> None:
    """Make the volume; the passphrase of one that could not be made is forgotten again."""
    content = work.content
    try:
        if plan.has(steps.CREATE):
            work.pool.add(_definition(work, state, None, work.spec.size or 0))
        elif content:
            _fill(work, _definition(work, state, content, max(work.spec.size or 0, content.size)))
    except ComputeError:
        if work.secret and work.pool.find(work.spec.name) is None:
            forget_passphrase(work.connection, _path(work, None))
        raise


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
    allocation = 0 if work.in_files else size
    encryption = "luks" if work.secret else None
    return VolumeDescription(
        work.spec.name, size, image_format, allocation, encryption=encryption, secret_uuid=work.secret
    )


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


def _as_result(volume: Volume, spec: StoredVolumeSpec) -> dict[str, t.Any]:
    found = volume.reread().description
    result = {
        "name": volume.name,
        "pool": volume.pool,
        "path": volume.path,
        "format": found.format,
        "encryption": found.encryption,
        "size_bytes": found.capacity_bytes,
        "allocation_bytes": found.allocation_bytes,
    }
    return {**result, "attached_to": spec.attachment.instance} if spec.attachment else result
