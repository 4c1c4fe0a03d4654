# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is done once inside a running guest. All bad input dies in ``GuestSpec.from_params``."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .names import check_name

SET_PASSWORD, RUN_COMMAND, SYNC_TIME, FREEZE, THAW = ACTIONS = (
    "set_password",
    "run_command",
    "sync_time",
    "freeze_filesystems",
    "thaw_filesystems",
)
HERE, RTC = TIME_SOURCES = ("here", "rtc")
_OPTIONS = {
    SET_PASSWORD: ("user", "password", "crypted"),
    RUN_COMMAND: ("argv", "stdin", "env", "command_timeout", "creates", "success_codes"),
    SYNC_TIME: ("time_source", "tolerance"),
    FREEZE: ("mountpoints",),
    THAW: (),
}
_VARIABLE = re.compile(r"[^=\0]+")
_MOST_BYTES = 2 * 1024 * 1024
"""What of a command fits into one message of libvirt, encoded, with room to spare."""


@dataclass(frozen=True)
class Password:
    """A user's new password."""

    user: str
    password: str
    crypted: bool


@dataclass(frozen=True)
class GuestCommand:
    """A program with its arguments, and which exit codes mean that it did well."""

    argv: tuple[str, ...]
    stdin: str | None
    env: tuple[tuple[str, str], ...] | None
    timeout: int
    creates: str | None
    success_codes: tuple[int, ...]


@dataclass(frozen=True)
class ClockSetting:
    """Where the time is taken from, and how many seconds a clock may be off."""

    source: str
    tolerance: float


@dataclass(frozen=True)
class Freezing:
    """The filesystems to freeze; none named are all that can be."""

    mountpoints: tuple[str, ...]


@dataclass(frozen=True)
class Thawing:
    """All that is frozen is thawed."""


Task = t.Union[Password, GuestCommand, ClockSetting, Freezing, Thawing]


@dataclass(frozen=True)
class GuestSpec:
    """One action on one instance, with what it needs."""

    name: str
    action: str
    task: Task
    agent_timeout: int

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> GuestSpec:
        """Check a module's parameters."""
        action = params["action"]
        for other, options in _OPTIONS.items():
            for option in options:
                if other != action and params[option] is not None:
                    raise SpecError(option, f"action {action} has no use for it", f"it belongs to action {other}")
        return cls(
            name=check_name("name", params["name"]),
            action=action,
            task=_READERS[action](params),
            agent_timeout=_seconds("agent_timeout", params["agent_timeout"], 0),
        )


def _password(params: t.Mapping[str, t.Any]) -> Password:
    user, password = params["user"], params["password"]
    if not user or any(character in user for character in ":\n\0"):
        raise SpecError("user", f"{user!r} is not a user's name", "name a user of the guest, such as root")
    if not password or any(character in password for character in "\n\0"):
        raise SpecError("password", "it is empty or has more than one line", "give one line")
    return Password(user, password, bool(params["crypted"]))


def _command(params: t.Mapping[str, t.Any]) -> GuestCommand:
    argv, stdin, codes = params["argv"], params["stdin"], params["success_codes"]
    if not argv or not argv[0]:
        raise SpecError("argv", "it names no program", "give a list of the program and its arguments")
    if any("\0" in text for text in argv):
        raise SpecError("argv", "it has a NUL character", "no program can be given that")
    if codes is not None and not codes:
        raise SpecError("success_codes", "it is empty", "name at least one, or leave it out for 0")
    env = _environment(params["env"])
    texts = (*argv, stdin or "", *(text for pair in env or () for text in pair))
    size = sum(len(text.encode("utf-8", "surrogateescape")) for text in texts)
    if size > _MOST_BYTES:
        option = "stdin" if stdin else "argv"
        raise SpecError(option, f"the command and its input are {size} bytes", f"give at most {_MOST_BYTES}")
    return GuestCommand(
        argv=tuple(argv),
        stdin=stdin,
        env=env,
        timeout=_seconds("command_timeout", 60 if params["command_timeout"] is None else params["command_timeout"], 1),
        creates=_absolute("creates", params["creates"]) if params["creates"] is not None else None,
        success_codes=(0,) if codes is None else tuple(codes),
    )


def _environment(variables: t.Mapping[str, t.Any] | None) -> tuple[tuple[str, str], ...] | None:
    if variables is None:
        return None
    pairs = tuple(sorted((str(key), str(value)) for key, value in variables.items()))
    for key, value in pairs:
        if not _VARIABLE.fullmatch(key):
            raise SpecError("env", f"{key!r} is not a variable's name", "a name is not empty and has no =")
        if "\0" in value:
            raise SpecError("env", f"{key!r} has a NUL character", "no program can be given that")
    return pairs


def _clock(params: t.Mapping[str, t.Any]) -> ClockSetting:
    source, tolerance = params["time_source"] or HERE, params["tolerance"]
    if tolerance is not None and source == RTC:
        raise SpecError(
            "tolerance", "it goes with time_source: here", "a guest's two clocks cannot be compared from here"
        )
    if tolerance is not None and not tolerance >= 0:
        raise SpecError("tolerance", f"{tolerance} is too small", "it is in seconds, 0 or more")
    return ClockSetting(source, 1.0 if tolerance is None else tolerance)


def _freezing(params: t.Mapping[str, t.Any]) -> Freezing:
    paths = params["mountpoints"]
    if paths is not None and not paths:
        raise SpecError("mountpoints", "it is empty", "name mount points, or leave it out to freeze all that can be")
    return Freezing(tuple(dict.fromkeys(_absolute("mountpoints", path) for path in paths or ())))


def _thawing(unused_params: t.Mapping[str, t.Any]) -> Thawing:
    return Thawing()


def _absolute(option: str, path: str) -> str:
    # A guest of another kind than this machine has paths of another kind.
    if path.startswith("/") or re.match(r"[A-Za-z]:[\\/]", path):
        return path
    raise SpecError(option, f"{path!r} is not an absolute path", "give it from the guest's root directory on")


def _seconds(option: str, value: int, least: int) -> int:
    if value < least:
        raise SpecError(option, f"{value} is too small", f"it is in seconds, {least} or more")
    return value


_READERS: dict[str, t.Callable[[t.Mapping[str, t.Any]], Task]] = {
    SET_PASSWORD: _password,
    RUN_COMMAND: _command,
    SYNC_TIME: _clock,
    FREEZE: _freezing,
    THAW: _thawing,
}
