# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what compute_guest does and foretells, with a guest that answers as scripted."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    AgentAbsentError,
    ConflictError,
    GuestError,
    NotFoundError,
    UnsupportedError,
    WaitTimeoutError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.actions import Outcome, act
from ansible_collections.kilonova.compute.plugins.module_utils._spec.guest import (
    ClockSetting,
    Freezing,
    GuestCommand,
    GuestSpec,
    Password,
    Task,
    Thawing,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    Fault,
    ScriptedGuest,
    domain_xml,
    let_agents_answer,
)

ACTIONS: dict[type, str] = {
    Password: "set_password",
    GuestCommand: "run_command",
    ClockSetting: "sync_time",
    Freezing: "freeze_filesystems",
    Thawing: "thaw_filesystems",
}
ALL = [
    {
        "supported_commands": [
            {"name": name, "enabled": True} for name in ("guest-exec", "guest-set-user-password", "guest-set-time")
        ]
    }
]
NONE: list[t.Any] = [{"supported_commands": []}]
PASSWORD = Password("root", "secret", False)
COMMAND = GuestCommand(("sh", "-c", "secret"), None, None, 5, None, (0,))


@pytest.fixture(autouse=True)
def agents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scripted agents answer."""
    let_agents_answer(monkeypatch)


def do(guest: ScriptedGuest, task: Task, *, check: bool = False, name: str = "web") -> Outcome:
    """Do the task in the guest, or only foretell it."""

    def look_up(unused_host: t.Any, wanted: str) -> ScriptedGuest:
        if wanted != guest.name():
            raise Fault("VIR_ERR_NO_DOMAIN", "no such domain")
        return guest

    with pytest.MonkeyPatch.context() as patch, Connection("test:///default") as connection:
        patch.setattr(libvirt.virConnect, "lookupByName", look_up)
        return act(connection, GuestSpec(name, ACTIONS[type(task)], task, 0), check)


def clock(ahead: float) -> dict[str, int]:
    """Return a clock that is so many seconds ahead, as libvirt tells it."""
    return {"seconds": int(time.time() + ahead), "nseconds": 0}


@pytest.mark.parametrize("check", [True, False])
def test_a_password_is_always_set(check: bool) -> None:
    """Check mode says the same and sets none; neither shows it."""
    guest = ScriptedGuest(setUserPassword=[0], guest_info=ALL)
    plan = do(guest, PASSWORD, check=check).plan
    assert plan.changed
    assert plan.as_result()["actions"] == ["set_password web/root"]
    assert "secret" not in f"{plan.as_result()} {plan.as_diff()}"
    assert len(guest.asked("setUserPassword")) == (0 if check else 1)


@pytest.mark.parametrize("task", [PASSWORD, COMMAND, ClockSetting("rtc", 1.0)])
def test_check_mode_knows_what_an_agent_may_not_do(task: Task) -> None:
    """As the run would."""
    guest = ScriptedGuest(guest_info=NONE, getTime=[clock(0)])
    with pytest.raises(UnsupportedError):
        do(guest, task, check=True)


def ran(code: int, **more: t.Any) -> ScriptedGuest:
    """Return a guest in which every command ends with that code."""
    status = {"exited": True, "exitcode": code, "err-data": "d29yZHM="}
    return ScriptedGuest(guest_exec=[{"pid": 1}], guest_exec_status=[status], guest_info=ALL, **more)


def test_a_command() -> None:
    """It is a change, and what it said comes back; of itself only its name is told."""
    outcome = do(ran(0), COMMAND)
    assert outcome.plan.as_result()["changes"] == [{"path": "command", "before": None, "after": "sh", "effect": "live"}]
    assert outcome.result == {"rc": 0, "stdout": "", "stderr": "words", "truncated": False}


def test_a_command_in_check_mode() -> None:
    """Is not run."""
    guest = ran(0)
    outcome = do(guest, COMMAND, check=True)
    assert (outcome.plan.changed, outcome.result) == (True, {})
    assert guest.asked("guest_exec") == []


def test_a_command_that_failed() -> None:
    """It may have changed something all the same, and what it said comes back too."""
    with pytest.raises(GuestError, match=r"Command sh in web ended with code 4; 0 would be success\.") as caught:
        do(ran(4), COMMAND)
    assert caught.value.details["rc"] == 4
    assert caught.value.details["stderr"] == "words"
    assert caught.value.details["changed"]
    accepted = GuestCommand(("sh",), None, None, 5, None, (0, 4))
    assert do(ran(4), accepted).result["rc"] == 4


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(("code", "changed"), [(0, False), (1, True)])
def test_a_command_that_creates_something(check: bool, code: int, changed: bool) -> None:
    """If that is there nothing is run, and check mode says so."""
    declared = GuestCommand(("make",), None, None, 5, "/made", (0, 1))
    guest = ran(code)
    outcome = do(guest, declared, check=check)
    assert outcome.plan.changed is changed
    assert [asked["path"] for asked in guest.asked("guest_exec")][1:] == (["/bin/sh"] if changed and not check else [])


@pytest.mark.parametrize(("ahead", "changed"), [(0.0, False), (-100.0, True), (100.0, True)])
@pytest.mark.parametrize("check", [True, False])
def test_a_clock(ahead: float, changed: bool, check: bool) -> None:
    """Set only when it is off by more than it may be."""
    guest = ScriptedGuest(getTime=[clock(ahead), clock(0)], setTime=[0], guest_info=ALL)
    outcome = do(guest, ClockSetting("here", 60.0), check=check)
    assert outcome.plan.changed is changed
    assert outcome.result["clock"]["offset_before"] == pytest.approx(ahead, abs=30)
    asked = guest.asked("setTime")
    assert len(asked) == (1 if changed and not check else 0)
    if asked:
        assert asked[0][0]["seconds"] == pytest.approx(time.time(), abs=30)
        assert outcome.result["clock"]["offset_after"] == pytest.approx(0, abs=30)


def test_a_clock_set_by_the_guests_own() -> None:
    """There is nothing to compare it with, so it is always set."""
    guest = ScriptedGuest(getTime=[clock(0)], setTime=[0], guest_info=ALL)
    assert do(guest, ClockSetting("rtc", 1.0)).plan.changed
    assert guest.asked("setTime")[0][0] is None


@pytest.mark.parametrize(
    ("task", "status", "changed", "after"),
    [
        (Freezing(()), "thawed", True, "frozen"),
        (Freezing(()), "frozen", False, "frozen"),
        (Thawing(), "frozen", True, "thawed"),
        (Thawing(), "thawed", False, "thawed"),
    ],
)
def test_filesystems(task: Task, status: str, changed: bool, after: str) -> None:
    """The guest's agent says how they are, also in check mode, where they stay so."""
    guest = ScriptedGuest(guest_fsfreeze_status=[status], fsFreeze=[2], fsThaw=[2])
    foretold = do(guest, task, check=True)
    assert (foretold.plan.changed, foretold.result) == (changed, {"filesystems": status})
    assert guest.asked("fsFreeze") == guest.asked("fsThaw") == []

    guest = ScriptedGuest(guest_fsfreeze_status=[status, after], fsFreeze=[2], fsThaw=[2])
    outcome = do(guest, task)
    assert outcome.plan == foretold.plan
    assert outcome.result == {"filesystems": after, **({"count": 2} if changed else {})}


