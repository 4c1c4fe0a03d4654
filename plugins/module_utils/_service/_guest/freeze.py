# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Freeze a guest's filesystems: all that was asked for, or none."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ..._driver import agent
from ..._driver.connection import Connection
from ..._errors import ComputeError, DriverError, GuestError, UnsupportedError

_THAW_SECONDS = 60.0
_PAUSE = 1.0


def check_mountpoints(connection: Connection, handle: t.Any, wanted: t.Sequence[str]) -> None:
    """Refuse mount points that the guest does not have, which its agent would pass over in silence."""
    if not wanted:
        return
    known = agent.mountpoints(connection, handle)
    for path in wanted:
        if path not in known:
            raise GuestError(
                f"Option mountpoints: {handle.name()} has no filesystem of a disk at {path}; there are:"
                f" {', '.join(sorted(known)) or 'none'}.",
                {"option": "mountpoints"},
            )


def freeze(connection: Connection, handle: t.Any, wanted: t.Sequence[str]) -> int:
    """Freeze the filesystems at ``wanted``, or all that can be, and return how many there are.

    Whatever goes wrong, nothing stays frozen by this call; what somebody else froze meanwhile is left to them.
    """
    try:
        count = agent.freeze(connection, handle, wanted)
        if count >= max(len(wanted), 1) and agent.is_frozen(connection, handle):
            return count
    except (GuestError, UnsupportedError):
        # Somebody else was faster, and counts on it; or the agent does no such thing.
        raise
    except BaseException as exc:
        thaw_again(connection, handle, exc)
        raise
    shortfall = GuestError(
        f"Only {count} of the filesystems {', '.join(wanted)} of {handle.name()} can be frozen, so none is."
        if wanted
        else f"{handle.name()} has no filesystem that can be frozen."
    )
    thaw_again(connection, handle, shortfall)
    raise shortfall


@contextlib.contextmanager
def frozen(connection: Connection, handle: t.Any) -> t.Iterator[None]:
    """Have all filesystems frozen that can be, and thawed again however the block ends."""
    freeze(connection, handle, ())
    try:
        yield
    finally:
        thaw_again(connection, handle)


def thaw_again(connection: Connection, handle: t.Any, reason: BaseException | None = None) -> None:
    """Thaw until the agent says so: one that fell silent in the middle of a freeze may yet finish it."""
    before = f"freezing them failed ({reason}), and " if reason else ""
    end = time.monotonic() + _THAW_SECONDS
    while True:
        try:
            agent.thaw(connection, handle)
            if not agent.is_frozen(connection, handle):
                return
            problem = "its agent says that they are frozen still"
        except ComputeError as exc:
            problem = str(exc)
        if time.monotonic() >= end:
            raise DriverError(
                f"The filesystems of {handle.name()} may be FROZEN: {before}thawing them failed ({problem})."
                " Thaw them with action thaw_filesystems, or restart the guest."
            ) from reason
        time.sleep(_PAUSE)
