# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is asked of a guest's agent, with answers and errors as real daemons give them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import agent
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    AgentAbsentError,
    AgentAwayError,
    DriverError,
    GuestError,
    MissingLibraryError,
    UnsupportedError,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    AWAY,
    REFUSED,
    Fault,
    ScriptedGuest,
    domain_xml,
    let_agents_answer,
)

BLOCK = libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used."""
    let_agents_answer(monkeypatch)
    with Connection("test:///default") as opened:
        yield opened


def enabled(**commands: bool) -> dict[str, t.Any]:
    """Return an agent's answer to guest-info."""
    names = ((name.replace("_", "-"), is_enabled) for name, is_enabled in commands.items())
    return {"version": "9", "supported_commands": [{"name": name, "enabled": is_enabled} for name, is_enabled in names]}


def test_an_agent_that_answers(connection: Connection) -> None:
    """The channel is looked at first, then it is asked."""
    guest = ScriptedGuest()
    agent.ping(connection, guest)
    assert [name for name, _arguments in guest.calls] == ["XMLDesc", "guest_ping"]


@pytest.mark.parametrize(
    ("channel", "answer", "kind"),
    [
        (None, {}, AgentAbsentError),
        ("disconnected", {}, AgentAwayError),
        ("connected", AWAY, AgentAwayError),
        ("", AWAY, AgentAwayError),
        ("connected", Fault("VIR_ERR_AGENT_UNSYNCED"), AgentAwayError),
        ("", Fault("VIR_ERR_ARGUMENT_UNSUPPORTED"), AgentAbsentError),
        ("", Fault("VIR_ERR_NO_SUPPORT"), UnsupportedError),
        ("connected", Fault("VIR_ERR_OPERATION_INVALID"), DriverError),
    ],
)
def test_an_agent_that_does_not(
    connection: Connection, channel: str | None, answer: t.Any, kind: type[Exception]
) -> None:
    """Whether waiting may help is the error's class, by libvirt's code."""
    guest = ScriptedGuest(XMLDesc=[domain_xml(channel)], guest_ping=[answer])
    with pytest.raises(kind) as caught:
        agent.ping(connection, guest)
    assert "web" in str(caught.value)


