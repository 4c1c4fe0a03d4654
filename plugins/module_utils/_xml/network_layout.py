# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Virtual networks' definitions, out of libvirt's XML and into it."""

from __future__ import annotations

import typing as t

from .._spec.network_address import NetworkIp, Route, written_address, written_interface
from .._spec.network_dns import Dns, DnsForwarder
from .._spec.network_layout import MACVTAP_MODES, NatPorts, NetworkLayout
from .document import Element, add, as_bool, as_int, attribute, drop, ensure, new, parse, put, set_attributes, to_text
from .network_items import (
    Item,
    add_item,
    put_portgroup,
    put_vlan,
    read_dhcp_host,
    read_dns_host,
    read_portgroup,
    read_range,
    read_srv,
    read_txt,
    read_vlan,
)

_LAST_PORT = 65535
_USUAL_PORTS = NatPorts(1024, _LAST_PORT)
"""What libvirt takes where nothing is said."""
_FAMILY_PREFIX = {"ipv6": 64}
_CLASSES = ((128, 8), (192, 16), (256, 24))
"""Up to which first number of an IPv4 address which prefix is meant where none is said."""


def read_layout(text: str) -> NetworkLayout:
    """Return everything of a network; of a mode that can't be declared, libvirt's own word is the mode."""
    root = parse(text)
    mode, macvtap_mode = _read_mode(root)
    return NetworkLayout(
        mode=mode,
        macvtap_mode=macvtap_mode,
        bridge=attribute(root, "bridge", "name") or "",
        openvswitch=attribute(root, "virtualport", "type") == "openvswitch",
        devices=_read_devices(root),
        nat_ports=_read_nat_ports(root) if mode == "nat" else None,
        nat_ipv6=mode == "nat" and bool(as_bool(attribute(root, "forward/nat", "ipv6"))),
        domain=attribute(root, "domain", "name") or "",
        domain_local_only=bool(as_bool(attribute(root, "domain", "localOnly"))),
        mtu=as_int(attribute(root, "mtu", "size")) or 0,
        port_isolation=bool(as_bool(attribute(root, "port", "isolated"))),
        vlan=read_vlan(root),
        portgroups=tuple(read_portgroup(group) for group in root.iterfind("portgroup")),
        ips=tuple(_read_ip(ip) for ip in _ips(root)),
        routes=tuple(_read_route(route) for route in root.iterfind("route")),
        dns=_read_dns(root),
    )


def render_layout(name: str, layout: NetworkLayout) -> str:
    """Return the XML that defines a new network."""
    root = new("network")
    add(root, "name", name)
    _put(root, layout)
    return to_text(root, pretty=True)


def edit_layout(text: str, layout: NetworkLayout) -> str:
    """Return the XML of a network that is there with all of ``layout``; what is not known here stays."""
    root = parse(text)
    # Who is plugged in is no part of the definition.
    root.attrib.pop("connections", None)
    _put(root, layout)
    return to_text(root)


def _put(root: Element, layout: NetworkLayout) -> None:
    _put_forward(root, layout)
    if layout.bridge:
        put(root, "bridge", name=layout.bridge)
    if bool(layout.openvswitch) != (attribute(root, "virtualport", "type") == "openvswitch"):
        drop(root, "virtualport")
        if layout.openvswitch:
            add(root, "virtualport", type="openvswitch")
    _put_or_drop(root, "mtu", size=layout.mtu or None)
    _put_or_drop(root, "domain", name=layout.domain or None, localOnly=layout.domain_local_only or None)
    if bool(layout.port_isolation) != bool(as_bool(attribute(root, "port", "isolated"))):
        put(root, "port", isolated=bool(layout.port_isolation))
    if layout.vlan is not None:
        put_vlan(root, layout.vlan)
    _put_dns(root, layout.dns or Dns())
    _put_ips(root, layout.ips or ())
    _put_routes(root, layout.routes or ())
    wanted = {group.name: group for group in layout.portgroups or ()}
    for element in root.findall("portgroup"):
        group = wanted.pop(element.get("name") or "", None)
        if group is None:
            root.remove(element)
        else:
            put_portgroup(element, group)
    for group in wanted.values():
        add_item(root, group)


def _put_or_drop(root: Element, tag: str, **attributes: t.Any) -> None:
    drop_all = all(value is None for value in attributes.values())
    if drop_all:
        drop(root, tag)
        return
    element = ensure(root, tag)
    for name, value in attributes.items():
        if value is None:
            element.attrib.pop(name, None)
        else:
            set_attributes(element, **{name: value})


def _read_mode(root: Element) -> tuple[str, str]:
    forward = root.find("forward")
    if forward is None:
        return "isolated", ""
    mode = forward.get("mode", "nat")
    if mode in MACVTAP_MODES and root.find("bridge") is None:
        return "macvtap", mode
    return mode, ""


def _read_devices(root: Element) -> tuple[str, ...]:
    found = tuple(device.get("dev") or "" for device in root.iterfind("forward/interface"))
    single = attribute(root, "forward", "dev")
    return found or ((single,) if single else ())


def _read_nat_ports(root: Element) -> NatPorts:
    ports = root.find("forward/nat/port")
    if ports is None:
        return _USUAL_PORTS
    return NatPorts(as_int(ports.get("start")) or _USUAL_PORTS.start, as_int(ports.get("end")) or _LAST_PORT)


