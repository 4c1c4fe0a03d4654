# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""NICs of running guests in a virtual network: how they are plugged in, and what plugs them in anew."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from .document import Element, attribute, drop, ensure, parse, set_attributes, text_of, to_text
from .domain_nic import mac_of

_OF_THE_PORT = ("bandwidth", "port", "virtualport", "vlan")
"""What a running guest's XML tells as it came out of the NIC, its port group and its network together."""
_FILTER = "filterref"


@dataclass(frozen=True)
class NicPlug:
    """One NIC of a running guest, and what it is plugged into."""

    mac: str
    network: str | None
    bridge: str | None
    port: str | None
    """By which of the network's ports it says it is plugged in."""


def read_plugs(text: str) -> list[NicPlug]:
    """Return how the NICs of a domain are plugged in."""
    return [
        NicPlug(mac_of(nic), *(attribute(nic, "source", name) for name in ("network", "bridge", "portid")))
        for nic in parse(text).iterfind("devices/interface")
    ]


def on_bare_bridge(running: str, mac: str, bridge: str) -> str:
    """Return the NIC as it waits with its cable pulled on a bridge, and without filters, which know it by its network."""
    nic = copy.deepcopy(_nic(running, mac))
    drop(nic, "source", _FILTER, *_OF_THE_PORT)
    set_attributes(nic, type="bridge")
    set_attributes(ensure(nic, "source"), bridge=bridge)
    set_attributes(ensure(nic, "link"), state="down")
    return to_text(nic)


def in_network(running: str, defined: str, mac: str, network: str) -> str:
    """Return the NIC as it goes into its network: as it was there before, with what is its own and not the network's.

    One that a run before left on the bare bridge is as its definition has it.
    """
    nic = copy.deepcopy(_nic(running, mac))
    own = _defined_nic(defined, mac, network)
    was_waiting = attribute(nic, "source", "network") is None
    portgroup = attribute(nic if own is None else own, "source", "portgroup")
    drop(nic, "source")
    set_attributes(nic, type="network")
    set_attributes(ensure(nic, "source"), network=network, portgroup=portgroup)
    if own is not None:
        theirs = (*_OF_THE_PORT, _FILTER) if was_waiting else _OF_THE_PORT
        drop(nic, *theirs)
        nic.extend(copy.deepcopy(part) for part in own if part.tag in theirs)
    if was_waiting:
        state = None if own is None else attribute(own, "link", "state")
        set_attributes(ensure(nic, "link"), state=state or "up")
    return to_text(nic)


def defined_macs(defined: str, network: str) -> frozenset[str]:
    """Return the MAC addresses of the NICs that a definition has in a network."""
    return frozenset(plug.mac for plug in read_plugs(defined) if plug.network == network)


def _nic(text: str, mac: str) -> Element:
    return next(nic for nic in parse(text).iterfind("devices/interface") if mac_of(nic) == mac)


def _defined_nic(text: str, mac: str, network: str) -> Element | None:
    found = (nic for nic in parse(text).iterfind("devices/interface") if mac_of(nic) == mac)
    return next((nic for nic in found if attribute(nic, "source", "network") == network), None)


def read_owner(text: str) -> str:
    """Return the name of the domain whose NIC is plugged into a network's port."""
    return text_of(parse(text), "owner/name") or ""
