# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Find and end the processes of a lab, and nobody else's.

A pid file can be stale, and its number may be someone else's by now. So a process is the lab's only when its own environment says so.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import LabError
from .layout import MARKER

_DAEMON_NAMES = (b"libvirtd", b"virtlogd")


@dataclass(frozen=True)
class Process:
    """A running process of a lab."""

    pid: int
    command: tuple[bytes, ...]

    @property
    def program(self) -> bytes:
        """The last part of the program's name."""
        return os.path.basename(self.command[0]) if self.command else b""

    @property
    def is_daemon(self) -> bool:
        """Whether it is libvirt's own, as opposed to a guest."""
        return self.program in _DAEMON_NAMES

    @property
    def is_namespace_init(self) -> bool:
        """Whether it is the first process of a PID namespace."""
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
                fields = next((line.split()[1:] for line in status if line.startswith("NSpid:")), [])
        except OSError:
            return False
        return fields[1:] == ["1"]


def _read(pid: str, name: str) -> tuple[bytes, ...]:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as stream:
            return tuple(stream.read().rstrip(b"\0").split(b"\0"))
    except OSError:
        return ()


def _is_marked(environment: tuple[bytes, ...], prefix: bytes) -> bool:
    """Tell whether an environment belongs below a path.

    The daemons carry the lab's marker. A guest does not inherit it: libvirt gives it the daemon's HOME and XDG directories below the host's.
    """
    starts = tuple(name + b"=" + prefix for name in (MARKER.encode(), b"HOME", b"XDG_CACHE_HOME", b"XDG_CONFIG_HOME"))
    return any(entry.startswith(starts) for entry in environment)


def _is_connection(command: tuple[bytes, ...], prefix: bytes) -> bool:
    """Tell whether a command line is that of an ssh that keeps a connection to a host open for later use."""
    return command[0].startswith(b"ssh: " + prefix)


def owned(prefix: str | os.PathLike[str]) -> Iterator[Process]:
    """Yield the living processes that belong below a short directory, a lab's or a host's."""
    wanted = os.fsencode(prefix).rstrip(b"/") + b"/"
    for pid in os.listdir("/proc"):
        command = _read(pid, "cmdline") if pid.isdigit() else ()
        # A zombie has no command line any more: it holds nothing and only waits to be reaped.
        if command and command[0] and (_is_marked(_read(pid, "environ"), wanted) or _is_connection(command, wanted)):
            yield Process(int(pid), command)


def kill(processes: list[Process], number: int = signal.SIGKILL) -> None:
    """Send a signal to processes; those already gone are no problem."""
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def end_all(prefix: str | os.PathLike[str], *, only_daemons: bool = False, limit: float = 20.0) -> int:
    """End every process below a short directory and return how many there were.

    Looks again until none is left, since a process seen dying may have started another.
    """
    deadline = time.monotonic() + limit
    ended: set[int] = set()
    while True:
        found = [process for process in owned(prefix) if process.is_daemon or not only_daemons]
        if not found:
            return len(ended)
        if time.monotonic() > deadline:
            numbers = ", ".join(str(process.pid) for process in found)
            raise LabError(f"These processes of the lab do not end: {numbers}.")
        kill(found)
        ended.update(process.pid for process in found)
        time.sleep(0.02)
