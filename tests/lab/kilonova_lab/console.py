# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Read the serial consoles of guests."""

from __future__ import annotations

import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from . import lifecycle
from .errors import LabError
from .layout import Layout
from .run import virsh
from .state import LabState

_PAUSE = 0.1
_FILE_TYPES = ("file", "pipe")


def find_log(layout: Layout, found: LabState, name: str) -> Path:
    """Return the file with a guest's console output; of several guests with that name, the running one's."""
    work = lifecycle.driver(found.kind)
    candidates = []
    for host in lifecycle.hosts(layout, found):
        if work.is_up(host) and name in virsh(work.uri(host), "list", "--all", "--name").splitlines():
            state = virsh(work.uri(host), "domstate", name).strip()
            candidates.append((state != "running", host.number, host))
    if not candidates:
        raise LabError(f"No host of this lab that is up has a guest named {name!r}.")
    host = min(candidates)[2]
    path = log_path(virsh(work.uri(host), "dumpxml", name))
    if path is None:
        raise LabError(
            f"The guest {name!r} on {host.name} writes no console log: its serial device has no <log file=...>."
        )
    inside: Path = work.path_from_outside(host, path)
    return inside


def log_path(definition: str) -> str | None:
    """Return where a domain's first serial device with a log, or one that is a file itself, writes to."""
    devices = ET.fromstring(definition).find("devices")
    for device in [] if devices is None else [*devices.iterfind("serial"), *devices.iterfind("console")]:
        log, source = device.find("log"), device.find("source")
        if log is not None and log.get("file"):
            return log.get("file")
        if device.get("type") in _FILE_TYPES and source is not None and source.get("path"):
            return source.get("path")
    return None


def wait_for(log: Path, text: str, limit: float) -> None:
    """Wait until a console shows a text."""
    deadline = time.monotonic() + limit
    while text not in _text(log):
        if time.monotonic() > deadline:
            lines = _text(log).splitlines()
            raise LabError(
                f"The console did not show {text!r} within {limit:g} seconds; its last line: {lines[-1] if lines else 'none'!r}"
            )
        time.sleep(_PAUSE)


def show(log: Path, *, last: int | None, follow: bool) -> None:
    """Print a console's log, whole or its last lines, and go on with what comes if asked to."""
    text = _text(log)
    lines = [line for line in text.splitlines() if line.strip()]
    sys.stdout.write("".join(f"{line}\n" for line in lines[-last:]) if last else text)
    sys.stdout.flush()
    if follow:
        for piece in _news(log, len(text)):
            sys.stdout.write(piece)
            sys.stdout.flush()


def _text(log: Path) -> str:
    try:
        return log.read_bytes().decode(errors="replace").replace("\r", "").replace("\0", "")
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise LabError(f"The console log {log} cannot be read: {exc.strerror}.") from None


def _news(log: Path, shown: int) -> Iterator[str]:
    while True:
        time.sleep(_PAUSE)
        text = _text(log)
        # A shorter log was begun anew, for example when the guest was started again.
        if len(text) != shown:
            yield text[shown:] if len(text) > shown else text
            shown = len(text)
