# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of commands that an agent runs."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.agent_exec import ExecResult, Program, execute
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    AgentAwayError,
    DriverError,
    WaitTimeoutError,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    AWAY,
    REFUSED,
    Fault,
    ScriptedGuest,
    let_agents_answer,
)

ENDED = {"exited": True, "exitcode": 3, "out-data": "aGk=", "err-data": "aG8=", "out-truncated": True}
RUNS = {"exited": False}
INFO = {"supported_commands": [{"name": "guest-exec-status", "enabled": True}]}


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used."""
    let_agents_answer(monkeypatch)
    with Connection("test:///default") as opened:
        yield opened


def script(*answers: t.Any) -> ScriptedGuest:
    """Return a guest in which process 7 is started, of which this is said then."""
    return ScriptedGuest(guest_exec=[{"pid": 7}], guest_exec_status=answers, guest_info=[INFO])


def test_a_command_that_ends(connection: Connection) -> None:
    """Asked until it has; what it is given and what it said is encoded for the way."""
    guest = script(RUNS, RUNS, ENDED)
    program = Program("sh", ("-c", "cat"), (("A", "b c"),), b"\xff\0", timeout=30)
    assert execute(connection, guest, program) == ExecResult(3, None, b"hi", b"ho", True)
    assert guest.asked("guest_exec") == [
        {"path": "sh", "arg": ["-c", "cat"], "capture-output": True, "env": ["A=b c"], "input-data": "/wA="}
    ]
    assert guest.asked("guest_exec_status") == [{"pid": 7}] * 3


def test_what_is_not_given_is_not_said(connection: Connection) -> None:
    """Without an environment the agent's own stays."""
    guest = script({"exited": True, "signal": 9})
    assert execute(connection, guest, Program("true")) == ExecResult(None, 9, b"", b"", False)
    assert guest.asked("guest_exec") == [{"path": "true", "arg": [], "capture-output": True}]


def test_an_agent_that_is_gone_for_a_moment(connection: Connection) -> None:
    """The command is not run a second time; it is only asked again how it ended."""
    guest = script(AWAY, ENDED)
    assert execute(connection, guest, Program("true")).exit_code == 3
    assert len(guest.asked("guest_exec")) == 1


def test_an_agent_that_is_gone_at_once(connection: Connection) -> None:
    """It may have started the command, so it is not told again."""
    guest = ScriptedGuest(guest_exec=[AWAY])
    with pytest.raises(AgentAwayError):
        execute(connection, guest, Program("true"))
    assert len(guest.asked("guest_exec")) == 1


@pytest.mark.parametrize("answer", [RUNS, AWAY])
def test_too_long(connection: Connection, answer: t.Any) -> None:
    """The process is named, and left alone."""
    with pytest.raises(WaitTimeoutError, match=r"sleep in web still runs 0.1 s .* as process 7") as caught:
        execute(connection, script(answer), Program("sleep", timeout=0.1))
    assert caught.value.details == {"pid": 7}


@pytest.mark.parametrize("answer", [REFUSED, Fault("VIR_ERR_RPC", "Unable to encode message payload")])
def test_an_end_that_cannot_be_read(connection: Connection, answer: Fault) -> None:
    """A restarted agent knows nothing of it, and too much output does not get through; that is said."""
    with pytest.raises(DriverError, match="as process 7, but how it ended cannot be read"):
        execute(connection, script(answer), Program("true"))


@pytest.mark.parametrize("answer", [{"exited": True, "out-data": 7}, {"exited": True, "err-data": "x"}, {}, [], "x"])
def test_an_end_that_makes_no_sense(connection: Connection, answer: t.Any) -> None:
    """Answers of a guest are not trusted."""
    with pytest.raises(DriverError, match="agent of web answered"):
        execute(connection, script(answer), Program("true"))


def test_no_process(connection: Connection) -> None:
    """Nor that it started anything."""
    with pytest.raises(DriverError, match="answered guest-exec without a 'pid'"):
        execute(connection, ScriptedGuest(guest_exec=[{}]), Program("true"))
