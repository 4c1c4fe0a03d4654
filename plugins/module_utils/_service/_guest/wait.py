# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Wait until a guest is as far as somebody needs it."""

from __future__ import annotations

import socket
import time
import typing as t
from dataclasses import dataclass, replace

from ..._driver.addresses import GuestAddress, interface_addresses
from ..._driver.agent import command, guest_side
from ..._driver.connection import Connection
from ..._driver.guests import STATES
from ..._errors import AgentAwayError, DriverError, NotFoundError, WaitTimeoutError
from ..._spec.waiting import AGENT, AGENT_SOURCE, CLOUD_INIT, PORT, WaitSpec
from ..._xml.domain_guest import GuestSide
from .cloud_init import CloudInitStatus, ask_cloud_init
from .conditions import OVER, Seen, Verdict, choose, judge

_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 2.0
_PING_SECONDS = 5
_CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class WaitResult:
    """What was waited for and for how long, and the addresses that were seen; ``address`` is the one that counts."""

    conditions: tuple[str, ...] = ()
    seconds: float = 0.0
    address: GuestAddress | None = None
    addresses: tuple[GuestAddress, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_result(self) -> dict[str, t.Any]:
        """Return plain data for the task's result; ``warnings`` are the module's to give."""
        return {
            "address": self.address.address if self.address else None,
            "addresses": [
                {
                    "address": seen.address,
                    "prefix": seen.prefix,
                    "family": seen.family,
                    "mac": seen.mac,
                    "interface": seen.interface,
                    "source": seen.source,
                }
                for seen in self.addresses
                if seen.is_reachable
            ],
            "waited_for": list(self.conditions),
            "waited_seconds": round(self.seconds, 1),
        }


def wait_for(connection: Connection, handle: t.Any, name: str, spec: WaitSpec) -> WaitResult:
    """Wait until all of the conditions hold at once; without conditions nothing is asked.

    A guest that powers off or crashes meanwhile, and what no waiting can bring, is an error at once.
    """
    if not spec.conditions:
        return WaitResult()
    begun = time.monotonic()
    watch = _Watch(connection, handle, spec)
    pause = _FIRST_PAUSE
    while True:
        seen = watch.look()
        verdict = judge(name, spec, seen)
        if verdict.failure is not None:
            raise verdict.failure
        waited = time.monotonic() - begun
        if not verdict.pending:
            return WaitResult(spec.conditions, waited, verdict.address, seen.addresses, _warnings(name, seen))
        if waited >= spec.timeout:
            raise _timed_out(name, spec, verdict)
        time.sleep(min(pause, spec.timeout - waited))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


class _Watch:
    """Looks at a guest, at as little of it as the conditions need."""

    def __init__(self, connection: Connection, handle: t.Any, spec: WaitSpec) -> None:
        self._connection = connection
        self._handle = handle
        self._spec = spec
        self._cloud_init: CloudInitStatus | None = None
        """Kept when it is done, which it stays."""

    def look(self) -> Seen:
        """Return what is there now."""
        state = self._state()
        if state in OVER:
            return Seen(state)
        try:
            return self._look_inside(state)
        except DriverError:
            # A guest that just powered off makes all kinds of errors, of which that is the reason.
            state = self._state()
            if state in OVER:
                return Seen(state)
            raise

    def _state(self) -> str:
        doing = f"read the state of {self._handle.name()}"
        return STATES[self._connection.call(doing, self._handle.state)[0]]

    def _look_inside(self, state: str) -> Seen:
        side = guest_side(self._connection, self._handle)
        seen = Seen(state, macs=side.macs, has_channel=side.agent is not None)
        conditions = self._spec.conditions
        if AGENT in conditions or CLOUD_INIT in conditions:
            seen = replace(seen, agent=self._agent(side))
        if CLOUD_INIT in conditions:
            seen = self._with_cloud_init(seen)
        if self._spec.needs_address:
            seen = self._with_addresses(seen, side)
        return self._with_knock(seen) if PORT in conditions else seen

    def _agent(self, side: GuestSide) -> str | None:
        if side.agent is None:
            return "there is no channel to it"
        if side.agent == "disconnected":
            return "it is not connected"
        try:
            command(self._connection, self._handle, "guest-ping", patience=_PING_SECONDS)
        except AgentAwayError as exc:
            return str(exc)
        return None

    def _with_cloud_init(self, seen: Seen) -> Seen:
        if self._cloud_init is not None:
            return replace(seen, cloud_init=self._cloud_init)
        if seen.agent is not None:
            return replace(seen, cloud_init_problem=f"the guest agent cannot be asked, {seen.agent}")
        try:
            status = ask_cloud_init(self._connection, self._handle)
        except (AgentAwayError, WaitTimeoutError) as exc:
            return replace(seen, cloud_init_problem=str(exc))
        if status.is_done:
            self._cloud_init = status
        return replace(seen, cloud_init=status)

    def _with_addresses(self, seen: Seen, side: GuestSide) -> Seen:
        """Ask one source after the other, until one knows an address that counts."""
        for source in self._spec.address.sources:
            if source == AGENT_SOURCE and side.agent in (None, "disconnected"):
                continue
            try:
                found = interface_addresses(self._connection, self._handle, source)
            except NotFoundError:
                raise
            except DriverError as exc:
                # One source that fails is no reason not to ask the next.
                seen = replace(seen, problems=(*seen.problems, f"{exc}"))
                continue
            seen = replace(seen, addresses=seen.addresses + found)
            if choose(self._spec.address, seen.macs, found):
                break
        return seen

    def _with_knock(self, seen: Seen) -> Seen:
        address = choose(self._spec.address, seen.macs, seen.addresses)
        return seen if address is None else replace(seen, knock=_knock(address.address, self._spec.port))


def _knock(address: str, port: int) -> str | None:
    """Return why the port does not accept a connection from here, or None if it does."""
    try:
        socket.create_connection((address, port), timeout=_CONNECT_SECONDS).close()
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def _timed_out(name: str, spec: WaitSpec, verdict: Verdict) -> WaitTimeoutError:
    missing = "; ".join(f"{condition}: {text}" for condition, text in verdict.pending)
    return WaitTimeoutError(
        f"Instance {name} is not there yet after {spec.timeout} s. Last seen: {missing}.",
        {"waited_for": list(spec.conditions), "last_seen": dict(verdict.pending)},
    )


def _warnings(name: str, seen: Seen) -> tuple[str, ...]:
    if seen.cloud_init is None or not seen.cloud_init.warnings:
        return ()
    return (f"cloud-init in {name} is done, but had trouble: {'; '.join(seen.cloud_init.warnings)}",)
