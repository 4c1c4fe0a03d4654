# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is done to domains; what they are is read in ``guests``."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import DriverError, NotFoundError
from .connection import Connection, libvirt
from .guests import INACTIVE_STATES, STATES, GuestReading

_UNKNOWN_FLAGS = frozenset(
    getattr(libvirt, name, None)
    for name in ("VIR_ERR_INVALID_ARG", "VIR_ERR_NO_SUPPORT", "VIR_ERR_ARGUMENT_UNSUPPORTED")
)


def state_of(connection: Connection, domain: GuestReading) -> str:
    """Return the domain's state now, such as running or shutoff."""
    return STATES[connection.call(f"read the state of {domain.name}", domain.handle.state)[0]]


def is_active(connection: Connection, domain: GuestReading) -> bool:
    """Tell whether there is a guest now, be it paused."""
    return state_of(connection, domain) not in INACTIVE_STATES


def live_xml(connection: Connection, domain: GuestReading) -> str:
    """Return the definition of the guest as it runs now."""
    return str(connection.call(f"read domain {domain.name}", domain.handle.XMLDesc, 0))


def define(connection: Connection, name: str, xml: str) -> t.Any:
    """Make or replace the persistent definition; libvirt checks it against its schema."""
    return connection.call(
        f"define domain {name}", connection.raw.defineXMLFlags, xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE
    )


def start(connection: Connection, name: str, handle: t.Any) -> None:
    """Start the domain."""
    connection.call(f"start {name}", handle.create)


def resume(connection: Connection, name: str, handle: t.Any) -> None:
    """Let a paused guest go on."""
    connection.call(f"resume {name}", handle.resume)


def is_running(connection: Connection, name: str, handle: t.Any) -> bool:
    """Tell whether the domain of that handle has a guest; one that is gone has none."""
    try:
        return bool(connection.call(f"read the state of {name}", handle.isActive))
    except NotFoundError:
        return False


def request_shutdown(connection: Connection, domain: GuestReading) -> None:
    """Ask the guest to power off; one that is off already, or can't be asked in its state, is no error."""
    with contextlib.suppress(DriverError):
        connection.call(f"shut down {domain.name}", domain.handle.shutdown)


def power_off(connection: Connection, domain: GuestReading) -> None:
    """Pull the plug; a guest that is off already is fine."""
    try:
        connection.call(f"power off {domain.name}", domain.handle.destroy)
    except DriverError:
        if is_active(connection, domain):
            raise


def grow_live_disk(connection: Connection, domain: GuestReading, target: str, size_bytes: int) -> None:
    """Grow the disk of a running guest, which sees the new size at once."""
    connection.call(
        f"grow disk {target} of {domain.name}",
        domain.handle.blockResize,
        target,
        size_bytes,
        libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES,
    )


def undefine(connection: Connection, name: str, handle: t.Any) -> None:
    """Forget the domain with its NVRAM, TPM state, saved memory and snapshot records; disks are not touched."""
    flags = (
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | getattr(libvirt, "VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA", 0)
        | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    )
    tpm = getattr(libvirt, "VIR_DOMAIN_UNDEFINE_TPM", 0)
    for attempt in (flags | tpm, flags, libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE, 0):
        try:
            connection.call(f"undefine {name}", handle.undefineFlags, attempt)
        except NotFoundError:
            return
        except DriverError as exc:
            # Older daemons and drivers refuse flags they do not know; with fewer flags the call is still safe,
            # since libvirt then refuses whatever it would have to leave behind.
            if attempt == 0 or exc.details.get("libvirt_code") not in _UNKNOWN_FLAGS:
                raise
        else:
            return
