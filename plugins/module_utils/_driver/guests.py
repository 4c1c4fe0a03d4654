# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Guests as they are defined, all at once or one: the number of list calls does not grow with the guests."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import NotFoundError
from .capabilities import supported
from .connection import Connection, libvirt
from .usage import Usage, read_usage

STATES = ("nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended")
INACTIVE_STATES = frozenset({"shutoff"})
"""A crashed domain is one whose guest is kept for inspection; without that it is shut off."""


@dataclass(frozen=True)
class BlockStats:
    """One disk: its target, where it lies, and its sizes in bytes; None is not known."""

    target: str
    path: str | None
    capacity_bytes: int | None
    """What the guest sees."""
    allocation_bytes: int | None
    """What is taken on the host."""


@dataclass(frozen=True)
class GuestReading:
    """One domain: ``xml`` is its persistent definition, a transient one's is how it runs."""

    name: str
    uuid: str
    state: str
    """Libvirt's word for it, such as running or shutoff."""
    has_saved_memory: bool
    xml: str
    blocks: tuple[BlockStats, ...] = ()
    handle: t.Any = None
    """Libvirt's own object, for the calls of ``domain``."""
    usage: Usage | None = None
    """None unless asked for, and where the driver has no statistics in bulk."""

    @property
    def is_active(self) -> bool:
        """Tell whether there is a guest, be it paused."""
        return self.state not in INACTIVE_STATES


def read_guests(
    connection: Connection, names: t.Collection[str] | None = None, usage: bool = False
) -> list[GuestReading]:
    """Read every domain, or those ``names``, by name: two list calls, then one call each.

    One that vanishes meanwhile is left out.
    """
    saved_flag = libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE
    saved = supported(connection, "list domains with saved memory", connection.raw.listAllDomains, saved_flag)
    saved_uuids = {handle.UUIDString() for handle in saved or ()}
    found = []
    for handle, stats in _list_with_stats(connection, usage):
        if names is not None and handle.name() not in names:
            continue
        try:
            guest = _read(connection, handle, stats, handle.UUIDString() in saved_uuids)
        except NotFoundError:
            continue
        found.append(replace(guest, usage=read_usage(stats)) if usage and stats else guest)
    return sorted(found, key=lambda guest: guest.name)


def find_guest(connection: Connection, name: str) -> GuestReading | None:
    """Read the one domain ``name`` without a list call and without statistics, or return None."""
    try:
        handle = connection.call(f"look up domain {name}", connection.raw.lookupByName, name)
        saved = supported(connection, f"look for saved memory of {name}", handle.hasManagedSaveImage, 0)
        return _read(connection, handle, {}, bool(saved))
    except NotFoundError:
        return None


def autostarted(connection: Connection) -> frozenset[str] | None:
    """Return the UUIDs of the domains that start with their host, with one list call; None where none can."""
    flag = libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART
    listed = supported(connection, "list domains that start with the host", connection.raw.listAllDomains, flag)
    return None if listed is None else frozenset(handle.UUIDString() for handle in listed)


def snapshotted(connection: Connection) -> frozenset[str]:
    """Return the UUIDs of the domains that have snapshots, with one list call."""
    flag = libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT
    listed = supported(connection, "list domains with snapshots", connection.raw.listAllDomains, flag)
    return frozenset(handle.UUIDString() for handle in listed or ())


def running_definitions(connection: Connection, most: int) -> t.Iterator[str]:
    """Give the XML of running guests, at most so many; one that vanishes meanwhile is left out."""
    flag = libvirt.VIR_CONNECT_LIST_DOMAINS_RUNNING
    for handle in connection.call("list running domains", connection.raw.listAllDomains, flag)[:most]:
        try:
            yield connection.call(f"read domain {handle.name()}", handle.XMLDesc, 0)
        except NotFoundError:
            continue


def _list_with_stats(connection: Connection, usage: bool) -> list[tuple[t.Any, dict[str, t.Any]]]:
    wanted = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BLOCK
    if usage:
        wanted |= libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_BALLOON
        wanted |= libvirt.VIR_DOMAIN_STATS_INTERFACE
    # Without waiting: a guest that another job holds gives what is known without asking it.
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    listed = supported(connection, "list domains", connection.raw.getAllDomainStats, wanted, flags)
    if listed is not None:
        return list(listed)
    return [(handle, {}) for handle in connection.call("list domains", connection.raw.listAllDomains, 0)]


def _read(connection: Connection, handle: t.Any, stats: dict[str, t.Any], is_saved: bool) -> GuestReading:
    name = handle.name()
    state = stats.get("state.state")
    if state is None:
        state = connection.call(f"read the state of {name}", handle.state)[0]
    word = STATES[state] if state < len(STATES) else "nostate"
    return GuestReading(
        name=name,
        uuid=handle.UUIDString(),
        state=word,
        has_saved_memory=is_saved,
        xml=connection.call(f"read domain {name}", handle.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE),
        blocks=tuple(_blocks(stats, word not in INACTIVE_STATES)),
        handle=handle,
    )


def _blocks(stats: dict[str, t.Any], is_active: bool) -> t.Iterator[BlockStats]:
    # Under a running guest, libvirt calls allocation how far the guest has written.
    allocation = "physical" if is_active else "allocation"
    for index in range(stats.get("block.count", 0)):
        key = f"block.{index}"
        if f"{key}.name" in stats:
            yield BlockStats(
                target=stats[f"{key}.name"],
                path=stats.get(f"{key}.path"),
                capacity_bytes=stats.get(f"{key}.capacity"),
                allocation_bytes=stats.get(f"{key}.{allocation}"),
            )
