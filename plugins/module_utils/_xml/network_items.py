# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What libvirt can change of a virtual network while it runs, item by item: read, and written alone or in its network."""

from __future__ import annotations

import typing as t

from .._spec.network_address import DhcpHost, DhcpRange, written_address
from .._spec.network_dns import DnsHost, DnsSrv, DnsTxt
from .._spec.network_layout import Portgroup, Vlan
from .._spec.tuning import Rate
from .document import Element, add, as_bool, as_int, drop, ensure, new, set_attributes, to_text

Item = t.Union[DhcpRange, DhcpHost, DnsHost, DnsTxt, DnsSrv, Portgroup, str]
"""A string is a forwarding device's name."""
_RATE = ("average", "peak", "burst")


def render_item(item: Item) -> str:
    """Return the element that describes an item to libvirt."""
    holder = new("holder")
    add_item(holder, item)
    return to_text(holder[0])


def add_item(parent: Element, item: Item) -> None:
    """Append an item to what holds such."""
    if isinstance(item, str):
        add(parent, "interface", dev=item)
    elif isinstance(item, DhcpRange):
        add(parent, "range", start=item.start, end=item.end)
    elif isinstance(item, DhcpHost):
        add(parent, "host", mac=item.mac, id=item.id, name=item.name, ip=item.ip)
    elif isinstance(item, DnsHost):
        host = add(parent, "host", ip=item.ip)
        for name in item.hostnames:
            add(host, "hostname", name)
    elif isinstance(item, DnsTxt):
        add(parent, "txt", name=item.name, value=item.value)
    elif isinstance(item, DnsSrv):
        add(parent, "srv", **vars(item))
    else:
        put_portgroup(add(parent, "portgroup"), item)


def read_range(element: Element) -> DhcpRange:
    """Return what a ``<range>`` gives out."""
    return DhcpRange(written_address(element.get("start")), written_address(element.get("end")))


def read_dhcp_host(element: Element) -> DhcpHost:
    """Return what a ``<host>`` of ``<dhcp>`` keeps."""
    mac, duid = element.get("mac"), element.get("id")
    return DhcpHost(
        written_address(element.get("ip")), mac and mac.lower(), duid and duid.lower(), element.get("name") or None
    )


def read_dns_host(element: Element) -> DnsHost:
    """Return the names that a ``<host>`` of ``<dns>`` has."""
    names = (name.text or "" for name in element.iterfind("hostname"))
    return DnsHost(written_address(element.get("ip")), tuple(names))


def read_txt(element: Element) -> DnsTxt:
    """Return what a ``<txt>`` says."""
    return DnsTxt(element.get("name") or "", element.get("value") or "")


def read_srv(element: Element) -> DnsSrv:
    """Return what a ``<srv>`` says."""
    numbers = (as_int(element.get(name)) for name in ("port", "priority", "weight"))
    names = (element.get("domain"), element.get("target"))
    return DnsSrv(element.get("service") or "", element.get("protocol") or "", *names, *numbers)


def read_portgroup(element: Element) -> Portgroup:
    """Return what NICs of a ``<portgroup>`` get."""
    return Portgroup(
        name=element.get("name") or "",
        default=bool(as_bool(element.get("default"))),
        vlan=read_vlan(element),
        inbound=_read_rate(element, "inbound"),
        outbound=_read_rate(element, "outbound"),
    )


def put_portgroup(element: Element, group: Portgroup) -> None:
    """Write a port group; what is not known here stays."""
    set_attributes(element, name=group.name)
    if group.default:
        set_attributes(element, default=True)
    else:
        element.attrib.pop("default", None)
    put_vlan(element, group.vlan)
    for direction in ("inbound", "outbound"):
        _put_rate(element, direction, getattr(group, direction))


def read_vlan(parent: Element) -> Vlan:
    """Return the tags in the child ``<vlan>``; none where there is no such."""
    vlan = parent.find("vlan")
    if vlan is None:
        return Vlan()
    tags = vlan.findall("tag")
    native = (as_int(tag.get("id")) for tag in tags if tag.get("nativeMode"))
    return Vlan(tuple(as_int(tag.get("id")) or 0 for tag in tags), bool(as_bool(vlan.get("trunk"))), next(native, None))


def put_vlan(parent: Element, vlan: Vlan) -> None:
    """Write the tags, or take the child away where there are none."""
    if vlan == read_vlan(parent):
        return
    drop(parent, "vlan")
    if vlan.tags:
        element = add(parent, "vlan", trunk=vlan.trunk or None)
        for tag in vlan.tags:
            add(element, "tag", id=tag, nativeMode="untagged" if tag == vlan.native else None)


def _read_rate(parent: Element, direction: str) -> Rate:
    found = parent.find(f"bandwidth/{direction}")
    return Rate() if found is None else Rate(*(as_int(found.get(name)) for name in _RATE))


def _put_rate(parent: Element, direction: str, rate: Rate) -> None:
    if rate == _read_rate(parent, direction):
        return
    bandwidth = ensure(parent, "bandwidth")
    drop(bandwidth, direction)
    if rate.average:
        add(bandwidth, direction, **{name: getattr(rate, name) for name in _RATE})
    if len(bandwidth) == 0:
        parent.remove(bandwidth)
