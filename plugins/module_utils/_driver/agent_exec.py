# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Commands that the agent runs in a guest."""

from __future__ import annotations

import base64
import time
import typing as t
from dataclasses import dataclass

from .._errors import AgentAwayError, DriverError, WaitTimeoutError
from .agent import command, field
from .connection import Connection

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True)
class Program:
    """What to run, without a shell; ``env`` replaces the agent's environment, and ``timeout`` is in seconds."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] | None = None
    stdin: bytes | None = None
    timeout: float = 60.0


@dataclass(frozen=True)
class ExecResult:
    """How a command ended: by ``exit_code``, or by ``signal``; ``truncated`` output is not all of it."""

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    truncated: bool


def execute(connection: Connection, handle: t.Any, program: Program) -> ExecResult:
    """Run the program in the guest and wait until it ends.

    After its timeout it is left alone, and :class:`WaitTimeoutError` is raised. More output than about 3 MiB cannot be
    read, and more than about 7 MiB makes libvirt lose the agent until that is restarted, so whoever runs what may print
    much must limit it in the guest.
    """
    arguments: dict[str, t.Any] = {"path": program.path, "arg": list(program.args), "capture-output": True}
    if program.env is not None:
        arguments["env"] = [f"{name}={value}" for name, value in program.env]
    if program.stdin is not None:
        arguments["input-data"] = base64.b64encode(program.stdin).decode("ascii")
    deadline = time.monotonic() + program.timeout
    pid = field(handle, "guest-exec", command(connection, handle, "guest-exec", arguments), "pid")
    pause = _FIRST_PAUSE
    while True:
        answer = _ask_exit(connection, handle, program, pid)
        if answer is not None:
            return _result(handle, answer)
        left = deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeoutError(
                f"Command {program.path} in {handle.name()} still runs {program.timeout:g} s after it was started; it is"
                f" left alone, as process {pid}.",
                {"pid": pid},
            )
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _ask_exit(connection: Connection, handle: t.Any, program: Program, pid: t.Any) -> dict[str, t.Any] | None:
    """Return how the process ended, or None if that is not known yet; it is told only once."""
    try:
        answer = command(connection, handle, "guest-exec-status", {"pid": pid})
    except AgentAwayError:
        # It is busy, or was restarted: then the next question has an answer, or an error of its own.
        return None
    except DriverError as exc:
        raise DriverError(
            f"Command {program.path} was started in {handle.name()} as process {pid}, but how it ended cannot be read:"
            f" {exc}",
            {**exc.details, "pid": pid},
        ) from exc
    return answer if field(handle, "guest-exec-status", answer, "exited") else None


def _result(handle: t.Any, answer: dict[str, t.Any]) -> ExecResult:
    try:
        return ExecResult(
            exit_code=answer.get("exitcode"),
            signal=answer.get("signal"),
            stdout=base64.b64decode(answer.get("out-data", "")),
            stderr=base64.b64decode(answer.get("err-data", "")),
            truncated=bool(answer.get("out-truncated") or answer.get("err-truncated")),
        )
    except (TypeError, ValueError) as exc:
        raise DriverError(f"The guest agent of {handle.name()} answered with output that cannot be read.") from exc
