# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide what an action on an instance takes: what is asked and found in, an :class:`Intent` out. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ConflictError, SpecError
from .._spec import action as actions
from .._spec.action import ActionSpec
from .._spec.backup import RESTORE
from .._spec.record import Begun, InstanceRecord
from .._spec.snapshot import BEGUN
from . import intent as steps
from .existing import Existing
from .intent import Findings, Intent, booted, done, halted, make_plan, power_of, start, stop
from .plan import LIVE, Action, Change
from .rebuild import plan_rebuild
from .refusals import check_ours, refuse_moving
from .rescue import plan_rescue, plan_unrescue


def plan_action(spec: ActionSpec, existing: Existing, findings: Findings) -> Intent:
    """Return what the action takes, or raise what stands against it."""
    record = check_ours(spec.name, spec.fleet, existing)
    refuse_in_between(spec, record)
    planner = _PLANNERS[spec.action]
    return planner(spec, record, existing, findings)


def refuse_in_between(spec: ActionSpec, record: InstanceRecord) -> None:
    """Refuse an action that does not belong to the state that another one has brought the instance into."""
    refuse_moving(spec.name, record)
    begun = record.begun.action if record.begun else None
    if begun == actions.REBUILD and spec.action != actions.REBUILD:
        raise ConflictError(
            f"A rebuild of instance {spec.name} was interrupted; run action rebuild again, which finishes it."
        )
    if begun in _RESCUES and spec.action not in _RESCUES:
        raise ConflictError(
            f"Action {begun} of instance {spec.name} was interrupted; run it again, which finishes it, or go back with"
            " action unrescue."
        )
    if begun == RESTORE:
        raise ConflictError(
            f"Instance {spec.name} is being made from a backup, which was interrupted; run compute_backup again, which finishes"
            " it."
        )
    if begun in BEGUN:
        raise ConflictError(
            f"An operation on a snapshot of instance {spec.name} was interrupted ({begun}"
            f" {record.begun.target if record.begun else ''}); run compute_snapshot again, which finishes it."
        )
    if record.rescue is not None and spec.action not in (*_RESCUES, actions.REBOOT, actions.RESET):
        raise ConflictError(f"Instance {spec.name} is rescued; run action unrescue before {spec.action}.")
    if record.shelved and spec.action not in (actions.SHELVE, actions.UNSHELVE):
        raise ConflictError(f"Instance {spec.name} is shelved; run action unshelve before {spec.action}.")


def _plan_reboot(spec: ActionSpec, record: InstanceRecord, existing: Existing, unused_findings: Findings) -> Intent:
    plan = make_plan(spec, _hard(spec, existing) if spec.hard else _soft(spec, record, existing), record)
    clean = replace(record, begun=None)
    begin = replace(record, begun=Begun(actions.REBOOT, running=True)) if len(plan.actions) > 1 else None
    finished = clean if begin or record.begun else None
    return Intent(plan, runs=True, begin=begin, finished=finished, abandoned=clean)


def _soft(spec: ActionSpec, record: InstanceRecord, existing: Existing) -> tuple[Action, ...]:
    if existing.active:
        return (*stop(spec, existing), *start(spec, existing))
    if existing.saved:
        raise ConflictError(f"Instance {spec.name} is suspended and can't be rebooted softly; resume it first.")
    if record.begun is not None and record.begun.action == actions.REBOOT:
        return start(spec, existing)
    raise ConflictError(
        f"Instance {spec.name} is stopped and can't be rebooted softly; declare power_state: running, or take"
        " reboot_type: hard, which starts it."
    )


def _hard(spec: ActionSpec, existing: Existing) -> tuple[Action, ...]:
    before = power_of(existing)
    if before == "stopped":
        return start(spec, existing)
    _want_force(spec, f"a hard reboot of {spec.name}, which is {before},")
    verb = steps.POWER_OFF if existing.active else steps.DISCARD_MEMORY
    return (Action(verb, spec.name), *start(spec, existing))


def _plan_reset(spec: ActionSpec, record: InstanceRecord, existing: Existing, unused_findings: Findings) -> Intent:
    before = power_of(existing)
    if not existing.active or before == "crashed":
        raise ConflictError(f"Instance {spec.name} is {before} and can't be reset; take reboot_type: hard.")
    _want_force(spec, f"a reset of {spec.name}")
    todo = (Action(steps.RESET, spec.name, (booted(existing),)),)
    return Intent(make_plan(spec, todo, record), runs=True, finished=done(record))


def _plan_shelve(spec: ActionSpec, record: InstanceRecord, existing: Existing, unused_findings: Findings) -> Intent:
    todo = stop(spec, existing, halted(existing))
    if not record.shelved:
        todo += (Action(steps.SHELVE, spec.name, (Change("shelved", False, True, LIVE),)),)
    switched = replace(record, shelved=True, begun=None)
    return Intent(make_plan(spec, todo, record), runs=False, switched=switched, finished=done(record))


def _plan_unshelve(spec: ActionSpec, record: InstanceRecord, existing: Existing, unused_findings: Findings) -> Intent:
    is_begun = record.begun is not None and record.begun.action == actions.UNSHELVE
    todo: tuple[Action, ...] = ()
    if record.shelved:
        todo += (Action(steps.UNSHELVE, spec.name, (Change("shelved", True, False, LIVE),)),)
    if (record.shelved or is_begun) and not existing.active:
        todo += start(spec, existing)
    clean = replace(record, shelved=False, begun=None)
    begun = replace(clean, begun=Begun(actions.UNSHELVE, running=True))
    plan = make_plan(spec, todo, record)
    runs = existing.active or plan.has(steps.START)
    return Intent(plan, runs=runs, switched=begun, finished=clean if plan.changed else None)


def _want_force(spec: ActionSpec, what: str) -> None:
    if not spec.force:
        raise SpecError(
            "force", f"{what} loses what the guest has not yet written", "give force: true if that is meant"
        )


_RESCUES = (actions.RESCUE, actions.UNRESCUE)
_Planner = t.Callable[[ActionSpec, InstanceRecord, Existing, Findings], Intent]
_PLANNERS: dict[str, _Planner] = {
    actions.REBOOT: _plan_reboot,
    actions.RESET: _plan_reset,
    actions.RESCUE: plan_rescue,
    actions.UNRESCUE: plan_unrescue,
    actions.REBUILD: plan_rebuild,
    actions.SHELVE: _plan_shelve,
    actions.UNSHELVE: _plan_unshelve,
}
