# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Libvirt's events: a loop in one thread, and what happened to a domain while somebody watches it.

An event only wakes who waits; what is true is then asked of libvirt. So an event that is lost, and a driver that has
none, cost a turn of polling and no more.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from .._errors import DriverError
from .connection import Connection, libvirt

LIFECYCLE = "lifecycle"
REBOOT = "reboot"
DEVICE_REMOVED = "device_removed"
DEVICE_REMOVAL_FAILED = "device_removal_failed"
AGENT = "agent"
BLOCK_JOB = "block_job"
JOB_COMPLETED = "job_completed"

_LIFECYCLE_WORDS = (
    "defined",
    "undefined",
    "started",
    "suspended",
    "resumed",
    "stopped",
    "shutdown",
    "pmsuspended",
    "crashed",
)
_AGENT_WORDS = ("", "connected", "disconnected")
_IDS = {
    LIFECYCLE: "VIR_DOMAIN_EVENT_ID_LIFECYCLE",
    REBOOT: "VIR_DOMAIN_EVENT_ID_REBOOT",
    DEVICE_REMOVED: "VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED",
    DEVICE_REMOVAL_FAILED: "VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED",
    AGENT: "VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE",
    # The second kind names the disk by its target.
    BLOCK_JOB: "VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2",
    JOB_COMPLETED: "VIR_DOMAIN_EVENT_ID_JOB_COMPLETED",
}
_FAULT_PAUSE_SECONDS = 1.0


class _Loop:
    """Libvirt's default event loop; the library holds just one for the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_running = False

    def start(self) -> None:
        """Begin once, whoever asks how often."""
        with self._lock:
            if self._is_running or libvirt is None:
                return
            libvirt.virEventRegisterDefaultImpl()
            threading.Thread(target=self._run, name="libvirt-events", daemon=True).start()
            self._is_running = True

    @staticmethod
    def _run() -> t.NoReturn:
        while True:
            try:
                libvirt.virEventRunDefaultImpl()
            except libvirt.libvirtError:
                time.sleep(_FAULT_PAUSE_SECONDS)


_loop = _Loop()


def enable_events() -> None:
    """Let connections that are opened from now on tell of events; those that are open already stay silent."""
    _loop.start()


class Event(t.NamedTuple):
    """Something that happened: its kind, and a lifecycle's or agent's word, a device's alias or a disk's target."""

    kind: str
    detail: str


class Watcher:
    """What happens to one domain; made by :func:`watch`."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._events: list[Event] = []
        self._woken = threading.Event()

    @property
    def events(self) -> tuple[Event, ...]:
        """Return what was seen so far, in order."""
        return tuple(self._events)

    def saw(self, kind: str, detail: str | None = None) -> bool:
        """Tell whether an event of that kind, with that detail if one is given, was seen."""
        return any(event.kind == kind and detail in (None, event.detail) for event in self.events)

    def note(self, event: Event) -> None:
        """Keep an event and wake who waits."""
        self._events.append(event)
        self._woken.set()

    def wait_until(self, condition: t.Callable[[], bool], timeout: float, poll: float = 1.0) -> bool:
        """Ask ``condition`` at once, after every event and every ``poll`` seconds, and return whether it came true."""
        deadline = time.monotonic() + timeout
        while True:
            # Cleared before it is asked: what happens meanwhile wakes the wait at once.
            self._woken.clear()
            if condition():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._woken.wait(min(poll, left))


@contextlib.contextmanager
def watch(connection: Connection, handle: t.Any) -> t.Iterator[Watcher]:
    """Collect the events of the domain of that handle; begin before what is waited for is caused."""
    watcher = Watcher()
    registered = [number for kind in _IDS if (number := _register(connection, handle, watcher, kind)) is not None]
    try:
        yield watcher
    finally:
        for number in registered:
            # A connection that broke has forgotten it already.
            with contextlib.suppress(DriverError):
                connection.call("stop listening to events", connection.raw.domainEventDeregisterAny, number)


def _register(connection: Connection, handle: t.Any, watcher: Watcher, kind: str) -> int | None:
    """Return the number of the registration; None where there are no such events, and polling has to do."""
    event_id = getattr(libvirt, _IDS[kind], None)
    if event_id is None:
        return None

    def note(unused_connection: t.Any, unused_domain: t.Any, *arguments: t.Any) -> None:
        watcher.note(Event(kind, _detail(kind, arguments)))

    register = connection.raw.domainEventRegisterAny
    try:
        return t.cast(int, connection.call("listen to events", register, handle, event_id, note, None))
    except DriverError:
        return None


def _detail(kind: str, arguments: tuple[t.Any, ...]) -> str:
    """Return the word for what libvirt tells of an event after the connection and the domain."""
    value = arguments[0]
    words = {LIFECYCLE: _LIFECYCLE_WORDS, AGENT: _AGENT_WORDS}.get(kind)
    if words is not None:
        return words[value] if value < len(words) else str(value)
    return value if isinstance(value, str) else ""
