# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the host's networks keep for NICs: read once, taken and given back in the network that runs and its definition."""

from __future__ import annotations

import contextlib
import ipaddress
import typing as t
from dataclasses import dataclass, replace

from ..._driver.connection import Connection
from ..._driver.network import ItemChange, Network, all_networks, find_network
from ..._errors import NotFoundError
from ..._plan.fixed_ip import Reservation
from ..._plan.network_drift import HOSTS, kept_hosts
from ..._spec.network_address import DhcpHost
from ..._spec.network_layout import NetworkLayout
from ..._spec.record import FixedIp
from ..._xml.network_items import render_item
from ..._xml.network_layout import read_layout


@dataclass(frozen=True)
class Copies:
    """A network as it runs and as it is defined; of either None where it is not."""

    running: NetworkLayout | None
    defined: NetworkLayout | None

    @property
    def layouts(self) -> tuple[NetworkLayout, ...]:
        """Return those that there are."""
        return tuple(layout for layout in (self.running, self.defined) if layout is not None)

    @property
    def hosts(self) -> tuple[DhcpHost, ...]:
        """Return all that either of them keeps."""
        return tuple(dict.fromkeys(host for layout in self.layouts for _index, _ip, host in kept_hosts(layout)))


class Reservations:
    """The reservations in all networks of a host, and those that this run is about to make; read when somebody asks."""

    def __init__(self, connection: Connection) -> None:
        """Read nothing yet."""
        self._connection = connection
        self._networks: dict[str, Copies] | None = None
        self._claims: dict[tuple[str, str], str] = {}

    @property
    def networks(self) -> dict[str, Copies]:
        """Return the networks by name."""
        if self._networks is None:
            self._networks = {}
            for network in all_networks(self._connection):
                # One that vanishes meanwhile is left out.
                with contextlib.suppress(NotFoundError):
                    self._networks[network.name] = _read(network)
        return self._networks

    def forget(self) -> None:
        """Forget what was read, because others may have changed it, and what was planned."""
        self._networks = None
        self._claims.clear()

    def claim(self, name: str, fixed_ips: t.Iterable[FixedIp]) -> None:
        """Remember what an instance is about to have."""
        self._claims.update({(fixed.network, fixed.ip): name for fixed in fixed_ips})

    def claimant(self, fixed: FixedIp) -> str | None:
        """Return who is about to have an address."""
        return self._claims.get((fixed.network, fixed.ip))

    def of(self, macs: t.Collection[str]) -> tuple[Reservation, ...]:
        """Return what is kept for these NICs, in whatever network."""
        found = []
        for name, copies in self.networks.items() if macs else ():
            kept = [{(host.mac, host.ip) for _index, _ip, host in kept_hosts(layout)} for layout in copies.layouts]
            for mac, ip in sorted({(mac, ip) for pairs in kept for mac, ip in pairs if mac and mac in macs}):
                found.append(Reservation(FixedIp(mac, ip, name), all((mac, ip) in pairs for pairs in kept)))
        return tuple(found)


def reserve(connection: Connection, network_name: str, host: DhcpHost) -> None:
    """Have a network keep an address for a NIC."""
    network = find_network(connection, network_name)
    if network is None:
        raise NotFoundError(f"Network {network_name} is gone, which was to keep {host.ip} for {host.mac}.")
    _change(network, "add", lambda layout: _to_add(layout, host))


def release(connection: Connection, fixed: FixedIp) -> None:
    """Have a network keep an address no longer; one that is gone keeps nothing."""
    network = find_network(connection, fixed.network)
    if network is not None:
        _change(network, "delete", lambda layout: _to_delete(layout, fixed))


_Items = t.Iterable["tuple[int, DhcpHost]"]


def _change(network: Network, verb: str, wanted: t.Callable[[NetworkLayout], _Items]) -> None:
    """Make the change in both copies, at once where it is the same."""
    copies = _read(network)
    steps: dict[tuple[int, str], list[bool]] = {}
    for number, layout in enumerate((copies.running, copies.defined)):
        for subnet, host in wanted(layout) if layout else ():
            steps.setdefault((subnet, render_item(host)), [False, False])[number] = True
    for (subnet, xml), (live, persistent) in steps.items():
        network.change(ItemChange(verb, HOSTS, subnet, xml, live=live, persistent=persistent))


def _to_add(layout: NetworkLayout, host: DhcpHost) -> _Items:
    kept = [one for _index, _ip, one in kept_hosts(layout)]
    if any((one.mac, one.ip) == (host.mac, host.ip) for one in kept):
        return ()
    if any(one.name == host.name for one in kept):
        # libvirt takes a name once in a network, so that another NIC of the instance goes without.
        host = replace(host, name=None)
    address = ipaddress.ip_address(host.ip)
    return [(index, host) for index, ip in enumerate(layout.ips or ()) if address in ip.interface.network]


def _to_delete(layout: NetworkLayout, fixed: FixedIp) -> _Items:
    return [(index, host) for index, _ip, host in kept_hosts(layout) if (host.mac, host.ip) == (fixed.mac, fixed.ip)]


def _read(network: Network) -> Copies:
    running = network.xml() if network.is_active else None
    defined = network.defined_xml() if network.is_persistent else None
    return Copies(*(None if text is None else read_layout(text) for text in (running, defined)))
