# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What compute_guest does: the plan of each action, made of what the guest says, and the action itself."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ..._driver import agent
from ..._driver.connection import Connection
from ..._driver.guests import STATES
from ..._errors import ConflictError, GuestError, NotFoundError
from ..._plan.plan import Action, Change, Plan
from ..._spec.guest import RTC, ClockSetting, Freezing, GuestCommand, GuestSpec, Password
from ..._spec.waiting import AGENT, WaitSpec
from .command import path_exists, run_command
from .freeze import check_mountpoints, freeze
from .wait import wait_for

_RUNS = frozenset({"running", "blocked"})


@dataclass(frozen=True)
class Outcome:
    """The plan, which is carried out unless only checked, and what else the task returns."""

    plan: Plan
    result: dict[str, t.Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Guest:
    connection: Connection
    handle: t.Any
    spec: GuestSpec
    check: bool

    def plan(self, target: str, path: str, before: t.Any, after: t.Any) -> Plan:
        """Return a plan of the one action that is declared."""
        name = self.spec.name
        return Plan(f"guest {name}", (Action(self.spec.action, target, (Change(path, before, after),)),))

    def unchanged(self) -> Plan:
        """Return a plan of nothing."""
        return Plan(f"guest {self.spec.name}")


def act(connection: Connection, spec: GuestSpec, check: bool) -> Outcome:
    """Do what is declared, or only say what it would change, in both cases after its agent has answered."""
    handle = _find(connection, spec.name)
    wait_for(connection, handle, spec.name, WaitSpec((AGENT,), spec.agent_timeout))
    guest, task = _Guest(connection, handle, spec, check), spec.task
    if isinstance(task, Password):
        return _set_password(guest, task)
    if isinstance(task, GuestCommand):
        return _run_command(guest, task)
    if isinstance(task, ClockSetting):
        return _sync_time(guest, task)
    return _freeze(guest, task) if isinstance(task, Freezing) else _thaw(guest)


def _find(connection: Connection, name: str) -> t.Any:
    """Return a running instance of ours."""
    try:
        handle = connection.call(f"look up instance {name}", connection.raw.lookupByName, name)
    except NotFoundError as exc:
        raise NotFoundError(f"There is no instance {name} at {connection.uri}.", {"option": "name"}) from exc
    if not agent.guest_side(connection, handle).is_ours:
        raise ConflictError(
            f"A domain called {name} is on this host that kilonova.compute did not create; it is not touched."
        )
    state = STATES[connection.call(f"read the state of {name}", handle.state)[0]]
    if state not in _RUNS:
        raise GuestError(f"Instance {name} is not running, its state is {state}; start or resume it first.")
    return handle


def _set_password(guest: _Guest, declared: Password) -> Outcome:
    user = declared.user
    if guest.check:
        agent.check_enabled(guest.connection, guest.handle, "guest-set-user-password")
    else:
        agent.set_password(guest.connection, guest.handle, user, declared.password, declared.crypted)
    # What it was is not known, and what it is now is nobody's business.
    return Outcome(guest.plan(f"{guest.spec.name}/{user}", f"users[{user}].password", "(not known)", "(as declared)"))


def _run_command(guest: _Guest, declared: GuestCommand) -> Outcome:
    if declared.creates and path_exists(guest.connection, guest.handle, declared.creates):
        return Outcome(guest.unchanged())
    plan = guest.plan(guest.spec.name, "command", None, declared.argv[0])
    if guest.check:
        agent.check_enabled(guest.connection, guest.handle, "guest-exec")
        return Outcome(plan)
    ended = run_command(guest.connection, guest.handle, declared)
    result = {"rc": ended.code, "stdout": ended.stdout, "stderr": ended.stderr, "truncated": ended.truncated}
    if ended.code not in declared.success_codes:
        raise GuestError(
            f"Command {declared.argv[0]} in {guest.spec.name} ended with code {ended.code};"
            f" {', '.join(map(str, declared.success_codes))} would be success.",
            {**result, **plan.as_result()},
        )
    return Outcome(plan, result)


def _sync_time(guest: _Guest, declared: ClockSetting) -> Outcome:
    before = _offset(guest)
    plan = guest.plan(guest.spec.name, "clock", f"{before:+.1f} s", f"as {declared.source}")
    if declared.source != RTC and abs(before) <= declared.tolerance:
        plan = guest.unchanged()
    if guest.check or not plan.changed:
        if plan.changed:
            agent.check_enabled(guest.connection, guest.handle, "guest-set-time")
        return Outcome(plan, {"clock": {"offset_before": before, "offset_after": before}})
    agent.set_time(guest.connection, guest.handle, None if declared.source == RTC else time.time())
    return Outcome(plan, {"clock": {"offset_before": before, "offset_after": _offset(guest)}})


def _offset(guest: _Guest) -> float:
    """Return by how many seconds the guest's clock is ahead of the one here."""
    asked = time.time()
    told = agent.get_time(guest.connection, guest.handle)
    return round(told - (asked + time.time()) / 2, 3)


def _freeze(guest: _Guest, declared: Freezing) -> Outcome:
    if agent.is_frozen(guest.connection, guest.handle):
        return Outcome(guest.unchanged(), {"filesystems": "frozen"})
    check_mountpoints(guest.connection, guest.handle, declared.mountpoints)
    plan = guest.plan(guest.spec.name, "filesystems", "thawed", "frozen")
    if guest.check:
        return Outcome(plan, {"filesystems": "thawed"})
    return Outcome(
        plan, {"filesystems": "frozen", "count": freeze(guest.connection, guest.handle, declared.mountpoints)}
    )


def _thaw(guest: _Guest) -> Outcome:
    if not agent.is_frozen(guest.connection, guest.handle):
        return Outcome(guest.unchanged(), {"filesystems": "thawed"})
    plan = guest.plan(guest.spec.name, "filesystems", "frozen", "thawed")
    if guest.check:
        return Outcome(plan, {"filesystems": "frozen"})
    count = agent.thaw(guest.connection, guest.handle)
    if agent.is_frozen(guest.connection, guest.handle):
        raise GuestError(f"The guest agent of {guest.spec.name} says that its filesystems are frozen still.")
    return Outcome(plan, {"filesystems": "thawed", "count": count})
