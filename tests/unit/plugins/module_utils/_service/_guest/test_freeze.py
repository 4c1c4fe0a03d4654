# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests that a freeze is whole or not at all."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    AgentAwayError,
    DriverError,
    GuestError,
    UnsupportedError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest import freeze as subject
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    AWAY,
    REFUSED,
    ScriptedGuest,
    let_agents_answer,
)

FILESYSTEMS = [[("/", "vda1", "ext4", ["vda"]), ("/srv", "vdb", "xfs", ["vdb"])]]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used, and no patience."""
    let_agents_answer(monkeypatch)
    monkeypatch.setattr(subject, "_PAUSE", 0.0)
    with Connection("test:///default") as opened:
        yield opened


def info(**commands: bool) -> list[t.Any]:
    """Return what an agent does and does not."""
    names = ((name.replace("_", "-"), enabled) for name, enabled in commands.items())
    return [{"supported_commands": [{"name": name, "enabled": enabled} for name, enabled in names]}]


def test_a_freeze(connection: Connection) -> None:
    """Nothing is thawed then."""
    guest = ScriptedGuest(fsFreeze=[2], guest_fsfreeze_status=["frozen"])
    assert subject.freeze(connection, guest, ()) == 2
    assert guest.asked("fsThaw") == []


@pytest.mark.parametrize(
    ("wanted", "count", "words"),
    [
        ((), 0, "web has no filesystem that can be frozen"),
        (("/a", "/b"), 1, "Only 1 of the filesystems /a, /b of web can be frozen, so none is"),
    ],
)
def test_less_than_all(connection: Connection, wanted: tuple[str, ...], count: int, words: str) -> None:
    """What was frozen is thawed, as often as it takes."""
    guest = ScriptedGuest(fsFreeze=[count], fsThaw=[AWAY, 0, count], guest_fsfreeze_status=["frozen", "thawed"])
    with pytest.raises(GuestError, match=words):
        subject.freeze(connection, guest, wanted)
    assert len(guest.asked("fsThaw")) == 3


@pytest.mark.parametrize(
    ("error", "kind"), [(AWAY, AgentAwayError), (REFUSED, DriverError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_an_error_in_the_middle(connection: Connection, error: BaseException, kind: type[BaseException]) -> None:
    """An agent that fell silent, one that failed, and a user who gave up: thawed, and the error is the first one."""
    commands = info(guest_fsfreeze_freeze=True)
    guest = ScriptedGuest(fsFreeze=[error], fsThaw=[1], guest_fsfreeze_status=["thawed"], guest_info=commands)
    with pytest.raises(kind):
        subject.freeze(connection, guest, ())
    assert len(guest.asked("fsThaw")) == 1


def test_what_somebody_else_froze(connection: Connection) -> None:
    """Is theirs to thaw."""
    guest = ScriptedGuest(
        fsFreeze=[REFUSED], guest_fsfreeze_status=["frozen"], guest_info=info(guest_fsfreeze_freeze=False)
    )
    with pytest.raises(GuestError, match="are frozen"):
        subject.freeze(connection, guest, ())
    assert guest.asked("fsThaw") == []


def test_an_agent_that_freezes_nothing(connection: Connection) -> None:
    """Has nothing to thaw."""
    guest = ScriptedGuest(fsFreeze=[REFUSED], guest_info=info(guest_fsfreeze_freeze=False))
    with pytest.raises(UnsupportedError, match="guest-fsfreeze-freeze"):
        subject.freeze(connection, guest, ())
    assert guest.asked("fsThaw") == []


@pytest.mark.parametrize(("thaw", "words"), [(AWAY, "not responding"), (1, "are frozen still")])
def test_a_guest_that_cannot_be_thawed(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, thaw: t.Any, words: str
) -> None:
    """Nobody is left to find out by himself."""
    monkeypatch.setattr(subject, "_THAW_SECONDS", 0.05)
    guest = ScriptedGuest(fsFreeze=[AWAY], fsThaw=[thaw], guest_fsfreeze_status=["frozen"])
    with pytest.raises(DriverError, match=f"may be FROZEN: .*not responding.*{words}.*thaw_filesystems"):
        subject.freeze(connection, guest, ())


def test_mount_points_that_are_there(connection: Connection) -> None:
    """Without any there is nothing to look up."""
    guest = ScriptedGuest(fsInfo=FILESYSTEMS)
    subject.check_mountpoints(connection, guest, ())
    assert guest.calls == []
    subject.check_mountpoints(connection, guest, ("/srv", "/"))
    with pytest.raises(GuestError, match="web has no filesystem of a disk at /opt; there are: /, /srv") as caught:
        subject.check_mountpoints(connection, guest, ("/", "/opt"))
    assert caught.value.details == {"option": "mountpoints"}
