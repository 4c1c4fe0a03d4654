# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Give memory to a running guest or take it: by its balloon, and in modules that are plugged in."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ..._driver import domain_change as driver
from ..._driver.connection import Connection
from ..._driver.domain import live_xml
from ..._driver.guest_memory import read_blocks, seen_memory_kib, use_blocks
from ..._driver.guests import GuestReading
from ..._errors import DriverError
from ..._plan.memory import module_kib
from ..._spec.machine import Machine
from ..._xml.domain import read
from ..._xml.domain_memory import render_memory_module

_LIVE = driver.Scope(live=True, persistent=False)
_TAKE_SECONDS = 20.0
_POLL_SECONDS = 0.5
_KIB_PER_MIB = 1024


def set_memory(connection: Connection, domain: GuestReading, desired: Machine) -> str | None:
    """Make the guest have what is declared; return what the user should hear if it does not take it.

    What it lets lie its balloon must not keep: that would come out of what the guest had before.
    """
    wanted = desired.current_memory_kib or 0
    guest = read(live_xml(connection, domain))
    if wanted > guest.memory_kib:
        is_taken = _plug(connection, domain, guest, wanted)
    elif guest.memory_modules_kib:
        is_taken = _wait(lambda: _takes_what_lies(connection, domain))
    else:
        is_taken = True
    if is_taken and guest.balloon != "none":
        driver.set_memory(connection, domain, wanted, _LIVE)
    if is_taken:
        return None
    return (
        f"The guest of instance {domain.name} has not yet taken all of its {wanted // _KIB_PER_MIB} MiB of memory into use,"
        " of which some was plugged in while it runs; it has them after a further run that finds its guest agent, or"
        " after its next power cycle."
    )


def _plug(connection: Connection, domain: GuestReading, guest: Machine, wanted: int) -> bool:
    """Plug in what the balloon alone can't give, and tell whether the guest has it."""
    size = module_kib(guest, wanted)
    if size is None:
        raise DriverError(
            f"Cannot give {wanted // _KIB_PER_MIB} MiB of memory to {domain.name} while it runs: it changed meanwhile."
        )
    kept = max(0, guest.memory_kib - (guest.current_memory_kib or 0))
    seen = seen_memory_kib(connection, domain)
    if kept and guest.balloon != "none":
        driver.set_memory(connection, domain, guest.memory_kib, _LIVE)
    driver.attach_device(connection, domain, render_memory_module(size), _LIVE)

    def is_taken() -> bool:
        blocks = read_blocks(connection, domain.handle)
        if blocks is None:
            # No agent: the guest may take it by itself, and its balloon's statistics say so.
            now = seen_memory_kib(connection, domain)
            return seen is not None and now is not None and now - seen >= kept + size // 2
        _use(connection, domain, blocks.offline)
        return blocks.online_kib >= guest.memory_kib + size

    return _wait(is_taken)


def _takes_what_lies(connection: Connection, domain: GuestReading) -> bool:
    """Tell whether nothing lies unused of what was plugged in earlier, as far as is known, or have it taken."""
    blocks = read_blocks(connection, domain.handle)
    _use(connection, domain, blocks.offline if blocks else ())
    return blocks is None or not blocks.offline


def _use(connection: Connection, domain: GuestReading, numbers: t.Collection[int]) -> None:
    if numbers:
        with contextlib.suppress(DriverError):
            use_blocks(connection, domain.handle, numbers)


def _wait(is_done: t.Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _TAKE_SECONDS
    while not is_done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