def _put_forward(root: Element, layout: NetworkLayout) -> None:
    if layout.mode == "isolated":
        drop(root, "forward")
        return
    forward = ensure(root, "forward")
    set_attributes(forward, mode=layout.macvtap_mode or "bridge" if layout.mode == "macvtap" else layout.mode)
    if layout.mode != "nat":
        drop(forward, "nat")
    elif layout.nat_ports not in (None, _read_nat_ports(root)) or layout.nat_ipv6 is not None:
        _put_nat(root, forward, layout)
    if (layout.devices or ()) != _read_devices(root):
        # The attribute is the first of the elements.
        forward.attrib.pop("dev", None)
        drop(forward, "interface")
        for device in layout.devices or ():
            add_item(forward, device)


def _put_nat(root: Element, forward: Element, layout: NetworkLayout) -> None:
    found = _read_nat_ports(root)
    nat = ensure(forward, "nat")
    nat.attrib.pop("ipv6", None)
    if layout.nat_ipv6:
        set_attributes(nat, ipv6=True)
    if layout.nat_ports not in (None, found):
        drop(nat, "port")
        add(nat, "port", **vars(layout.nat_ports))
    if len(nat) == 0 and not nat.attrib:
        forward.remove(nat)


def _ips(root: Element) -> list[Element]:
    return [ip for ip in root.iterfind("ip") if ip.get("address")]


def _read_ip(ip: Element) -> NetworkIp:
    return NetworkIp(
        _read_interface(ip),
        tuple(read_range(one) for one in ip.iterfind("dhcp/range")),
        tuple(read_dhcp_host(host) for host in ip.iterfind("dhcp/host") if host.get("ip")),
    )


def _read_interface(element: Element) -> str:
    address = element.get("address")
    given = element.get("prefix") or element.get("netmask")
    return written_interface(address, given or _usual_prefix(address))


def _usual_prefix(address: str) -> int:
    if ":" in address:
        return _FAMILY_PREFIX["ipv6"]
    first = int(address.partition(".")[0])
    return next(prefix for end, prefix in _CLASSES if first < end)


def _put_interface(element: Element, written: str) -> None:
    address, _slash, prefix = written.partition("/")
    set_attributes(element, family="ipv6" if ":" in address else None, address=address, prefix=prefix)


def _put_ips(root: Element, ips: tuple[NetworkIp, ...]) -> None:
    present = {_read_interface(ip): ip for ip in _ips(root)}
    for address, element in present.items():
        if address not in {ip.address for ip in ips}:
            root.remove(element)
    for ip in ips:
        element = present.get(ip.address)
        if element is None:
            element = add(root, "ip")
            _put_interface(element, ip.address)
        dhcp = ensure(element, "dhcp")
        _put_items(dhcp, "range", read_range, ip.dhcp_ranges or ())
        _put_items(dhcp, "host", read_dhcp_host, ip.dhcp_hosts or ())
        if len(dhcp) == 0:
            element.remove(dhcp)


def _put_items(parent: Element, tag: str, read: t.Callable[[Element], t.Any], wanted: t.Iterable[Item]) -> None:
    """Have exactly the items that are wanted, and those that are there already as they are."""
    left = list(wanted)
    for element in parent.findall(tag):
        found = read(element) if tag != "host" or element.get("ip") else None
        if found in left:
            left.remove(found)
        elif found is not None:
            parent.remove(element)
    for item in left:
        add_item(parent, item)


def _read_route(route: Element) -> Route:
    return Route(_read_interface(route), written_address(route.get("gateway")), as_int(route.get("metric")))


def _put_routes(root: Element, routes: tuple[Route, ...]) -> None:
    if {_read_route(route) for route in root.iterfind("route")} == set(routes):
        return
    drop(root, "route")
    for route in routes:
        element = add(root, "route")
        _put_interface(element, route.address)
        set_attributes(element, gateway=route.gateway, metric=route.metric)


def _read_dns(root: Element) -> Dns:
    dns = root.find("dns")
    if dns is None:
        return Dns(True, (), (), (), ())
    return Dns(
        enabled=as_bool(dns.get("enable")) is not False,
        forwarders=tuple(_read_forwarder(one) for one in dns.iterfind("forwarder")),
        hosts=tuple(read_dns_host(host) for host in dns.iterfind("host")),
        txt=tuple(read_txt(txt) for txt in dns.iterfind("txt")),
        srv=tuple(read_srv(srv) for srv in dns.iterfind("srv")),
    )


def _read_forwarder(element: Element) -> DnsForwarder:
    address = element.get("addr")
    return DnsForwarder(address and written_address(address), element.get("domain"))


def _put_dns(root: Element, dns: Dns) -> None:
    element = ensure(root, "dns")
    if dns.enabled is False:
        set_attributes(element, enable=False)
    else:
        element.attrib.pop("enable", None)
    if tuple(_read_forwarder(one) for one in element.iterfind("forwarder")) != (dns.forwarders or ()):
        drop(element, "forwarder")
        for forwarder in dns.forwarders or ():
            add(element, "forwarder", addr=forwarder.address, domain=forwarder.domain)
    _put_items(element, "host", read_dns_host, dns.hosts or ())
    _put_items(element, "txt", read_txt, dns.txt or ())
    _put_items(element, "srv", read_srv, dns.srv or ())
    if len(element) == 0 and not element.attrib:
        root.remove(element)


def read_interface_addresses(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of one of the host's interfaces and its addresses, each with its prefix."""
    root = parse(text)
    found = (ip for ip in root.iterfind("protocol/ip") if ip.get("address"))
    return root.get("name") or "", tuple(_read_interface(ip) for ip in found)
