# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From one power state to another: the verbs in between, none of which loses what a guest has in its memory."""

from __future__ import annotations

from .._errors import ConflictError
from .existing import Existing

START = "start"
START_PAUSED = "start_paused"
RESUME = "resume"
PAUSE = "pause"
WAKE = "wake"
SUSPEND = "suspend"
STOP = "stop"

RUNNING = "running"
STOPPED = "stopped"
PAUSED = "paused"
SUSPENDED = "suspended"
_ASLEEP = "asleep"
_CRASHED = "crashed"

_WAYS: dict[tuple[str, str], tuple[str, ...]] = {
    (STOPPED, RUNNING): (START,),
    (SUSPENDED, RUNNING): (START,),
    (PAUSED, RUNNING): (RESUME,),
    (_ASLEEP, RUNNING): (WAKE,),
    (RUNNING, STOPPED): (STOP,),
    (PAUSED, STOPPED): (STOP,),
    (_ASLEEP, STOPPED): (STOP,),
    (_CRASHED, STOPPED): (STOP,),
    # Only a guest that runs can power off by itself, and throwing its memory away would be pulling the plug.
    (SUSPENDED, STOPPED): (START, STOP),
    (RUNNING, PAUSED): (PAUSE,),
    (STOPPED, PAUSED): (START_PAUSED,),
    (SUSPENDED, PAUSED): (START_PAUSED,),
    (_ASLEEP, PAUSED): (WAKE, PAUSE),
    (RUNNING, SUSPENDED): (SUSPEND,),
    (PAUSED, SUSPENDED): (SUSPEND,),
    (_ASLEEP, SUSPENDED): (WAKE, SUSPEND),
}


def power_state_of(existing: Existing) -> str:
    """Return running, stopped, paused or suspended; crashed and asleep (by the guest's own wish) are on their own."""
    if not existing.active:
        return SUSPENDED if existing.saved else STOPPED
    return {"paused": PAUSED, "pmsuspended": _ASLEEP, "crashed": _CRASHED}.get(existing.state, RUNNING)


def power_verbs(name: str, existing: Existing, wanted: str | None) -> tuple[str, ...]:
    """Return the verbs from the state that is there to the ``wanted`` one; None is any state."""
    present = power_state_of(existing)
    if wanted in (None, present):
        return ()
    way = _WAYS.get((present, str(wanted)))
    if way is not None:
        return way
    if present == _CRASHED:
        raise ConflictError(
            f"Instance {name} has crashed and is kept for inspection (on_crash: preserve); declare it stopped with"
            f" force: true before it can be {wanted} again."
        )
    raise ConflictError(
        f"Instance {name} is {present} and has no memory that could be saved; declare it running first."
    )
