# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A guest that runs is moved: begun, watched, and broken off where it takes too long."""

from __future__ import annotations

import time

from ..._driver import domain as driver
from ..._driver.connection import Connection
from ..._driver.domain import Domain
from ..._driver.migration import Figures, LiveMove, Migration, completed, wait_until_still
from ..._errors import ComputeError, DriverError, WaitTimeoutError
from ..._spec.migration import ABORT, PAUSE, LiveOptions

_LOOK_SECONDS = 0.5
_SETTLE_SECONDS = 60.0


def run_live(source: Connection, domain: Domain, target: Connection, move: LiveMove) -> Figures:
    """Move it, and return what that took; when this raises, the guest goes on at the source, unless that can't be told."""
    options = move.options
    migration = Migration(source, domain, target, move)
    end = time.monotonic() + options.timeout
    is_late = False
    while not migration.wait(_LOOK_SECONDS):
        if options.timeout and not is_late and time.monotonic() > end:
            is_late = True
            _hurry(source, domain, migration, options)
    try:
        migration.finish()
    except ComputeError as exc:
        if is_late and options.on_timeout == ABORT:
            raise WaitTimeoutError(
                f"Instance {domain.name} was not at {target.uri} within {options.timeout} seconds, so the move was broken off, and"
                " it goes on where it was; raise option timeout or bandwidth_mb, or take on_timeout: pause."
            ) from exc
        raise
    return completed(source, domain)


def _hurry(source: Connection, domain: Domain, migration: Migration, options: LiveOptions) -> None:
    """Do what was asked for a move that takes too long; one that ended in this moment needs it no more."""
    try:
        if options.on_timeout == PAUSE:
            # Of memory that nobody writes to, all is there once; the guest goes on at the destination.
            driver.pause(source, domain)
        else:
            migration.abort()
    except DriverError:
        if not migration.wait(_LOOK_SECONDS):
            raise


def settle(source: Connection, domain: Domain, target: Connection, other: Domain | None) -> bool:
    """Wait until neither end is in the middle of a move any more; tell whether that came about."""
    still = wait_until_still(source, domain, _SETTLE_SECONDS)
    return still and (other is None or wait_until_still(target, other, _SETTLE_SECONDS))
