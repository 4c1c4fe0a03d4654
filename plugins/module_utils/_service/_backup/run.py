# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Bring a declared backup about: look, plan, lock, look again, act."""

from __future__ import annotations

import typing as t

from ..._driver import host as host_driver
from ..._driver.connection import Connection
from ..._plan.backup import plan_backup
from ..._spec.backup import RESTORED, BackupSpec
from ..lock import instance_lock
from .restore import ensure_restored
from .rows import rows_of
from .scene import look, stored_scene
from .steps import Job, perform
from .store import BackupStore


def ensure_backup(connection: Connection, spec: BackupSpec, check: bool) -> dict[str, t.Any]:
    """Bring the backup about, or only say what it takes, and return the task's result."""
    if spec.state == RESTORED:
        return ensure_restored(connection, spec, check)
    view = look(connection, spec)
    intent, scene, notes = plan_backup(spec, view.scene), view.scene, list[str]()
    if intent.plan.changed and not check:
        with instance_lock(host_driver.capabilities(connection).uuid, spec.name):
            view = look(connection, spec)
            intent = plan_backup(spec, view.scene)
            job = Job(connection, view.store, spec.name, view.guest, view.scene.stored, notes=notes)
            perform(job, intent)
        scene = stored_scene(view.store, spec.name)
    return {
        **intent.plan.as_result(),
        "backups": rows_of(scene),
        "diff": intent.plan.as_diff(),
        "warnings": [*intent.warnings, *notes],
    }


def list_backups(connection: Connection, pool: str, instance: str | None) -> list[dict[str, t.Any]]:
    """Return the backups in a pool, of one instance or of all."""
    store = BackupStore(connection, pool)
    names = {owner for owner, _backup in store.read(instance)}
    return [row for name in sorted(names) for row in rows_of(stored_scene(store, name))]