def test_an_answer_is_not_trusted(connection: Connection) -> None:
    """What a guest makes up is an error like any other."""
    nonsense: list[t.Any] = [[], 7, None, {}, {"supported_commands": 7}, {"supported_commands": [{}, 7]}]
    for answer in nonsense:
        with pytest.raises(DriverError, match="agent of web"):
            agent.check_enabled(connection, ScriptedGuest(guest_info=[answer]), "guest-exec")


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"error": {}}'])
def test_an_answer_that_is_none(connection: Connection, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Neither is one that is no JSON."""
    monkeypatch.setattr(agent.libvirt_qemu, "qemuAgentCommand", lambda *unused: text)
    with pytest.raises(DriverError, match="agent of web answered guest-ping"):
        agent.command(connection, ScriptedGuest(), "guest-ping")


def test_a_disabled_command(connection: Connection) -> None:
    """The refusal says what to do about it, for RHEL in its own terms."""
    guest = ScriptedGuest(guest_exec=[REFUSED], guest_info=[enabled(guest_exec=False)])
    with pytest.raises(UnsupportedError, match=r"web does not do guest-exec; RHEL .*/etc/sysconfig/qemu-ga") as caught:
        agent.command(connection, guest, "guest-exec", {"path": "x"})
    assert caught.value.__cause__ is not None or caught.value.__context__ is not None
    guest = ScriptedGuest(setUserPassword=[REFUSED], guest_info=[enabled(guest_exec=True)])
    with pytest.raises(UnsupportedError, match=r"does not do guest-set-user-password; allow it in the agent's"):
        agent.set_password(connection, guest, "root", "secret", False)


def test_a_command_that_only_failed(connection: Connection) -> None:
    """An agent that does it, but could not, has its own words."""
    guest = ScriptedGuest(guest_exec=[REFUSED], guest_info=[enabled(guest_exec=True)])
    with pytest.raises(DriverError, match=r"has been disabled$") as caught:
        agent.command(connection, guest, "guest-exec", {"path": "x"})
    assert not isinstance(caught.value, UnsupportedError)


def test_commands_that_wait_for_a_thaw(connection: Connection) -> None:
    """A frozen guest's agent has them disabled, which is said as it is."""
    guest = ScriptedGuest(
        guest_exec=[REFUSED], guest_info=[enabled(guest_exec=False)], guest_fsfreeze_status=["frozen"]
    )
    with pytest.raises(GuestError, match="filesystems of web are frozen"):
        agent.command(connection, guest, "guest-exec", {"path": "x"})


def test_a_refused_question_for_commands_is_not_asked_again(connection: Connection) -> None:
    """No agent is asked what it can do because it would not say what it can do."""
    guest = ScriptedGuest(guest_info=[REFUSED])
    with pytest.raises(DriverError):
        agent.check_enabled(connection, guest, "guest-exec")
    assert len(guest.asked("guest_info")) == 1
    guest = ScriptedGuest(guest_fsfreeze_status=[REFUSED], guest_info=[enabled()])
    with pytest.raises(UnsupportedError, match="guest-fsfreeze-status"):
        agent.is_frozen(connection, guest)
    assert len(guest.asked("guest_fsfreeze_status")) == 1


@pytest.mark.parametrize(("crypted", "flags"), [(False, 0), (True, libvirt.VIR_DOMAIN_PASSWORD_ENCRYPTED)])
def test_a_password(connection: Connection, crypted: bool, flags: int) -> None:
    """It is passed on with what it is."""
    guest = ScriptedGuest(setUserPassword=[0])
    agent.set_password(connection, guest, "root", "secret", crypted)
    assert guest.asked("setUserPassword") == [("root", "secret", flags)]


def test_an_error_has_no_password(connection: Connection) -> None:
    """Only whose it is."""
    guest = ScriptedGuest(setUserPassword=[AWAY])
    with pytest.raises(AgentAwayError, match="Cannot set the password of user root in web: ") as caught:
        agent.set_password(connection, guest, "root", "secret", False)
    assert "secret" not in f"{caught.value} {caught.value.details}"


def test_the_clock(connection: Connection) -> None:
    """In seconds here, in seconds and nanoseconds there; none is the guest's own."""
    guest = ScriptedGuest(setTime=[0], getTime=[{"seconds": 7, "nseconds": 250_000_000}])
    assert agent.get_time(connection, guest) == 7.25
    agent.set_time(connection, guest, 1234.5)
    agent.set_time(connection, guest, None)
    assert guest.asked("setTime") == [
        ({"seconds": 1234, "nseconds": 500_000_000}, 0),
        (None, libvirt.VIR_DOMAIN_TIME_SYNC),
    ]


def test_filesystems(connection: Connection) -> None:
    """Those named, or all that there are."""
    guest = ScriptedGuest(
        fsFreeze=[1, 2], fsThaw=[2], fsInfo=[[("/", "vda1", "ext4", ["vda"]), ("/srv", "vdb", "xfs", ["vdb"])]]
    )
    assert agent.mountpoints(connection, guest) == ("/", "/srv")
    assert agent.freeze(connection, guest, ("/srv",)) == 1
    assert agent.freeze(connection, guest, ()) == 2
    assert agent.thaw(connection, guest) == 2
    assert guest.asked("fsFreeze") == [(["/srv"], 0), (None, 0)]


def test_libvirts_own_calls_end_in_time(connection: Connection) -> None:
    """The limit is the domain's, so it is taken back, also after an error."""
    guest = ScriptedGuest(getTime=[AWAY])
    with pytest.raises(AgentAwayError):
        agent.get_time(connection, guest)
    assert guest.asked("agentSetResponseTimeout") == [(agent.ANSWER_SECONDS, 0), (BLOCK, 0)]


def test_a_hypervisor_without_that_limit(connection: Connection) -> None:
    """It is asked all the same."""
    guest = ScriptedGuest(agentSetResponseTimeout=[Fault("VIR_ERR_NO_SUPPORT")], guestInfo=[{"os.id": "debian"}])
    assert agent.guest_info(connection, guest) == {"os.id": "debian"}


def test_a_missing_library(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the packages that have it."""
    monkeypatch.setattr(agent, "libvirt_qemu", None)
    with pytest.raises(MissingLibraryError, match=r"libvirt_qemu.*python3-libvirt"):
        agent.command(connection, ScriptedGuest(), "guest-ping")
