# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Switch the power of one domain: each verb ends in the state it names, and finds it good if it is there already.

Waiting is woken by libvirt's events where the connection has them, and polls besides.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from .._driver import domain as driver
from .._driver.connection import Connection
from .._driver.domain import Domain
from .._driver.events import AGENT, Watcher, watch
from .._driver.guests import INACTIVE_STATES
from .._errors import ConflictError, DriverError, NotFoundError, WaitTimeoutError
from .._xml.power import read_power_traits

_ACPI_AGAIN_SECONDS = 10.0
_SETTLE_SECONDS = 30.0
_RESET_SECONDS = 5.0
_PULLS = 3


class _Request:
    """Asking a guest to power off, beside everything else.

    Libvirt asks an agent that is there first, and waits a minute for one that takes the request and does nothing.
    """

    def __init__(self, connection: Connection, domain: Domain) -> None:
        """Ask nobody yet."""
        self._connection = connection
        self._domain = domain
        self._thread: threading.Thread | None = None

    def send(self) -> None:
        """Ask, unless the last request still waits for the agent."""
        if self._thread is not None and self._thread.is_alive():
            return
        # A daemon, since a guest that stays up must not keep the module from saying so.
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Have the request end, which it does with the guest, so that it can't fall upon the next boot."""
        if self._thread is not None:
            self._thread.join(_SETTLE_SECONDS)

    def _ask(self) -> None:
        driver.request_shutdown(self._connection, self._domain)


def start(connection: Connection, domain: Domain) -> None:
    """Make the guest run, from whatever state: off, off with saved memory, paused, or suspended by itself."""
    if _state(connection, domain) in INACTIVE_STATES:
        _create(connection, domain)
    # Also a guest that just started may be paused: its memory was saved so.
    _let_run(connection, domain)


def resume(connection: Connection, domain: Domain) -> None:
    """Let a guest go on that is paused, or off with its memory saved; one that is plainly off is refused."""
    if _state(connection, domain) in INACTIVE_STATES and not driver.has_saved_memory(connection, domain):
        raise ConflictError(f"Instance {domain.name} is stopped and has nothing to go on with; start it.")
    start(connection, domain)


def pause(connection: Connection, domain: Domain) -> None:
    """Hold the guest's CPUs; one that is off is started that far."""
    state = _state(connection, domain)
    if state == "paused":
        return
    if state in INACTIVE_STATES:
        _create(connection, domain, paused=True)
        return
    _let_run(connection, domain)
    driver.pause(connection, domain)


def suspend(connection: Connection, domain: Domain) -> None:
    """Save the guest's memory on the host's disk and end it, so that the next start goes on from there."""
    if _state(connection, domain) in INACTIVE_STATES:
        if not driver.has_saved_memory(connection, domain):
            raise ConflictError(f"Instance {domain.name} is stopped and has no memory to save; start it first.")
        return
    devices = read_power_traits(driver.live_xml(connection, domain)).host_devices
    if devices:
        raise ConflictError(
            f"Instance {domain.name} can't be suspended while it has {', '.join(devices)} of its host, whose state can't be"
            " saved; stop or pause it instead, or take the device away first."
        )
    if driver.state_of(connection, domain) == "pmsuspended":
        _let_run(connection, domain)
    try:
        driver.save(connection, domain)
    except DriverError:
        # Somebody else was faster.
        if driver.is_running(connection, domain.name, domain.handle) or not driver.has_saved_memory(connection, domain):
            raise


def stop(connection: Connection, domain: Domain, timeout: float, force: bool) -> None:
    """Ask the guest to power off until it does; after ``timeout`` seconds pull the plug only with ``force``."""
    _end(connection, domain, timeout, force, lambda: _is_off(connection, domain))


def soft_reboot(connection: Connection, domain: Domain, timeout: float, force: bool) -> None:
    """Have the guest power off and start it again, with its definition as it is by then; a guest must be there.

    Within QEMU's own reboot, nothing would tell a guest that reboots from one that ignores it.
    """
    number = driver.guest_number(connection, domain)
    if number is None:
        raise ConflictError(f"Instance {domain.name} is stopped and can't be rebooted softly; start it.")
    # Whoever started it again meanwhile did the second half.
    _end(connection, domain, timeout, force, lambda: driver.guest_number(connection, domain) != number)
    start(connection, domain)


def hard_reboot(connection: Connection, domain: Domain) -> None:
    """Pull the plug, forget memory that was saved, and start; the caller has the user's word for it."""
    pull_plug(connection, domain)
    if driver.has_saved_memory(connection, domain):
        driver.drop_saved_memory(connection, domain)
    start(connection, domain)


def reset(connection: Connection, domain: Domain) -> None:
    """Press the reset button: the guest boots at once, in the same QEMU and with the same devices."""
    if _state(connection, domain) in INACTIVE_STATES:
        raise ConflictError(f"Instance {domain.name} is stopped and can't be reset; start it.")
    with watch(connection, domain.handle) as watcher:
        had_agent = agent_state(connection, domain) == "connected"
        driver.reset(connection, domain)
        _let_run(connection, domain)
        if had_agent:
            # Whoever asks for the agent after this gets that of the new boot.
            watcher.wait_until(lambda: watcher.saw(AGENT, "disconnected"), _RESET_SECONDS)


