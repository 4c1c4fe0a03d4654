# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Domains: everything libvirt is asked about them, and everything done to them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import DriverError, NotFoundError, UnsupportedError
from .connection import Connection, libvirt

_STATES = ("nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended")
_UNKNOWN_FLAGS = frozenset(
    getattr(libvirt, name, None)
    for name in ("VIR_ERR_INVALID_ARG", "VIR_ERR_NO_SUPPORT", "VIR_ERR_ARGUMENT_UNSUPPORTED")
)
ACTIVE_STATES = frozenset({"running", "blocked", "paused", "shutdown", "pmsuspended"})


@dataclass(frozen=True)
class DomainInfo:
    """A domain found on the host: ``xml`` is its persistent definition, sizes are KiB, None is not known."""

    name: str
    uuid: str
    state: str
    xml: str
    live_max_vcpus: int | None
    live_max_memory_kib: int | None
    handle: t.Any

    @property
    def active(self) -> bool:
        """Tell whether a guest is there, running or not."""
        return self.state in ACTIVE_STATES


def list_domains(connection: Connection) -> list[DomainInfo]:
    """Read every domain of the host: one list call for all, then one call for each domain's definition.

    A domain that vanishes meanwhile is left out.
    """
    found = []
    for handle, stats in _stats(connection):
        try:
            found.append(_info(connection, handle, stats))
        except NotFoundError:
            continue
    return sorted(found, key=lambda domain: domain.name)


def find_domain(connection: Connection, name: str) -> DomainInfo | None:
    """Read the domain called ``name``, None if there is none."""
    try:
        handle = connection.call(f"look up domain {name}", connection.raw.lookupByName, name)
        state = connection.call(f"read the state of {name}", handle.state)[0]
        return _info(connection, handle, {"state.state": state})
    except NotFoundError:
        return None


def state_of(connection: Connection, domain: DomainInfo) -> str:
    """Return the domain's state now, such as running or shutoff."""
    return _STATES[connection.call(f"read the state of {domain.name}", domain.handle.state)[0]]


def _stats(connection: Connection) -> list[tuple[t.Any, dict[str, t.Any]]]:
    wanted = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BALLOON | libvirt.VIR_DOMAIN_STATS_VCPU
    try:
        return list(connection.call("list domains", connection.raw.getAllDomainStats, wanted, 0))
    except UnsupportedError:
        handles = connection.call("list domains", connection.raw.listAllDomains, 0)
        return [
            (handle, {"state.state": connection.call(f"read the state of {handle.name()}", handle.state)[0]})
            for handle in handles
        ]


def _info(connection: Connection, handle: t.Any, stats: dict[str, t.Any]) -> DomainInfo:
    name = handle.name()
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE
    return DomainInfo(
        name=name,
        uuid=handle.UUIDString(),
        state=_STATES[stats["state.state"]],
        xml=connection.call(f"read domain {name}", handle.XMLDesc, flags),
        live_max_vcpus=stats.get("vcpu.maximum"),
        live_max_memory_kib=stats.get("balloon.maximum"),
        handle=handle,
    )


def live_xml(connection: Connection, domain: DomainInfo) -> str:
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


def shutdown(connection: Connection, domain: DomainInfo) -> None:
    """Ask the guest to power off; a guest that is off already is fine."""
    _unless_off(connection, domain, f"shut down {domain.name}", domain.handle.shutdown)


def power_off(connection: Connection, domain: DomainInfo) -> None:
    """Pull the plug; a guest that is off already is fine."""
    _unless_off(connection, domain, f"power off {domain.name}", domain.handle.destroy)


def _unless_off(connection: Connection, domain: DomainInfo, doing: str, function: t.Callable[..., t.Any]) -> None:
    try:
        connection.call(doing, function)
    except DriverError:
        if state_of(connection, domain) in ACTIVE_STATES:
            raise


def grow_live_disk(connection: Connection, domain: DomainInfo, target: str, size_bytes: int) -> None:
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
