# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A guest that is started only to see whether it lives; it dies with the connection, whatever happens to us."""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass

from .._errors import DriverError, NotFoundError
from .connection import Connection, libvirt

NAME_PREFIX = "kilonova-probe-"
_MOST_AT_ONCE = 64
_POLL_SECONDS = 0.05
_NOTHING_YET = -2
"""What virStreamRecv answers when there is no data now."""
_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Vitals:
    """How the guest did: ``alive`` if its console said what was awaited, and the CPU time it took until then."""

    alive: bool
    problem: str = ""
    """How it failed, in words that follow "a probe guest"."""
    cpu_seconds: float = 0.0


def run_probe(connection: Connection, render: t.Callable[[str], str], awaited: bytes, patience: float) -> Vitals:
    """Start the guest that ``render`` gives for a name, wait until its console says ``awaited``, and end it.

    Nothing awaited means any output. A guest that cannot be started raises :class:`DriverError`.
    """
    end = time.monotonic() + patience
    domain = _create(connection, render)
    try:
        return _listen(connection, domain, awaited, end, patience)
    finally:
        with contextlib.suppress(DriverError):
            connection.call("end the probe guest", domain.destroy)


def try_to_start(connection: Connection, render: t.Callable[[str], str]) -> None:
    """Start the guest that ``render`` gives for a name, paused, and end it; :class:`DriverError` says why it can't be."""
    domain = _create(connection, render)
    with contextlib.suppress(DriverError):
        connection.call("end the probe guest", domain.destroy)


def _create(connection: Connection, render: t.Callable[[str], str]) -> t.Any:
    """Start the guest under a free name: few names, so that the hypervisor's logs of them stay few."""
    # Paused, so that no output is lost before its console is open.
    flags = libvirt.VIR_DOMAIN_START_AUTODESTROY | libvirt.VIR_DOMAIN_START_PAUSED
    for number in range(1, _MOST_AT_ONCE):
        name = f"{NAME_PREFIX}{number}"
        if _is_taken(connection, name):
            continue
        try:
            return connection.call("start a probe guest", connection.raw.createXML, render(name), flags)
        except DriverError:
            # Another run may have taken the name just now; libvirt has no code of its own for that.
            if not _is_taken(connection, name):
                raise
    raise DriverError(f"Cannot start a probe guest: {_MOST_AT_ONCE} others named {NAME_PREFIX}* run already.")


def _is_taken(connection: Connection, name: str) -> bool:
    try:
        connection.call(f"look up domain {name}", connection.raw.lookupByName, name)
    except NotFoundError:
        return False
    return True


def _listen(connection: Connection, domain: t.Any, awaited: bytes, end: float, patience: float) -> Vitals:
    stream = connection.call("open a stream", connection.raw.newStream, libvirt.VIR_STREAM_NONBLOCK)
    connection.call("open the probe guest's console", domain.openConsole, None, stream, 0)
    connection.call("let the probe guest run", domain.resume)
    heard = b""
    try:
        while time.monotonic() < end:
            # This call also lets libvirt's client take in what the stream has.
            try:
                state, _maximum, _memory, _cpus, cpu_time = connection.call("watch the probe guest", domain.info)
            except NotFoundError:
                return Vitals(False, "died at once")
            heard = (heard + _receive(connection, stream))[-_TAIL_BYTES:]
            if heard and awaited in heard:
                return Vitals(True, cpu_seconds=cpu_time / 1e9)
            if state not in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED):
                return Vitals(False, "was stopped by the hypervisor at once")
            time.sleep(_POLL_SECONDS)
        return Vitals(False, f"did not start within {patience:.0f} s")
    finally:
        with contextlib.suppress(DriverError):
            connection.call("close the probe guest's console", stream.abort)


def _receive(connection: Connection, stream: t.Any) -> bytes:
    answer = connection.call("read the probe guest's console", stream.recv, _TAIL_BYTES)
    return b"" if answer == _NOTHING_YET else bytes(answer)
