# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is done to domains; what they are is read in ``guests``."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import DriverError, NotFoundError, UnsupportedError
from .capabilities import supported
from .connection import Connection, libvirt
from .guests import INACTIVE_STATES, STATES

_IS_DEVICE = "Cannot grow device files"
"""What QEMU says, in English whatever the language."""
_KEEPS_TPM = 8_009_000
"""The first libvirt that was asked for that, which no other call tells."""
_UNKNOWN_FLAGS = frozenset(
    getattr(libvirt, name, None)
    for name in ("VIR_ERR_INVALID_ARG", "VIR_ERR_NO_SUPPORT", "VIR_ERR_ARGUMENT_UNSUPPORTED")
)


class Domain(t.Protocol):
    """What the calls need of a domain; a ``GuestReading`` is one."""

    @property
    def name(self) -> str:
        """Return its name, for the errors' sentences."""

    @property
    def handle(self) -> t.Any:
        """Return libvirt's own object."""


class NamedHandle(t.NamedTuple):
    """A domain of which no more was read."""

    name: str
    handle: t.Any


def state_of(connection: Connection, domain: Domain) -> str:
    """Return the domain's state now, such as running or shutoff."""
    return STATES[connection.call(f"read the state of {domain.name}", domain.handle.state)[0]]


def is_active(connection: Connection, domain: Domain) -> bool:
    """Tell whether there is a guest now, be it paused."""
    return state_of(connection, domain) not in INACTIVE_STATES


def live_xml(connection: Connection, domain: Domain) -> str:
    """Return the definition of the guest as it runs now."""
    return str(connection.call(f"read domain {domain.name}", domain.handle.XMLDesc, 0))


def whole_definition(connection: Connection, domain: Domain) -> str:
    """Return the persistent definition with its secrets, such as a console's password: only ever to be defined again."""
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
    return str(connection.call(f"read domain {domain.name}", domain.handle.XMLDesc, flags))


def migratable_xml(connection: Connection, domain: Domain) -> str:
    """Return how the guest runs, as another hypervisor is told it, with its secrets."""
    flags = libvirt.VIR_DOMAIN_XML_MIGRATABLE | libvirt.VIR_DOMAIN_XML_SECURE
    return str(connection.call(f"read domain {domain.name}", domain.handle.XMLDesc, flags))


def has_snapshots(connection: Connection, domain: Domain) -> bool:
    """Tell whether there are snapshots that libvirt knows of."""
    return bool(supported(connection, f"count the snapshots of {domain.name}", domain.handle.snapshotNum, 0))


def saved_xml(connection: Connection, domain: Domain) -> str | None:
    """Return the definition of the guest whose memory is saved; None where it can't be read."""
    doing = f"read the saved memory of {domain.name}"
    try:
        found = supported(connection, doing, domain.handle.managedSaveGetXMLDesc, 0)
    except DriverError:
        # It was thrown away meanwhile, or is damaged.
        return None
    return None if found is None else str(found)


def define(connection: Connection, name: str, xml: str) -> t.Any:
    """Make or replace the persistent definition; libvirt checks it against its schema."""
    return connection.call(
        f"define domain {name}", connection.raw.defineXMLFlags, xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE
    )


def start(connection: Connection, name: str, handle: t.Any, paused: bool = False) -> None:
    """Start the domain, with its CPUs held if ``paused``."""
    if paused:
        connection.call(f"start {name}", handle.createWithFlags, libvirt.VIR_DOMAIN_START_PAUSED)
    else:
        connection.call(f"start {name}", handle.create)


def pause(connection: Connection, domain: Domain) -> None:
    """Hold the guest's CPUs."""
    connection.call(f"pause {domain.name}", domain.handle.suspend)


def resume(connection: Connection, name: str, handle: t.Any) -> None:
    """Let a paused guest go on."""
    connection.call(f"resume {name}", handle.resume)


def wake(connection: Connection, domain: Domain) -> None:
    """Wake a guest that suspended itself."""
    connection.call(f"wake {domain.name}", domain.handle.pMWakeup, 0)


def save(connection: Connection, domain: Domain) -> None:
    """Write the guest's memory to the host's disk and end it; the next start goes on from there."""
    connection.call(f"save the memory of {domain.name}", domain.handle.managedSave, 0)


