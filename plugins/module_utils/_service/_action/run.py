# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Do one action on one instance: look, plan, lock, look again, act, wait."""

from __future__ import annotations

import typing as t

from ..._driver.events import watch
from ..._plan.intent import STOP, power_of
from ..._spec.action import ActionSpec
from .. import power
from .._instance.host import Host
from ..lock import instance_lock
from .prepare import Job, prepare
from .steps import perform


def run_action(host: Host, spec: ActionSpec, check: bool) -> dict[str, t.Any]:
    """Do the action, or only say what it takes, and return the task's result."""
    job = prepare(host, spec)
    if not check:
        if job.intent.plan.changed:
            with instance_lock(host.uuid, spec.name):
                host.read_again()
                job = prepare(host, spec)
                perform(host, job)
        if spec.wait_seconds is not None and job.intent.runs:
            with watch(host.connection, job.domain.handle) as watcher:
                power.wait_for_agent(host.connection, job.domain, watcher, spec.wait_seconds)
    return _report(job)


def _report(job: Job) -> dict[str, t.Any]:
    plan = job.intent.plan
    record = job.intent.finished or job.intent.switched or job.record
    return {
        "changed": plan.changed,
        "instance": {
            "name": job.spec.name,
            "action": job.spec.action,
            "uuid": job.existing.machine.uuid,
            **plan.as_result(),
            "power_state": _power_state(job),
            "image": record.image,
            "image_digest": record.image_digest,
            "rescued": record.rescue is not None,
            "shelved": record.shelved,
        },
        "diff": plan.as_diff(),
    }


def _power_state(job: Job) -> str:
    plan = job.intent.plan
    if plan.changed and job.intent.runs:
        return "running"
    return "stopped" if plan.has(STOP) else power_of(job.existing)
