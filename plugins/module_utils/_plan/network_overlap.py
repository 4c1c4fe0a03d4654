# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Find out whether a network's subnets are somebody else's already. Pure."""

from __future__ import annotations

import ipaddress
import typing as t

from .._errors import SpecError
from .._spec.network_layout import NetworkLayout


class Neighbour(t.NamedTuple):
    """Who has addresses on the host, and a bridge: another network, or one of the host's own interfaces."""

    who: str
    addresses: tuple[str, ...]
    """Each with its prefix."""
    bridge: str = ""
    """That libvirt makes."""


def refuse_overlap(wanted: NetworkLayout, found: NetworkLayout | None, neighbours: t.Iterable[Neighbour]) -> None:
    """Raise where what ``wanted`` has beyond what was ``found`` overlaps with a neighbour's."""
    old = {ip.address for ip in found.ips or ()} if found else set()
    new = [ip.interface.network for ip in wanted.ips or () if ip.address not in old]
    has_new_bridge = wanted.has_own_bridge and wanted.bridge and (found is None or found.bridge != wanted.bridge)
    for neighbour in neighbours:
        if has_new_bridge and neighbour.bridge == wanted.bridge:
            raise SpecError("bridge", f"{wanted.bridge} is the bridge of {neighbour.who}", "take another name")
        for address in neighbour.addresses:
            taken = ipaddress.ip_interface(address).network
            for subnet in new:
                if subnet.overlaps(taken):
                    raise SpecError(
                        "ips", f"{subnet} overlaps with {taken} of {neighbour.who}", "take a subnet that nobody has"
                    )


def has_news(wanted: NetworkLayout, found: NetworkLayout | None) -> bool:
    """Tell whether there is anything that could overlap, so that neighbours need to be asked for."""
    old = {ip.address for ip in found.ips or ()} if found else set()
    is_new = any(ip.address not in old for ip in wanted.ips or ())
    return is_new or wanted.bridge != (found.bridge if found else "")
