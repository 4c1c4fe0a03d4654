# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what cloud-init says of itself, in the words of its versions."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    AgentAwayError,
    GuestError,
    UnsupportedError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.cloud_init import (
    CloudInitStatus,
    ask_cloud_init,
    read_json,
    read_words,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    AWAY,
    REFUSED,
    ScriptedGuest,
    let_agents_answer,
)
from hypothesis import given
from hypothesis import strategies as st

DONE: dict[str, t.Any] = {
    "boot_status_code": "enabled-by-generator",
    "datasource": "nocloud",
    "detail": "DataSourceNoCloud [seed=/dev/sr0]",
    "errors": [],
    "extended_status": "done",
    "init": {"errors": [], "finished": 8.1, "recoverable_errors": {}, "start": 7.2},
    "last_update": "Thu, 01 Jan 1970 00:00:12 +0000",
    "recoverable_errors": {},
    "stage": None,
    "status": "done",
}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, CloudInitStatus("done")),
        (
            {"status": "running", "extended_status": "error - running", "errors": ["x"]},
            CloudInitStatus("running", ("x",)),
        ),
        ({"status": "not started"}, CloudInitStatus("not started")),
        ({"status": "disabled"}, CloudInitStatus("disabled")),
        ({"status": "error", "errors": ["a", "b"]}, CloudInitStatus("error", ("a", "b"))),
        ({"status": "error", "errors": [], "detail": "told"}, CloudInitStatus("error", ("told",))),
        ({"status": "error", "errors": None, "detail": None}, CloudInitStatus("error")),
        (
            {"extended_status": "degraded done", "recoverable_errors": {"WARNING": ["w"], "ERROR": ["e"]}},
            CloudInitStatus("done", (), ("w", "e")),
        ),
        ({"recoverable_errors": ["odd"]}, CloudInitStatus("done")),
    ],
)
def test_in_json(changes: dict[str, t.Any], status: CloudInitStatus) -> None:
    """Also behind a warning that some versions print first."""
    text = json.dumps({**DONE, **changes}, indent=1)
    assert read_json(text.encode()) == status
    assert read_json(f"A warning\n{text}\n".encode()) == status


@pytest.mark.parametrize("text", ["", "status: done\n", "{", "{}", "[]", '{"status": 7}', '{"status": null}'])
def test_what_is_not_json(text: str) -> None:
    """Older versions know no JSON."""
    assert read_json(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("status: done\n", CloudInitStatus("done")),
        ("\nstatus: running\n", CloudInitStatus("running")),
        ("status: not run\n", CloudInitStatus("not run")),
        ("status: done\ntime: Thu\ndetail:\nDataSourceNoCloud\n", CloudInitStatus("done")),
        (
            "status: error\ntime: Thu\ndetail:\n('users-groups', KeyError('x'))\n",
            CloudInitStatus("error", ("time: Thu", "detail:", "('users-groups', KeyError('x'))")),
        ),
        ("usage: cloud-init [-h]", None),
        ("", None),
    ],
)
def test_in_words(text: str, status: CloudInitStatus | None) -> None:
    """What is told of an error is kept as it is."""
    assert read_words(text.encode()) == status


@pytest.mark.parametrize(
    ("status", "done", "failed"),
    [
        ("done", True, False),
        ("disabled", True, False),
        ("error", False, True),
        ("running", False, False),
        ("not run", False, False),
        ("not started", False, False),
    ],
)
def test_what_it_means(status: str, done: bool, failed: bool) -> None:
    """Whatever is neither goes on."""
    assert (CloudInitStatus(status).is_done, CloudInitStatus(status).is_failed) == (done, failed)


@given(st.binary(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode))
def test_no_output_is_an_error(output: bytes) -> None:
    """A guest may say what it likes."""
    for read in (read_json, read_words):
        assert read(output) is None or isinstance(read(output), CloudInitStatus)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used."""
    let_agents_answer(monkeypatch)
    with Connection("test:///default") as opened:
        yield opened


def ended(code: int, stdout: str = "", stderr: str = "") -> dict[str, t.Any]:
    """Return how a command ended, as an agent tells it."""

    def encode(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    return {"exited": True, "exitcode": code, "out-data": encode(stdout), "err-data": encode(stderr)}


def test_a_version_that_knows_no_json(connection: Connection) -> None:
    """It is asked again in its own way."""
    guest = ScriptedGuest(
        guest_exec=[{"pid": 1}],
        guest_exec_status=[ended(2, "", "error: unrecognized arguments: --format=json"), ended(0, "status: done\n")],
    )
    assert ask_cloud_init(connection, guest) == CloudInitStatus("done")
    assert [asked["arg"] for asked in guest.asked("guest_exec")] == [["status", "--format=json"], ["status", "--long"]]


def test_a_version_that_knows_no_status(connection: Connection) -> None:
    """That is said with its own last words."""
    guest = ScriptedGuest(guest_exec=[{"pid": 1}], guest_exec_status=[ended(2, "", "usage: x\ninvalid choice\n\n")])
    with pytest.raises(GuestError, match="cloud-init in web does not say its status, but 'invalid choice'"):
        ask_cloud_init(connection, guest)


@pytest.mark.parametrize(
    ("enabled", "answer", "kind", "words"),
    [
        (True, REFUSED, GuestError, "cannot be asked in web; is it installed there"),
        (False, REFUSED, UnsupportedError, "RHEL"),
        (True, AWAY, AgentAwayError, "not responding"),
    ],
)
def test_where_it_cannot_be_asked(
    connection: Connection, enabled: bool, answer: t.Any, kind: type[Exception], words: str
) -> None:
    """Not installed is one thing, an agent that may not run it another, and one that is away may come back."""
    guest = ScriptedGuest(
        guest_exec=[answer], guest_info=[{"supported_commands": [{"name": "guest-exec", "enabled": enabled}]}]
    )
    with pytest.raises(kind, match=words):
        ask_cloud_init(connection, guest)
