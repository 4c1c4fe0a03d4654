# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""NICs of running guests in a network: who is plugged in, and how one is plugged in anew while its guest runs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._driver.connection import Connection
from .._driver.domain import is_running
from .._driver.domain_change import Scope, update_device
from .._driver.network import Network, RunningGuest, defined_guests, definition_of, running_guests
from .._errors import DriverError, NotFoundError
from .._plan.network import PluggedNic
from .._xml.network_layout import read_layout
from .._xml.network_nic import NicPlug, defined_macs, in_network, on_bare_bridge, read_owner, read_plugs

_LIVE = Scope(live=True, persistent=False)


@dataclass(frozen=True)
class Occupancy:
    """Who is in a network."""

    nics: tuple[PluggedNic, ...] = ()
    strangers: tuple[str, ...] = ()
    guests: tuple[RunningGuest, ...] = ()


EMPTY = Occupancy()
"""Nobody is."""


def read_occupancy(connection: Connection, network: Network, is_active: bool, bridge: str) -> Occupancy:
    """Find the NICs of running guests in a network, and who else is plugged into it."""
    ports = network.ports() if is_active else {}
    guests = tuple(running_guests(connection))
    nics: list[PluggedNic] = []
    known: set[str] = set()
    for guest in guests:
        for plug in _plugs_in(connection, guest, network.name, bridge):
            # Where ports are not counted, one that names the network is believed.
            is_plugged = plug.network is not None and (ports is None or plug.port in ports)
            nics.append(PluggedNic(guest.name, plug.mac, is_plugged))
            known.add(plug.port or "")
    others = {port: handle for port, handle in (ports or {}).items() if port not in known}
    return Occupancy(tuple(nics), tuple(_strangers(network, others, {guest.name for guest in guests})), guests)


def defined_users(connection: Connection, network: str) -> tuple[str, ...]:
    """Return the domains, running or not, that have NICs in a network by their definition."""
    return tuple(sorted(name for name, text in defined_guests(connection) if defined_macs(text, network)))


def replug(connection: Connection, network: Network, occupancy: Occupancy, nics: t.Iterable[PluggedNic]) -> None:
    """Plug NICs in anew; a guest that ended meanwhile needs none."""
    guests = {guest.name: guest for guest in occupancy.guests}
    bridge = read_layout(network.xml()).bridge or ""
    for nic in nics:
        guest = guests[nic.instance]
        try:
            _replug(connection, guest, nic.mac, network.name, bridge)
        except DriverError:
            if is_running(connection, guest.name, guest.handle):
                raise


def _replug(connection: Connection, guest: RunningGuest, mac: str, network: str, bridge: str) -> None:
    """Have a NIC leave its network and come back, since libvirt does nothing about one that seems to be in it already.

    Its cable is pulled meanwhile, so that the guest sees that it may be another network now, and nothing of the guest
    gets out without the NIC's filters.
    """
    whole = in_network(guest.xml, definition_of(connection, guest.handle), mac, network)
    update_device(connection, guest, on_bare_bridge(guest.xml, mac, bridge), _LIVE)
    update_device(connection, guest, whole, _LIVE)


def _plugs_in(connection: Connection, guest: RunningGuest, network: str, bridge: str) -> t.Iterator[NicPlug]:
    plugs = read_plugs(guest.xml)
    yield from (plug for plug in plugs if plug.network == network)
    # On the bare bridge, where a run left them that was ended while it plugged them in anew, or where they are at home.
    bare = [plug for plug in plugs if bridge and plug.network is None and plug.bridge == bridge]
    if bare:
        waiting = defined_macs(definition_of(connection, guest.handle), network)
        yield from (plug for plug in bare if plug.mac in waiting)


def _strangers(network: Network, ports: t.Mapping[str, t.Any], guests: t.Collection[str]) -> t.Iterator[str]:
    for port in ports.values():
        try:
            owner = read_owner(network.port_xml(port))
        except NotFoundError:
            continue
        if owner not in guests:
            yield owner
