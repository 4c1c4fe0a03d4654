# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The network filters that a NIC's own is made of, besides those of its security groups.

A NIC refers to one filter, which refers to all that guard it: an address is then learned once for all of them, and another
group for a running guest is another reference.
"""

from __future__ import annotations

from .._spec.port_filter import PortFilter
from .nwfilter import Content, Entry, entry
from .security_group import filter_name

BASE, UNTAGGED = "kilonova-base", "kilonova-untagged"
_FIRST, _LAST = -500, 1000
_VLANS = ("vlan", "0x88a8")
_ECHO_REPLY, _ECHO_REPLY_6 = 0, 129
_ASKED_BY_GUEST = (131, 132, 133, 143)
"""ICMPv6 of a host to its routers: it listens to a group, no longer does, looks for a router, and MLDv2's report."""
_TOLD_BY_ROUTER = (130, 134)
"""And theirs to it: who listens, and here I am."""
_NEIGHBOURS = (135, 136)
_ROUTER_ADVERTISEMENT = 134


def port_filters(port: PortFilter) -> dict[str, Content]:
    """Return the filters that ``port`` needs by name, each after those it refers to; its groups are there already."""
    if not port.name:
        return {}
    parts = {
        UNTAGGED: _untagged(),
        **(_clean() if port.port_security else {}),
        **({BASE: _base()} if port.groups else {}),
    }
    references = (*parts, *(filter_name(group) for group in port.groups))
    return {**parts, port.name: Content(references=frozenset(references))}


def _untagged() -> Content:
    """Return what keeps frames away that have a VLAN's tag, with which they would go past all that looks for IP."""
    return Content(frozenset(entry("drop", "inout", -_LAST, "mac", protocolid=kind) for kind in _VLANS))


def _base() -> Content:
    """Return what holds for every NIC with security groups: what no guest does without, and that all else is dropped."""
    found: list[Entry] = [
        entry("accept", "out", _FIRST, "udp", stateless=True, srcportstart=68, dstportstart=67),
        entry("accept", "out", _FIRST, "udp-ipv6", stateless=True, srcportstart=546, dstportstart=547),
    ]
    for tag in ("all", "all-ipv6"):
        found.append(entry("accept", "inout", _FIRST, tag, state="RELATED"))
        found.append(entry("drop", "inout", _LAST, tag))
    for direction in ("in", "out"):
        # A rule for requests alone makes none for their replies.
        found.append(entry("accept", direction, _FIRST, "icmp", type=_ECHO_REPLY, state="ESTABLISHED"))
        found.append(entry("accept", direction, _FIRST, "icmpv6", type=_ECHO_REPLY_6, state="ESTABLISHED"))
        kinds = (*_NEIGHBOURS, *(_TOLD_BY_ROUTER if direction == "in" else _ASKED_BY_GUEST))
        found += [entry("accept", direction, _FIRST, "icmpv6", stateless=True, type=kind) for kind in kinds]
    return Content(frozenset(found))


def _clean() -> dict[str, Content]:
    """Return what keeps a guest from posing as another, or as a router or a DHCP server; it is all about what it sends."""
    mac = [
        entry("return", "out", 100, "mac", srcmacaddr="$MAC"),
        entry("drop", "out", _LAST, "mac"),
    ]
    arp = [
        entry("drop", "out", 100, "arp", match="no", arpsrcmacaddr="$MAC"),
        entry("return", "out", 200, "arp", arpsrcipaddr="0.0.0.0"),
        entry("return", "out", 400, "arp", arpsrcipaddr="$IP"),
        entry("drop", "out", _LAST),
    ]
    ipv4 = [
        entry("drop", "out", 50, "ip", protocol="udp", srcportstart=67, dstportstart=68),
        entry("return", "out", 100, "ip", protocol="udp", srcipaddr="0.0.0.0", srcportstart=68, dstportstart=67),
        entry("return", "out", 500, "ip", srcipaddr="$IP"),
        entry("drop", "out", _LAST),
    ]
    ipv6 = [
        entry("drop", "out", 50, "ipv6", protocol="icmpv6", type=_ROUTER_ADVERTISEMENT),
        entry("drop", "out", 51, "ipv6", protocol="udp", srcportstart=547, dstportstart=546),
    ]
    return {
        "kilonova-clean-mac": Content(frozenset(mac), chain="mac", priority=-800),
        "kilonova-clean-arp": Content(frozenset(arp), chain="arp", priority=-510),
        "kilonova-clean-ipv4": Content(frozenset(ipv4), chain="ipv4-ip", priority=-710),
        "kilonova-clean-ipv6": Content(frozenset(ipv6), chain="ipv6-ra", priority=-610),
    }
