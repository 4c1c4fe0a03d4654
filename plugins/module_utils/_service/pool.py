# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Storage pools: what is there is read, compared with what is declared, and brought about."""

from __future__ import annotations

import contextlib
import posixpath
import typing as t
from dataclasses import dataclass

from .._driver.connection import Connection
from .._driver.pool import DefinedPool, define_pool, find_defined_pool, known_pool_types
from .._errors import DriverError, UnsupportedError
from .._plan import pool as steps
from .._plan.plan import Plan
from .._plan.pool import PoolState, plan_pool
from .._spec.pool import PoolSpec
from .._xml.pool import read_layout, write_pool
from .image_usage import read_usage
from .lock import host_lock
from .pool_secret import forget_key, read_secret_state, set_key

_LOCK_SECONDS = 600.0
_MADE_OF_DEVICES = {"fs": True, "logical": True, "zfs": False}
"""Types that are made out of devices, and whether libvirt takes a flag to look for data first; else it always does."""


@dataclass(frozen=True)
class PoolOutcome:
    """What was planned, and the pool as it is now."""

    plan: Plan
    pool: dict[str, t.Any] | None = None


def ensure_pool(connection: Connection, spec: PoolSpec, check_mode: bool) -> PoolOutcome:
    """Bring the pool about that ``spec`` declares."""
    _refuse_unknown_type(connection, spec)
    plan = _plan(connection, spec)
    if plan.changed and not check_mode:
        with host_lock(f"storage pool {connection.uri} {spec.name}", _LOCK_SECONDS, f"storage pool {spec.name}"):
            plan = _plan(connection, spec)
            _apply(connection, spec, plan)
    pool = find_defined_pool(connection, spec.name)
    if pool and spec.refresh and not check_mode:
        pool.refresh()
    return PoolOutcome(plan, _as_result(pool) if pool else None)


def _plan(connection: Connection, spec: PoolSpec) -> Plan:
    return plan_pool(spec, _read_state(connection, spec), read_secret_state(connection, spec))


def _refuse_unknown_type(connection: Connection, spec: PoolSpec) -> None:
    known = known_pool_types(connection) if spec.layout else None
    if spec.layout and known is not None and spec.layout.type not in known:
        raise UnsupportedError(
            f"Option type: libvirt at {connection.uri} has no backend for storage pools of type {spec.layout.type}; install"
            f" it there (libvirt-daemon-driver-storage-{spec.layout.type}) and restart libvirt, or take one of"
            f" {', '.join(sorted(known))}.",
            {"option": "type"},
        )


def _read_state(connection: Connection, spec: PoolSpec) -> PoolState | None:
    pool = find_defined_pool(connection, spec.name)
    if pool is None:
        return None
    layout, active = read_layout(pool.xml()), pool.is_active
    is_going = not spec.present or (active and not spec.active)
    # What a Ceph cluster calls its volumes begins with the name of the Ceph pool.
    place = layout.name if layout.type == "rbd" else layout.path
    users = _users(connection, spec.name, place) if is_going else ()
    return PoolState(layout, active, pool.autostart, pool.is_persistent, users)


def _users(connection: Connection, name: str, path: str | None) -> tuple[str, ...]:
    """Return the domains that have something in the pool, directly or below what they have elsewhere."""
    usage = read_usage(connection)
    inside = {place for place in usage.labels if usage.pools.get(place) == name}
    if path:
        used = {place for domain in usage.domains for place in domain.paths}
        inside |= {place for place in used | set(usage.backing.values()) if posixpath.dirname(place) == path}
    return tuple(sorted(set(usage.domains_on(inside)) | set(usage.domains_naming(name))))


def _apply(connection: Connection, spec: PoolSpec, plan: Plan) -> None:
    pool = find_defined_pool(connection, spec.name)
    if plan.has(steps.SET_KEY) and spec.key:
        set_key(connection, spec.name, spec.key)
    try:
        _bring_about(connection, spec, plan, pool)
    except DriverError:
        if pool is None and plan.has(steps.SET_KEY):
            with contextlib.suppress(DriverError):
                forget_key(connection, spec)
        raise
    if plan.has(steps.FORGET_KEY):
        forget_key(connection, spec)


def _bring_about(connection: Connection, spec: PoolSpec, plan: Plan, pool: DefinedPool | None) -> None:
    is_new = pool is None
    if plan.has(steps.DEFINE):
        text = pool.xml() if pool else write_pool(spec.name, spec.layout) if spec.layout else ""
        pool = define_pool(connection, spec.name, text)
    if pool is None:
        return
    if plan.has(steps.START):
        _start(pool, spec, is_new)
    if plan.has(steps.STOP):
        pool.stop()
    if plan.has(steps.AUTOSTART):
        pool.set_autostart(spec.autostart)
    if plan.has(steps.UNDEFINE):
        pool.undefine()


def _start(pool: DefinedPool, spec: PoolSpec, is_new: bool) -> None:
    """Start a pool; one that never ran is forgotten again when it can't, so that its declaration can be put right."""
    try:
        _start_or_build(pool, spec)
    except DriverError:
        if is_new:
            with contextlib.suppress(DriverError):
                pool.undefine()
        raise


def _start_or_build(pool: DefinedPool, spec: PoolSpec) -> None:
    """Start the pool as it is; build only what it can't start without, so that nothing that is there is touched."""
    pool_type = read_layout(pool.xml()).type
    reason = _try_to_start(pool, pool_type)
    if reason and pool_type in ("dir", "fs", "netfs"):
        pool.build()
        reason = _try_to_start(pool, pool_type)
    if reason is None:
        return
    if pool_type not in _MADE_OF_DEVICES:
        raise reason
    if not spec.build:
        raise DriverError(
            f"{reason.message.rstrip('.')}; if its devices are empty and shall be made into what it needs, declare build:"
            " true.",
            reason.details,
        ) from reason
    pool.build(keep_content=_MADE_OF_DEVICES[pool_type])
    reason = _try_to_start(pool, pool_type)
    if reason:
        raise DriverError(
            f"{reason.message.rstrip('.')}; it is made of its devices now, so look at them before it is declared again.",
            reason.details,
        ) from reason


def _try_to_start(pool: DefinedPool, pool_type: str) -> DriverError | None:
    """Start the pool, and return why it could not be; libvirt starts a ZFS pool whether or not there is one."""
    try:
        pool.start()
    except DriverError as exc:
        return exc
    if pool_type != "zfs" or pool.describe().capacity_bytes:
        return None
    pool.stop()
    return DriverError(
        f"Cannot start storage pool {pool.name}: libvirt finds no ZFS pool named {read_layout(pool.xml()).name}, or not the"
        " programs zpool and zfs."
    )


def _as_result(pool: DefinedPool) -> dict[str, t.Any]:
    found = pool.describe()
    return {
        "name": found.name,
        "uuid": found.uuid,
        "type": found.type,
        "path": found.path,
        "active": pool.is_active,
        "autostart": pool.autostart,
        "capacity_bytes": found.capacity_bytes,
        "allocation_bytes": found.allocation_bytes,
        "available_bytes": found.available_bytes,
    }
