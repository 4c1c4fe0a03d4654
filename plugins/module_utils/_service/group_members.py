# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Who is in a security group on this hypervisor, and at which addresses: out of what the guests and their networks say."""

from __future__ import annotations

import ipaddress
import typing as t

from .._driver.addresses import interface_addresses
from .._driver.connection import Connection
from .._driver.inventory import read_networks
from .._spec.port_filter import read_port_filter
from .facts_guests import Guest

_RUNNING = "running"


def members_here(
    connection: Connection, guests: t.Iterable[Guest], groups: t.Collection[str]
) -> dict[str, frozenset[str]]:
    """Return the addresses of the members of ``groups``: those declared or kept for them, leased, or told."""
    found: dict[str, set[str]] = {group: set() for group in groups}
    reserved: dict[str, set[str]] | None = None
    for guest in guests:
        ports = {nic.mac: groups_of(nic.filter) & found.keys() for nic in guest.machine.nics}
        if not any(ports.values()):
            continue
        if reserved is None:
            reserved = _reserved(connection)
        seen = _seen(connection, guest)
        fixed = {one.mac: {one.ip} for one in (guest.record.fixed_ips if guest.record else ())}
        for mac, joined in ports.items():
            for group in joined:
                found[group] |= reserved.get(mac, set()) | seen.get(mac, set()) | fixed.get(mac, set())
    return {group: frozenset(addresses) for group, addresses in found.items()}


def groups_of(filter_name: str | None) -> frozenset[str]:
    """Return the security groups that a NIC's filter stands for."""
    port = read_port_filter(filter_name)
    return frozenset(port.groups if port else ())


def users_of(guests: t.Iterable[Guest], group: str) -> tuple[str, ...]:
    """Return the domains that have a NIC in the group."""
    return tuple(
        guest.reading.name for guest in guests if any(group in groups_of(nic.filter) for nic in guest.machine.nics)
    )


def _reserved(connection: Connection) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for network in read_networks(connection):
        for address, mac in network.description.reservations:
            if mac:
                found.setdefault(mac, set()).add(str(ipaddress.ip_address(address)))
    return found


def _seen(connection: Connection, guest: Guest) -> dict[str, set[str]]:
    """Return a running guest's addresses by MAC: leases and the agent know all, the host's ARP table is the last resort."""
    found: dict[str, set[str]] = {}
    if guest.reading.state != _RUNNING:
        return found
    for source in ("lease", "agent", "arp"):
        if source == "arp" and found:
            break
        for one in interface_addresses(connection, guest.reading.handle, source):
            parsed = ipaddress.ip_address(one.address)
            if one.mac and not (parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast):
                found.setdefault(one.mac, set()).add(str(parsed))
    return found
