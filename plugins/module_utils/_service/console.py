# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One instance's consoles: what it printed, what its screen shows, and where both can be reached."""

from __future__ import annotations

import base64
import os
import tempfile
import typing as t
from dataclasses import dataclass

from .._driver.connection import Connection
from .._driver.guests import find_guest
from .._driver.screen import screenshot
from .._errors import NotFoundError, SpecError
from .._xml import domain as domain_xml
from .console_log import read_log
from .picture import Picture, to_png
from .present import Present, graphics_rows, look_at

_MOST_LINES = 100_000
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class ConsoleOptions:
    """What is asked for of which instance."""

    name: str
    log: bool = True
    lines: int = 100
    bytes: int = 102400
    screenshot: bool = False
    dest: str | None = None

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> ConsoleOptions:
        """Validate the module's options."""
        if params["dest"] is not None and not params["screenshot"]:
            raise SpecError("dest", "there is nothing to write there", "add screenshot: true")
        return cls(
            name=params["name"],
            log=params["log"],
            lines=_within("lines", params["lines"], _MOST_LINES),
            bytes=_within("bytes", params["bytes"], _MOST_BYTES),
            screenshot=params["screenshot"],
            dest=params["dest"] and _writable(params["dest"]),
        )


def look_at_console(connection: Connection, options: ConsoleOptions, check: bool) -> dict[str, t.Any]:
    """Return the consoles of the instance; in check mode no file is written."""
    present = _find(connection, options.name)
    path = present.runtime.console_log
    if options.log and path is None:
        raise SpecError(
            "log", f"the serial console of {options.name} keeps no log", "set console.log on it, or log: false here"
        )
    picture = _take_picture(connection, present) if options.screenshot else None
    return {
        # The file is another one each time.
        "changed": picture is not None and options.dest is not None,
        "name": present.reading.name,
        "uuid": present.reading.uuid,
        "power_state": present.power_state,
        "log": _log(connection, path, options) if options.log and path else None,
        "screenshot": _deliver(picture, options.dest, check) if picture else None,
        "graphics": graphics_rows(present, connection.uri),
        "pty": present.runtime.pty if present.reading.is_active else None,
    }


def _find(connection: Connection, name: str) -> Present:
    reading = find_guest(connection, name)
    if reading is not None:
        try:
            return look_at(connection, reading, domain_xml.read(reading.xml))
        except NotFoundError:
            # Gone since.
            pass
    raise NotFoundError(f"Option name: there is no instance named {name} at {connection.uri}.", {"option": "name"})


def _log(connection: Connection, path: str, options: ConsoleOptions) -> dict[str, t.Any]:
    tail = read_log(connection, path, options.lines, options.bytes)
    return {
        "path": path,
        "content": "\n".join(tail.lines),
        "lines": list(tail.lines),
        "truncated": tail.is_cut,
    }


def _take_picture(connection: Connection, present: Present) -> Picture:
    name = present.reading.name
    if not present.reading.is_active:
        raise SpecError("screenshot", f"{name} is {present.power_state} and has no picture", "start it first")
    if not present.runtime.has_video:
        raise SpecError("screenshot", f"{name} has no video device", "give it one (options graphics and video)")
    data = screenshot(connection, name, present.reading.handle)
    if data is None:
        raise SpecError("screenshot", f"the hypervisor at {connection.uri} can't take one", "leave it out")
    return to_png(data)


def _deliver(picture: Picture, dest: str | None, check: bool) -> dict[str, t.Any]:
    if dest is not None and not check:
        _write(dest, picture.png)
    return {
        "format": "png",
        "width": picture.width,
        "height": picture.height,
        "size": len(picture.png),
        "dest": dest,
        "content": base64.b64encode(picture.png).decode("ascii") if dest is None else None,
    }


def _writable(dest: str) -> str:
    directory = os.path.dirname(os.path.abspath(dest))
    if not os.path.isdir(directory):
        raise SpecError("dest", f"there is no directory {directory} where the module runs", "make it first")
    if os.path.exists(dest) and not os.path.isfile(dest):
        raise SpecError("dest", f"{dest} is not a file", "name one that is, or that is not there yet")
    if not os.access(directory, os.W_OK):
        raise SpecError(
            "dest", f"the directory {directory} can't be written to", "take another one, or become a user who may"
        )
    return dest


def _write(dest: str, data: bytes) -> None:
    """Put a file that only its owner can read in the place of ``dest``, whole or not at all."""
    directory, base = os.path.split(os.path.abspath(dest))
    try:
        descriptor, scratch = tempfile.mkstemp(prefix=f".{base}.", dir=directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(scratch, dest)
        except BaseException:
            os.unlink(scratch)
            raise
    except OSError as exc:
        raise SpecError("dest", f"{dest} can't be written ({exc.strerror})", "take another place") from exc


def _within(option: str, value: int, most: int) -> int:
    if not 1 <= value <= most:
        raise SpecError(option, f"{value} is not between 1 and {most}", f"give a number from 1 to {most}")
    return value