def test_filesystems_that_stay_frozen() -> None:
    """An agent's word that it thawed is not enough."""
    with pytest.raises(GuestError, match="are frozen still"):
        do(ScriptedGuest(guest_fsfreeze_status=["frozen"], fsThaw=[0]), Thawing())


def test_mount_points_are_checked_in_check_mode() -> None:
    """As in the run."""
    guest = ScriptedGuest(fsInfo=[[("/", "vda1", "ext4", ["vda"])]])
    with pytest.raises(GuestError, match="Option mountpoints"):
        do(guest, Freezing(("/srv",)), check=True)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ({"XMLDesc": [domain_xml(ours=False)]}, ConflictError, "did not create"),
        ({"XMLDesc": [domain_xml(None)]}, AgentAbsentError, "guest_agent: true"),
        ({"XMLDesc": [domain_xml("disconnected")]}, WaitTimeoutError, "agent: it is not connected"),
        ({"state": ["shutoff"]}, GuestError, "not running, its state is shutoff; start or resume it"),
        ({"state": ["paused"]}, GuestError, "its state is paused"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_where_nothing_can_be_done(script: dict[str, t.Any], kind: type[Exception], words: str, check: bool) -> None:
    """It is said why, in check mode too."""
    with pytest.raises(kind, match=words):
        do(ScriptedGuest(**script), Thawing(), check=check)


def test_nobody_of_that_name() -> None:
    """It is named, with where it was looked for."""
    with pytest.raises(NotFoundError, match="no instance nosuch at test:///default"):
        do(ScriptedGuest(), Thawing(), name="nosuch")
