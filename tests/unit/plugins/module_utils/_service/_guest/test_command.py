# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of commands in guests; what cuts their output is run by this machine's own shell."""

from __future__ import annotations

import base64
import subprocess
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.command import (
    OUTPUT_BYTES,
    limited,
    path_exists,
    run_command,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.guest import GuestCommand
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    REFUSED,
    ScriptedGuest,
    let_agents_answer,
)

WINDOWS = {"os.id": "mswindows"}


def run(*argv: str, limit: int = 100, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command as it would run in a guest."""
    return subprocess.run(limited(argv, limit), input=stdin, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_a_command_is_itself(code: int) -> None:
    """Its arguments, its input, both outputs, each by itself, and its code."""
    done = run("sh", "-c", 'cat; printf "%s" "$1" >&2; exit "$2"', "sh", 'a "b" $c\n*', str(code), stdin=b"in\0put\n")
    assert (done.returncode, done.stdout, done.stderr) == (code, b"in\0put\n", b'a "b" $c\n*')


@pytest.mark.parametrize(("length", "kept"), [(99, 99), (100, 100), (101, 101), (3_000_000, 101)])
def test_output_is_cut(length: int, kept: int) -> None:
    """One byte more than the limit, by which it is seen; the command runs to its end nevertheless."""
    script = "head -c $1 /dev/zero; head -c $1 /dev/zero >&2; exit 3"
    done = run("sh", "-c", script, "sh", str(length))
    assert (done.returncode, len(done.stdout), len(done.stderr)) == (3, kept, kept)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("nosuch-program",), 127),
        (("exit", "0"), 127),
        (("cap",), 127),
        (("/",), 126),
        (("sh", "-c", "kill -9 $$"), 137),
    ],
)
def test_what_a_shell_makes_of_failures(argv: tuple[str, ...], code: int) -> None:
    """Neither its own words nor its functions are programs."""
    assert run(*argv).returncode == code


def test_no_descriptor_is_left_open() -> None:
    """A command sees only its own three."""
    done = run("sh", "-c", "for fd in 3 4 5 6; do (: >&$fd) 2>/dev/null && echo $fd; done; exit 0")
    assert done.stdout == b""


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used."""
    let_agents_answer(monkeypatch)
    with Connection("test:///default") as opened:
        yield opened


def guest(answer: dict[str, t.Any], **script: t.Any) -> ScriptedGuest:
    """Return a guest in which a command ends so."""
    return ScriptedGuest(guest_exec=[{"pid": 1}], guest_exec_status=[{"exited": True, **answer}], **script)


def command(*argv: str, **declared: t.Any) -> GuestCommand:
    """Return a declared command."""
    return GuestCommand(
        argv, **{"stdin": None, "env": None, "timeout": 5, "creates": None, "success_codes": (0,), **declared}
    )


def test_in_a_guest(connection: Connection) -> None:
    """Text without the last line breaks, and what is no text does no harm."""
    output = base64.b64encode(b"one\ntwo\xff\n\n").decode()
    scripted = guest({"exitcode": 3, "out-data": output})
    ended = run_command(connection, scripted, command("a", "b", stdin="ü"))
    assert (ended.code, ended.stdout, ended.stderr, ended.truncated) == (3, "one\ntwo\ufffd", "", False)
    asked = scripted.asked("guest_exec")[0]
    assert [asked["path"], *asked["arg"]] == [*limited(("a", "b"))]
    assert asked["input-data"] == base64.b64encode("ü".encode()).decode()
    assert "env" not in asked


@pytest.mark.parametrize(("extra", "truncated"), [(0, False), (1, True)])
def test_what_is_kept_of_much(connection: Connection, extra: int, truncated: bool) -> None:
    """As much as promised."""
    scripted = guest({"exitcode": 0, "err-data": base64.b64encode(b"x" * (OUTPUT_BYTES + extra)).decode()})
    ended = run_command(connection, scripted, command("a"))
    assert (len(ended.stderr), ended.truncated) == (OUTPUT_BYTES, truncated)


@pytest.mark.parametrize(
    ("env", "sent"),
    [
        ((), ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
        ((("PATH", "/opt"),), ["PATH=/opt"]),
        ((("A", "b"),), ["A=b", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]),
    ],
)
def test_an_environment_finds_programs(
    connection: Connection, env: tuple[tuple[str, str], ...], sent: list[str]
) -> None:
    """Also when one variable is all that is declared."""
    scripted = guest({"exitcode": 0})
    run_command(connection, scripted, command("a", env=env))
    assert scripted.asked("guest_exec")[0]["env"] == sent


def test_windows_has_no_shell_of_that_kind(connection: Connection) -> None:
    """There a command runs as it is."""
    scripted = guest({"exitcode": 0}, guestInfo=[WINDOWS])
    run_command(connection, scripted, command("cmd.exe", "/c", env=(("A", "b"),)))
    assert scripted.asked("guest_exec") == [
        {"path": "cmd.exe", "arg": ["/c"], "capture-output": True, "env": ["A=b"]},
    ]


def test_an_agent_that_does_not_tell_its_system(connection: Connection) -> None:
    """Then it is one of Unix; a signal counts as shells count."""
    info = {"supported_commands": [{"name": "guest-get-osinfo", "enabled": False}]}
    scripted = guest({"signal": 9}, guestInfo=[REFUSED], guest_info=[info])
    assert run_command(connection, scripted, command("a")).code == 137
    assert scripted.asked("guest_exec")[0]["path"] == "/bin/sh"


@pytest.mark.parametrize(("code", "exists"), [(0, True), (1, False)])
def test_whether_there_is_something(connection: Connection, code: int, exists: bool) -> None:
    """The guest's own test(1) says."""
    scripted = guest({"exitcode": code})
    assert path_exists(connection, scripted, "/etc/x y") is exists
    assert scripted.asked("guest_exec") == [{"path": "test", "arg": ["-e", "/etc/x y"], "capture-output": True}]