def has_saved_memory(connection: Connection, domain: Domain) -> bool:
    """Tell whether the next start goes on with saved memory."""
    answer = supported(connection, f"ask for the saved memory of {domain.name}", domain.handle.hasManagedSaveImage, 0)
    return bool(answer)


def drop_saved_memory(connection: Connection, domain: Domain) -> None:
    """Forget the saved memory, so that the next start boots."""
    connection.call(f"forget the saved memory of {domain.name}", domain.handle.managedSaveRemove, 0)


def reset(connection: Connection, domain: Domain) -> None:
    """Press the guest's reset button."""
    connection.call(f"reset {domain.name}", domain.handle.reset, 0)


def reboot(connection: Connection, domain: Domain) -> None:
    """Ask the guest to boot again by itself, within the same QEMU and so with its present devices."""
    connection.call(f"reboot {domain.name}", domain.handle.reboot, 0)


def set_power_off_action(connection: Connection, domain: Domain, restart: bool) -> None:
    """Say whether the running guest is booted again or ended when it powers off; its definition stays."""
    kind = libvirt.VIR_DOMAIN_LIFECYCLE_POWEROFF
    action = libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART if restart else libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY
    doing = f"set what {domain.name} does when it powers off"
    supported(connection, doing, domain.handle.setLifecycleAction, kind, action, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def guest_number(connection: Connection, domain: Domain) -> int | None:
    """Return what tells this run of the guest from the last one; None while there is no guest."""
    # A handle keeps the number that it was looked up with.
    uuid = domain.handle.UUIDString()
    try:
        number = connection.call(f"look up {domain.name}", connection.raw.lookupByUUIDString, uuid).ID()
    except NotFoundError:
        return None
    return number if number >= 0 else None


def is_autostarted(connection: Connection, domain: Domain) -> bool:
    """Tell whether the domain starts with its host."""
    return bool(supported(connection, f"read the autostart of {domain.name}", domain.handle.autostart))


def set_autostart(connection: Connection, domain: Domain, enabled: bool) -> None:
    """Make the domain start with its host, or not."""
    connection.call(f"set the autostart of {domain.name}", domain.handle.setAutostart, int(enabled))


def is_running(connection: Connection, name: str, handle: t.Any) -> bool:
    """Tell whether the domain of that handle has a guest; one that is gone has none."""
    try:
        return bool(connection.call(f"read the state of {name}", handle.isActive))
    except NotFoundError:
        return False


def request_shutdown(connection: Connection, domain: Domain) -> None:
    """Ask the guest to power off; one that is off already, or can't be asked in its state, is no error."""
    with contextlib.suppress(DriverError):
        connection.call(f"shut down {domain.name}", domain.handle.shutdown)


def power_off(connection: Connection, domain: Domain) -> None:
    """Pull the plug; a guest that is off already is fine."""
    try:
        connection.call(f"power off {domain.name}", domain.handle.destroy)
    except DriverError:
        if is_active(connection, domain):
            raise


def grow_live_disk(connection: Connection, domain: Domain, target: str, size_bytes: int) -> None:
    """Grow the disk of a running guest, which sees the new size at once."""
    doing, flag = f"grow disk {target} of {domain.name}", libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
    try:
        connection.call(doing, domain.handle.blockResize, target, size_bytes, flag)
    except DriverError as exc:
        if _IS_DEVICE not in exc.message:
            raise
        raise UnsupportedError(
            f"Cannot {doing}: it is a device, which QEMU can't grow; grow it to {size_bytes} bytes with the pool's own tools"
            " (such as lvextend), have compute_pool refresh the pool, and run again.",
            exc.details,
        ) from exc


def can_keep_tpm(connection: Connection) -> bool:
    """Tell whether a TPM's state can outlive its domain."""
    known = connection.call("read libvirt's version", connection.raw.getLibVersion)
    return hasattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM") and known >= _KEEPS_TPM


def undefine(connection: Connection, name: str, handle: t.Any, keep_firmware: bool = False) -> None:
    """Forget the domain with its saved memory and snapshot records; disks are not touched.

    Its NVRAM and its TPM's state go too, or stay with ``keep_firmware``.
    """
    flags = (
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | getattr(libvirt, "VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA", 0)
        | (libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM if keep_firmware else libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    )
    tpm = getattr(libvirt, f"VIR_DOMAIN_UNDEFINE_{'KEEP_' if keep_firmware else ''}TPM", 0)
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
