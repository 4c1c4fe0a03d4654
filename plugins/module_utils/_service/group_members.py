# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Who is in a security group on this hypervisor, and at which addresses: out of what was assigned to them, and else of what they tell."""

from __future__ import annotations

import ipaddress
import typing as t
from functools import cached_property

from .._driver.addresses import interface_addresses
from .._driver.connection import Connection
from .._driver.inventory import NetworkReading, leased_addresses, read_networks
from .._plan.member_addresses import Seen, Surroundings, member_addresses
from .._spec.machine import Nic
from .._spec.port_filter import read_port_filter
from .facts_guests import Guest

_RUNNING = "running"
_NOBODY = ""


class _Assigned:
    """What was assigned to whom, asked when somebody is in a group."""

    def __init__(self, connection: Connection, guests: t.Sequence[Guest]) -> None:
        self._connection = connection
        self._guests = guests

    @cached_property
    def _networks(self) -> list[NetworkReading]:
        return read_networks(self._connection)

    @cached_property
    def _declared(self) -> dict[str, set[str]]:
        """Return by MAC address what the user said."""
        found: dict[str, set[str]] = {}
        for network in self._networks:
            for address, mac in network.description.reservations:
                if mac:
                    found.setdefault(mac, set()).add(str(ipaddress.ip_address(address)))
        for guest in self._guests:
            for fixed in guest.record.fixed_ips if guest.record else ():
                found.setdefault(fixed.mac, set()).add(fixed.ip)
        return found

    @cached_property
    def _taken(self) -> dict[str, str]:
        """Return by address whose it is, which no other guest can say of itself."""
        found: dict[str, str] = {}
        for network in self._networks:
            if network.is_active:
                found.update(leased_addresses(self._connection, network))
            found.update(dict.fromkeys(network.description.addresses, _NOBODY))
        found.update({address: mac for mac, addresses in self._declared.items() for address in addresses})
        return {str(ipaddress.ip_address(address)): mac for address, mac in found.items()}

    def declared(self, nic: Nic) -> frozenset[str]:
        """Return what the user said of a NIC's address."""
        return frozenset(self._declared.get(nic.mac, ()))

    def around(self, nic: Nic) -> Surroundings:
        """Return what is known of the network that a NIC is on."""
        names = {nic.source} if nic.type == "network" else set()
        subnets = (one.description.subnets for one in self._networks if one.description.name in names)
        return Surroundings(next(subnets, ()), self._taken)


def members_here(
    connection: Connection, guests: t.Iterable[Guest], groups: t.Collection[str]
) -> dict[str, frozenset[str]]:
    """Return the addresses of the members of ``groups``: those assigned to them, or else told as far as they can be theirs."""
    found: dict[str, set[str]] = {group: set() for group in groups}
    everybody = list(guests)
    assigned = _Assigned(connection, everybody)
    for guest in everybody:
        ports = [(nic, joined) for nic in guest.machine.nics if (joined := groups_of(nic.filter) & found.keys())]
        if not ports:
            continue
        leased, told = _seen(connection, guest)
        for nic, joined in ports:
            seen = Seen(assigned.declared(nic), frozenset(leased.get(nic.mac, ())), frozenset(told.get(nic.mac, ())))
            addresses = member_addresses(nic.mac, seen, assigned.around(nic) if seen.told else Surroundings())
            for group in joined:
                found[group] |= addresses
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


def _seen(connection: Connection, guest: Guest) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return a running guest's addresses by MAC: what is leased, and what it tells; the host's ARP table is the last resort."""
    leased: dict[str, set[str]] = {}
    told: dict[str, set[str]] = {}
    if guest.reading.state != _RUNNING:
        return leased, told
    for source, found in (("lease", leased), ("agent", told), ("arp", told)):
        if source == "arp" and (leased or told):
            break
        for one in interface_addresses(connection, guest.reading.handle, source):
            if one.mac:
                found.setdefault(one.mac, set()).add(one.address)
    return leased, told
