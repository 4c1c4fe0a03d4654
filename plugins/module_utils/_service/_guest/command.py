# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Run a user's command in a guest, with no more output than can be carried."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._driver.agent import guest_info
from ..._driver.agent_exec import Program, execute
from ..._driver.connection import Connection
from ..._errors import DriverError
from ..._spec.guest import GuestCommand

OUTPUT_BYTES = 1024 * 1024
"""How much of each of a command's two outputs is kept."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SIGNAL_BASE = 128
_LOOK_SECONDS = 30.0

# Too much output makes libvirt lose the guest's agent until that is restarted, so it is cut in the guest. The command
# runs to its end all the same, and the code is its own. Descriptors 5 and 6 are the outputs as the agent reads them, 4
# takes the code, 3 leads standard error around the pipe that standard output goes through.
_LIMITER = """\
limit=$1
shift
cap() {
  head -c "$limit"
  cat >/dev/null
}
exec 5>&1 6>&2
code=$(
  {
    {
      {
        (exec "$@" 3>&- 4>&- 5>&- 6>&-) 2>&3
        echo $? >&4
      } | cap >&5
    } 3>&1 | cap >&6
  } 4>&1
)
exit "${code:-255}"
"""


@dataclass(frozen=True)
class CommandResult:
    """How a command ended; a code above 128 may be that of a signal, as shells count."""

    code: int
    stdout: str
    stderr: str
    truncated: bool


def run_command(connection: Connection, handle: t.Any, declared: GuestCommand) -> CommandResult:
    """Run the command and wait until it ends."""
    argv, env = declared.argv, declared.env
    if not _is_windows(connection, handle):
        argv = limited(argv)
        if env is not None and "PATH" not in dict(env):
            # A variable more shall not be all there is to find programs by.
            env = (*env, ("PATH", _PATH))
    stdin = None if declared.stdin is None else declared.stdin.encode("utf-8", "surrogateescape")
    ended = execute(connection, handle, Program(argv[0], argv[1:], env, stdin, declared.timeout))
    outputs = (ended.stdout, ended.stderr)
    stdout, stderr = (output[:OUTPUT_BYTES].decode("utf-8", "replace").rstrip("\r\n") for output in outputs)
    return CommandResult(
        code=_SIGNAL_BASE + (ended.signal or 0) if ended.exit_code is None else ended.exit_code,
        stdout=stdout,
        stderr=stderr,
        truncated=ended.truncated or any(len(output) > OUTPUT_BYTES for output in outputs),
    )


def limited(argv: t.Sequence[str], limit: int = OUTPUT_BYTES) -> tuple[str, ...]:
    """Return ``argv`` so that a shell runs it and passes on little more than ``limit`` bytes of each output."""
    return ("/bin/sh", "-c", _LIMITER, "sh", str(limit + 1), *argv)


def path_exists(connection: Connection, handle: t.Any, path: str) -> bool:
    """Tell whether there is anything at ``path`` in a Unix-like guest."""
    return execute(connection, handle, Program("test", ("-e", path), timeout=_LOOK_SECONDS)).exit_code == 0


def _is_windows(connection: Connection, handle: t.Any) -> bool:
    try:
        return bool(guest_info(connection, handle).get("os.id") == "mswindows")
    except DriverError:
        # An agent that may not tell is one of a Unix-like guest: the one for Windows always may.
        return False
