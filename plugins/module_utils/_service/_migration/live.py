# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A guest that runs is moved: begun, watched, and broken off where it takes too long."""

from __future__ import annotations

import time
import typing as t

from ..._driver import domain as driver
from ..._driver.connection import Connection
from ..._driver.domain import Domain
from ..._driver.migration import (
    Figures,
    Headway,
    LiveMove,
    Migration,
    completed,
    headway,
    is_split,
    is_too_early,
    wait_until_still,
)
from ..._errors import ComputeError, DriverError, UnsupportedError, WaitTimeoutError
from ..._spec.migration import ABORT, PAUSE, POST_COPY, TLS, LiveOptions

_LOOK_SECONDS = 0.5
_NO_POST_COPY = ("postcopy", "post-copy", "userfault")
_NO_TLS = ("tls", "certificate", "x509")
_SETTLE_SECONDS = 60.0

Watch = t.Callable[[Headway], None]
"""Who is told how far a move is."""


class StillMovingError(WaitTimeoutError):
    """A move goes on, and can't be broken off."""


def run_live(source: Connection, domain: Domain, target: Connection, move: LiveMove, watch: Watch) -> Figures:
    """Move it, and return what that took; when this raises, the guest goes on at the source, unless that can't be told."""
    options = move.options
    migration = Migration(source, domain, target, move)
    end = time.monotonic() + options.timeout
    is_late = is_switched = False
    while not migration.wait(_LOOK_SECONDS):
        way = headway(source, domain)
        watch(way)
        if is_late or is_switched:
            continue
        is_late = bool(options.timeout) and time.monotonic() > end
        is_switched = options.post_copy and way.iterations > 1
        if is_switched or is_late:
            way_out = POST_COPY if is_switched else options.on_timeout
            try:
                _hurry(source, domain, migration, way_out)
            except DriverError as exc:
                raise StillMovingError(
                    f"Instance {domain.name} was not at {target.uri} within {options.timeout} seconds, and {way_out} can't be done"
                    " at the moment, as when both hosts don't reach each other any more. It goes on where it was. Once they do, run"
                    f" again, which finishes the move. {exc.message}"
                ) from exc
    try:
        migration.finish()
    except ComputeError as exc:
        raise _explained(exc, domain, target, options, is_late) from exc
    return completed(source, domain)


def go_on(source: Connection, domain: Domain, target: Connection, move: LiveMove) -> Figures:
    """Go on with a move by post-copy that broke; QEMU needs a moment to see that it did."""
    end = time.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            return run_live(source, domain, target, move, lambda unused_way: None)
        except DriverError as exc:
            if not is_too_early(exc) or time.monotonic() > end or not is_split(source, domain):
                raise
        time.sleep(_LOOK_SECONDS)


def _explained(
    exc: ComputeError, domain: Domain, target: Connection, options: LiveOptions, is_late: bool
) -> ComputeError:
    """Return a better sentence for what broke a move off, where there is one."""
    if is_late and options.on_timeout == ABORT:
        return WaitTimeoutError(
            f"Instance {domain.name} was not at {target.uri} within {options.timeout} seconds, so the move was broken off, and"
            " it goes on where it was; raise option timeout or bandwidth_mb, or take on_timeout: pause."
        )
    if options.may_post_copy and any(word in exc.message.lower() for word in _NO_POST_COPY):
        return UnsupportedError(
            f"Instance {domain.name} can't be moved to {target.uri} by post-copy, which the kernel or QEMU of one of both hosts"
            f" refuses (QEMU needs userfaultfd, as by sysctl vm.unprivileged_userfaultfd=1); leave it out. {exc.message}",
            exc.details,
        )
    if options.transport == TLS and any(word in exc.message.lower() for word in _NO_TLS):
        return DriverError(
            f"Instance {domain.name} can't be moved to {target.uri} by TLS: both hosts need a certificate for QEMU that the other"
            f" trusts (migrate_tls_x509_cert_dir in qemu.conf), and its host name in it. {exc.message}",
            exc.details,
        )
    return exc


def _hurry(source: Connection, domain: Domain, migration: Migration, way: str) -> None:
    """Do what was asked for a move that takes too long; one that ended in this moment needs it no more."""
    try:
        if way == PAUSE:
            # Of memory that nobody writes to, all is there once; the guest goes on at the destination.
            driver.pause(source, domain)
        elif way == POST_COPY:
            migration.post_copy()
        else:
            migration.abort()
    except DriverError:
        if not migration.wait(_LOOK_SECONDS):
            raise


def settle(source: Connection, domain: Domain, target: Connection, other: Domain | None) -> bool:
    """Wait until neither end is in the middle of a move any more; tell whether that came about."""
    still = wait_until_still(source, domain, _SETTLE_SECONDS)
    return still and (other is None or wait_until_still(target, other, _SETTLE_SECONDS))
