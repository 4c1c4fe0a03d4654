# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Bring a declared snapshot about: look, plan, lock, look again, act."""

from __future__ import annotations

import typing as t

from ..._driver import host as host_driver
from ..._driver.connection import Connection
from ..._plan.snapshot import plan_snapshot
from ..._spec.snapshot import SnapshotSpec
from ..lock import instance_lock
from .rows import list_rows, row_of
from .scene import look
from .steps import Job, perform


def ensure_snapshot(connection: Connection, spec: SnapshotSpec, check: bool) -> dict[str, t.Any]:
    """Bring the snapshot about, or only say what it takes, and return the task's result."""
    scene = look(connection, spec).scene
    intent, rows = plan_snapshot(spec, scene), [row_of(one) for one in scene.snapshots]
    if intent.plan.changed and not check:
        with instance_lock(host_driver.capabilities(connection).uuid, spec.name):
            view = look(connection, spec)
            intent = plan_snapshot(spec, view.scene)
            known = {one.name: one for one in view.scene.snapshots}
            perform(Job(connection, view.guest, view.pools, known), intent)
        rows = list_rows(connection, spec.name)
    return {
        **intent.plan.as_result(),
        "snapshots": rows,
        "diff": intent.plan.as_diff(),
        "warnings": list(intent.warnings),
    }
