# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What a lab remembers of itself, and the lock that keeps two commands from working on one lab."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .errors import LabError
from .layout import Layout

KINDS = ("rootless", "whole")
_LOCK = ".lock"
_DRAFT = ".lab.json.new"
_OWN_FILES = {_LOCK, _DRAFT, "http.log"}


@dataclass(frozen=True)
class LabState:
    """The contents of lab.json."""

    directory: str
    short: str
    kind: str
    hosts: int
    subnet: str = ""

    def with_hosts(self, hosts: int) -> LabState:
        """Return the same lab with at least so many hosts."""
        return replace(self, hosts=max(self.hosts, hosts))


def load(layout: Layout) -> LabState | None:
    """Read the lab's state; None where there is no lab, or what is there was copied from elsewhere."""
    state = load_any(layout)
    return state if state is not None and state.directory == str(layout.directory) else None


def load_any(layout: Layout) -> LabState | None:
    """Read lab.json as it is, even if it was written for another directory."""
    try:
        found = json.loads(layout.state_file.read_text(encoding="utf-8"))
        return LabState(**found)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as exc:
        raise LabError(f"{layout.state_file} is not a lab's state ({exc}): remove the directory.") from None


def require(layout: Layout) -> LabState:
    """Read the lab's state, or say how to get a lab."""
    state = load(layout)
    if state is None:
        raise LabError(f"There is no lab in {layout.directory}: start one with 'lab.py up'.")
    return state


def save(layout: Layout, state: LabState) -> None:
    """Write the lab's state so that it is never half there."""
    draft = layout.directory / _DRAFT
    draft.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    os.replace(draft, layout.state_file)


def refuse_foreign(directory: Path) -> None:
    """Refuse a directory that holds something else, since taking the lab down would be a danger to it."""
    foreign = sorted(entry.name for entry in directory.iterdir() if entry.name not in _OWN_FILES)
    if foreign:
        raise LabError(f"{directory} holds {foreign[0]!r} and is no lab: choose an empty or a new directory.")


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the lab's lock; the kernel drops it when the holder dies, however that happens."""
    layout.directory.mkdir(parents=True, exist_ok=True)
    with open(layout.directory / _LOCK, "w", encoding="ascii") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"Another command is working on the lab in {layout.directory}: wait for it.") from None
        yield


def remove_own_files(layout: Layout) -> None:
    """Remove lab.json and the like, last of all, and the directory if that leaves it empty."""
    for name in (layout.state_file.name, *sorted(_OWN_FILES)):
        (layout.directory / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        layout.directory.rmdir()
