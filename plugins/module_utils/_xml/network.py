# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Virtual networks, out of libvirt's XML."""

from __future__ import annotations

from dataclasses import dataclass

from .document import Element, attribute, parse, text_of


@dataclass(frozen=True)
class NetworkDescription:
    """``<network>``: one without a forward mode is isolated."""

    name: str
    forward_mode: str | None = None
    bridge: str | None = None
    virtualport: str | None = None
    """Type of the virtual port, such as openvswitch, where the bridge is no Linux bridge."""
    addresses: tuple[str, ...] = ()
    """The host's own."""
    subnets: tuple[str, ...] = ()
    """Those that it gives addresses of, each as address/prefix."""
    reservations: tuple[tuple[str, str], ...] = ()
    """(address, MAC address) that DHCP keeps for one; the second may be empty, where a name is what counts."""


def read_network(text: str) -> NetworkDescription:
    """Return what libvirt's XML ``text`` says of a network."""
    root = parse(text)
    forward = root.find("forward")
    return NetworkDescription(
        name=text_of(root, "name") or "",
        # Libvirt's default where the element has no mode.
        forward_mode=None if forward is None else forward.get("mode", "nat"),
        bridge=attribute(root, "bridge", "name"),
        virtualport=attribute(root, "virtualport", "type"),
        addresses=tuple(ip.get("address") for ip in root.iterfind("ip") if ip.get("address")),
        subnets=tuple(filter(None, map(_subnet, root.iterfind("ip")))),
        reservations=tuple(
            (host.get("ip"), (host.get("mac") or "").lower())
            for host in root.iterfind("ip/dhcp/host")
            if host.get("ip")
        ),
    )


def _subnet(ip: Element) -> str | None:
    """Return the subnet of one ``<ip>``; where it tells none, libvirt has no smaller one than this."""
    address = ip.get("address")
    return f"{address}/{ip.get('prefix') or ip.get('netmask') or (64 if ':' in address else 24)}" if address else None
