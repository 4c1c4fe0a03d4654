# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""NICs of running guests in a virtual network: how they are plugged in, and what plugs them in anew."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass

from .._spec.machine import OPEN_VSWITCH
from .document import Element, attribute, drop, ensure, parse, set_attributes, text_of, to_text
from .domain_nic import mac_of

_OF_THE_PORT = ("bandwidth", "port", "virtualport", "vlan")
"""What a running guest's XML tells as it came out of the NIC, its port group and its network together."""
_TOLD_OF_SOURCE = ("portid", "bridge", "dev", "mode")
"""What a running guest's XML tells of its network, and what is declared of none."""
_VIRTUALPORT = "virtualport"
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


def by_its_network(nic: str) -> str:
    """Return the NIC of a running guest as it is declared where it is in a network, and not as what its network made of it.

    Libvirt takes it at its word: what is on a bridge of the host's own would leave its network for that bridge.
    """
    told = parse(nic)
    source = told.find("source")
    if source is not None and source.get("network"):
        set_attributes(told, type="network")
        for name in _TOLD_OF_SOURCE:
            source.attrib.pop(name, None)
    return to_text(told)


def plugged_over(nic: str, own: str) -> str:
    """Return the NIC as it goes into another network or port group: with what is its ``own``, without what it had by the other."""
    changed = parse(nic)
    theirs = [tag for tag in _OF_THE_PORT if tag != _VIRTUALPORT or not is_switched(nic)]
    drop(changed, *theirs)
    changed.extend(copy.deepcopy(part) for part in parse(own) if part.tag in theirs)
    return to_text(changed)


def with_what_its_group_gives(nic: str, network: str) -> str:
    """Return the NIC with the VLANs and the limits of its port group, and the VLANs of its network, unless it has its own.

    What libvirt is told here of a port of Open vSwitch it brings about, and does not look at the group again: else the guest
    would be in all VLANs.
    """
    told, layout = parse(nic), parse(network)
    name = attribute(told, "source", "portgroup")
    which, wanted = ("name", name) if name else ("default", "yes")
    groups = [group for group in layout.iterfind("portgroup") if group.get(which) == wanted]
    for tag, givers in (("vlan", (*groups, layout)), ("bandwidth", groups)):
        given = next((found for one in (told, *givers) if (found := one.find(tag)) is not None and len(found)), None)
        if given is not None and given.getparent() is not told:
            drop(told, tag)
            told.append(copy.deepcopy(given))
    return to_text(told)


def is_alike(nic: str, other: str) -> bool:
    """Tell whether two NICs have the same VLANs and the same limits."""

    def said(element: Element | None) -> t.Any:
        return element is not None and (element.tag, sorted(element.items()), [said(part) for part in element])

    one, two = parse(nic), parse(other)
    return all(said(one.find(tag)) == said(two.find(tag)) for tag in ("vlan", "bandwidth"))


def has_limits(nic: str) -> bool:
    """Tell whether the host throttles a NIC."""
    bandwidth = parse(nic).find("bandwidth")
    return bandwidth is not None and len(bandwidth) > 0


def is_switched(nic: str) -> bool:
    """Tell whether a NIC is on Open vSwitch."""
    return attribute(parse(nic), _VIRTUALPORT, "type") == OPEN_VSWITCH


def network_of(nic: str) -> str:
    """Return the name of the network that a NIC is in; empty where it is in none."""
    return attribute(parse(nic), "source", "network") or ""


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