def pull_plug(connection: Connection, domain: Domain) -> None:
    """Switch the guest off at once; QEMU may need some time to die on slow storage, so it is tried again."""
    for attempt in range(_PULLS):
        try:
            driver.power_off(connection, domain)
        except NotFoundError:
            return
        except DriverError:
            if attempt == _PULLS - 1:
                raise
        else:
            return


def wait_for_agent(connection: Connection, domain: Domain, watcher: Watcher, timeout: float) -> None:
    """Wait until the guest's agent is there; a guest without a channel for one is not waited for."""
    last: str | None = None

    def is_there() -> bool:
        nonlocal last
        if not driver.is_running(connection, domain.name, domain.handle):
            raise ConflictError(f"Instance {domain.name} went off while its guest agent was waited for.")
        last = agent_state(connection, domain)
        return last in (None, "connected")

    if not watcher.wait_until(is_there, timeout):
        raise WaitTimeoutError(
            f"The guest agent of instance {domain.name} is {last} after {timeout:g} s; raise wait_timeout, or look at the"
            " guest's console for what it does."
        )


def agent_state(connection: Connection, domain: Domain) -> str | None:
    """Return connected or disconnected; None where the running guest has no channel for an agent."""
    return read_power_traits(driver.live_xml(connection, domain)).agent


def _state(connection: Connection, domain: Domain) -> str:
    """Return the domain's state once it is not just on its way off; a crash that is kept is left to the user."""
    state = driver.state_of(connection, domain)
    if state == "shutdown":
        with watch(connection, domain.handle) as watcher:
            watcher.wait_until(lambda: driver.state_of(connection, domain) != "shutdown", _SETTLE_SECONDS)
        state = driver.state_of(connection, domain)
    if state == "crashed":
        raise ConflictError(
            f"Instance {domain.name} has crashed and is kept for inspection (on_crash: preserve); stop it with"
            " force: true before anything else is done with it."
        )
    return state


def _create(connection: Connection, domain: Domain, paused: bool = False) -> None:
    try:
        driver.start(connection, domain.name, domain.handle, paused)
    except DriverError:
        # Somebody else was faster.
        if not driver.is_running(connection, domain.name, domain.handle):
            raise


def _let_run(connection: Connection, domain: Domain) -> None:
    """Let a guest's CPUs run that are held; one that is off stays so."""
    state = driver.state_of(connection, domain)
    try:
        if state == "paused":
            driver.resume(connection, domain.name, domain.handle)
        elif state == "pmsuspended":
            driver.wake(connection, domain)
    except DriverError:
        # Somebody else was faster, or it went off.
        if driver.state_of(connection, domain) == state:
            raise


def _is_off(connection: Connection, domain: Domain) -> bool:
    try:
        return not driver.is_active(connection, domain)
    except NotFoundError:
        # A transient domain is gone with its guest.
        return True


def _end(connection: Connection, domain: Domain, timeout: float, force: bool, is_done: t.Callable[[], bool]) -> None:
    """Bring the guest down until ``is_done``; nothing that it keeps on its disks is lost unless by ``force``."""
    if _is_off(connection, domain):
        return
    request = _Request(connection, domain)
    # Nobody is left in a crashed guest who could be asked.
    if driver.state_of(connection, domain) == "crashed" or not _shut_down(
        connection, domain, timeout, is_done, request
    ):
        if not force:
            raise WaitTimeoutError(
                f"Instance {domain.name} is still {driver.state_of(connection, domain)} {timeout:g} s after it was asked"
                " to power off; raise shutdown_timeout, or allow pulling the plug with force: true."
            )
        pull_plug(connection, domain)
    request.settle()


def _shut_down(
    connection: Connection, domain: Domain, timeout: float, is_done: t.Callable[[], bool], request: _Request
) -> bool:
    """Ask again every ten seconds, as a guest that is still booting misses the first request."""
    # A guest whose CPUs stand still hears nothing.
    _let_run(connection, domain)
    ends = _ends_at_power_off(connection, domain)
    deadline = time.monotonic() + timeout
    with watch(connection, domain.handle) as watcher:
        while True:
            request.send()
            left = deadline - time.monotonic()
            if watcher.wait_until(is_done, min(_ACPI_AGAIN_SECONDS, max(left, 0.0))):
                return True
            if left <= _ACPI_AGAIN_SECONDS:
                break
    if ends:
        with contextlib.suppress(DriverError):
            driver.set_power_off_action(connection, domain, restart=True)
    return is_done()


def _ends_at_power_off(connection: Connection, domain: Domain) -> bool:
    """Make a guest that would boot again when it powers off end instead, this once; tell whether that was needed."""
    try:
        if not read_power_traits(driver.live_xml(connection, domain)).restarts_at_power_off:
            return False
        driver.set_power_off_action(connection, domain, restart=False)
    except DriverError:
        # It went off meanwhile; otherwise what follows says more.
        return False
    return True
