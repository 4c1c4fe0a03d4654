# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which addresses count as those of a NIC in a security group, and so are let through where its group is. Pure.

What was assigned to a NIC is known: its declared address, a network's reservation or lease. What a guest tells is its own
word, and whoever has control over it can tell anything. So it only counts where nothing of its kind was assigned, and not
for what cannot be its own.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

MOST_SEEN = 4
"""How many addresses of a kind a NIC can have that nobody declared; more would be a rule for each of whatever it tells."""

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Subnet = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class Seen:
    """The addresses of one NIC by who says so."""

    declared: frozenset[str] = frozenset()
    """By the user, for the instance or in a network's reservation."""
    leased: frozenset[str] = frozenset()
    """By a network's DHCP server."""
    told: frozenset[str] = frozenset()
    """By the guest itself."""


@dataclass(frozen=True)
class Surroundings:
    """What is known of the network that a NIC is on."""

    subnets: tuple[str, ...] = ()
    """None where somebody else gives the addresses."""
    taken: t.Mapping[str, str] = field(default_factory=dict)
    """The MAC addresses that addresses were assigned to; the host's own have none."""


def member_addresses(mac: str, seen: Seen, around: Surroundings) -> frozenset[str]:
    """Return the addresses of a NIC that count."""
    declared, leased, told = (_by_kind(addresses) for addresses in (seen.declared, seen.leased, seen.told))
    found: set[Address] = set()
    for kind in {*declared, *leased, *told}:
        assigned = {*declared.get(kind, ()), *sorted(leased.get(kind, ()), key=int)[:MOST_SEEN]}
        found |= assigned or _believed(mac, told.get(kind, set()), around)
    return frozenset(map(str, found))


def _by_kind(addresses: t.Iterable[str]) -> dict[tuple[int, bool], set[Address]]:
    """Sort by family, and apart from them those of the link alone, which every NIC has besides."""
    found: dict[tuple[int, bool], set[Address]] = {}
    for address in map(ipaddress.ip_address, addresses):
        if not (address.is_loopback or address.is_unspecified or address.is_multicast):
            found.setdefault((address.version, address.is_link_local), set()).add(address)
    return found


def _believed(mac: str, told: t.Iterable[Address], around: Surroundings) -> set[Address]:
    subnets = [ipaddress.ip_network(subnet, strict=False) for subnet in around.subnets]
    fitting = (
        address
        for address in told
        if around.taken.get(str(address), mac) == mac and (address.is_link_local or _lies_in(address, subnets))
    )
    return set(sorted(fitting, key=int)[:MOST_SEEN])


def _lies_in(address: Address, subnets: t.Sequence[Subnet]) -> bool:
    if not subnets:
        return True
    # IPv6 has no broadcasts, and that address of a subnet is like any other.
    is_v6 = isinstance(address, ipaddress.IPv6Address)
    return any(address in subnet and (is_v6 or address != subnet.broadcast_address) for subnet in subnets)
