# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Compare two virtual networks: what differs as a whole, and what item by item. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, fields, replace

from .._spec.network_address import DhcpHost, NetworkIp
from .._spec.network_dns import Dns, DnsHost, DnsTxt
from .._spec.network_layout import NatPorts, NetworkLayout, Vlan

RANGES, HOSTS = "dhcp_ranges", "dhcp_hosts"
DEVICES, PORTGROUPS = "devices", "portgroups"
DNS_HOSTS, DNS_TXT, DNS_SRV = "dns.hosts", "dns.txt", "dns.srv"
NOTHING = NetworkLayout(
    macvtap_mode="",
    bridge="",
    openvswitch=False,
    devices=(),
    nat_ipv6=False,
    domain="",
    domain_local_only=False,
    mtu=0,
    port_isolation=False,
    vlan=Vlan(),
    portgroups=(),
    ips=(),
    routes=(),
    dns=Dns(True, (), (), (), ()),
)
"""A network that is not there."""
_USUAL_PORTS = NatPorts(1024, 65535)
_NOT_KEPT = {
    "nat": (),
    "route": ("nat_ports", "nat_ipv6"),
    "open": ("nat_ports", "nat_ipv6", "devices"),
    "isolated": ("nat_ports", "nat_ipv6", "devices"),
}
"""What does not outlive a change to that mode."""


class Place(t.NamedTuple):
    """Which list of a network an item is in, and what tells it from the others there."""

    section: str
    address: str
    """The subnet's, of what DHCP gives out; else empty."""
    key: str

    @property
    def path(self) -> str:
        """Return how a change of it is named."""
        owner = f"ips[{self.address}]." if self.address else ""
        return f"network.{owner}{self.section}[{self.key}]"


@dataclass(frozen=True)
class Drift:
    """What it takes to make one network out of another.

    Of settings the option, and both values. Of items the place, and both items, where None is not there.
    """

    settings: dict[str, tuple[t.Any, t.Any]]
    items: dict[Place, tuple[t.Any, t.Any]]


def merge(declared: NetworkLayout, found: NetworkLayout | None, kept: t.Collection[str] = ()) -> NetworkLayout:
    """Return what is wanted: all that is declared, and what was ``found`` of the rest.

    A declared list is the whole list, but for the reservations of the MAC addresses that are ``kept``: somebody else's.
    """
    base = found or NOTHING
    mode = declared.mode or base.mode
    empty = {name: getattr(NOTHING, name) for name in _NOT_KEPT.get(mode or "", ())} if mode != base.mode else {}
    own = {name: getattr(declared, name) for name in declared.declared()}
    wanted = replace(base, **{**empty, **own})
    if declared.ips is not None:
        wanted = replace(wanted, ips=_merge_ips(declared.ips, base.ips or (), kept))
    if declared.dns is not None and base.dns is not None:
        dns = {name: value for name, value in vars(declared.dns).items() if value is not None}
        wanted = replace(wanted, dns=replace(base.dns, **dns))
    if mode == "nat" and wanted.nat_ports is None:
        wanted = replace(wanted, nat_ports=_USUAL_PORTS)
    if mode == "macvtap" and not wanted.macvtap_mode:
        wanted = replace(wanted, macvtap_mode="bridge")
    return replace(wanted, domain_local_only=False) if not wanted.domain and not declared.domain_local_only else wanted


def compare(found: NetworkLayout, wanted: NetworkLayout) -> Drift:
    """Return what makes ``wanted`` out of ``found``; the order of a list's items does not count."""
    blurred = _blurred(found) | _blurred(wanted)
    before, after = _settings(found, blurred), _settings(wanted, blurred)
    old, new = _items(found, blurred), _items(wanted, blurred)
    return Drift(
        settings={name: (before[name], after[name]) for name in before if before[name] != after[name]},
        items={place: (old.get(place), new.get(place)) for place in {**old, **new} if old.get(place) != new.get(place)},
    )


def kept_hosts(layout: NetworkLayout | None) -> t.Iterator[tuple[int, NetworkIp, DhcpHost]]:
    """Give all that a network's DHCP server keeps, each with its subnet and that one's number."""
    for index, ip in enumerate((layout.ips or ()) if layout else ()):
        for host in ip.dhcp_hosts or ():
            yield index, ip, host


def _merge_ips(
    declared: tuple[NetworkIp, ...], found: tuple[NetworkIp, ...], kept: t.Collection[str]
) -> tuple[NetworkIp, ...]:
    present = {ip.address: ip for ip in found}
    whole = (
        _merge_ip(ip, present.get(ip.address) or NetworkIp(ip.address, (), ()), kept)
        for ip in sorted(
            declared, key=lambda ip: list(present).index(ip.address) if ip.address in present else len(present)
        )
    )
    return tuple(whole)


def _merge_ip(declared: NetworkIp, found: NetworkIp, kept: t.Collection[str]) -> NetworkIp:
    ranges, hosts = declared.dhcp_ranges, declared.dhcp_hosts
    if hosts is not None:
        taken = {value for host in hosts for value in (host.ip, host.mac, host.name)}
        hosts += tuple(
            host
            for host in found.dhcp_hosts or ()
            if host.mac in kept and not taken & {host.ip, host.mac, host.name or host.ip}
        )
    return NetworkIp(
        found.address, found.dhcp_ranges if ranges is None else ranges, found.dhcp_hosts if hosts is None else hosts
    )


def _settings(layout: NetworkLayout, blurred: frozenset[str]) -> dict[str, t.Any]:
    """Return what is compared as a whole, by option."""
    dns = layout.dns or Dns()
    return {
        **{field.name: getattr(layout, field.name) for field in fields(layout) if field.name not in _IN_PARTS},
        "ips": frozenset(ip.address for ip in layout.ips or ()),
        "routes": frozenset(layout.routes or ()),
        "dns.enabled": dns.enabled,
        "dns.forwarders": dns.forwarders,
        **{section: frozenset(_records(dns, section)) for section in sorted(blurred)},
    }


_IN_PARTS = ("ips", "routes", "dns", DEVICES, PORTGROUPS)


def _items(layout: NetworkLayout, blurred: frozenset[str]) -> dict[Place, t.Any]:
    """Return what is compared one by one."""
    found: dict[Place, t.Any] = {}
    for ip in layout.ips or ():
        found.update((Place(RANGES, ip.address, str(one)), one) for one in ip.dhcp_ranges or ())
        found.update((Place(HOSTS, ip.address, _host_key(host)), host) for host in ip.dhcp_hosts or ())
    found.update((Place(DEVICES, "", device), device) for device in layout.devices or ())
    found.update((Place(PORTGROUPS, "", group.name), group) for group in layout.portgroups or ())
    for section, key in ((DNS_HOSTS, _ip_of), (DNS_TXT, _name_of), (DNS_SRV, _service_of)):
        if section not in blurred:
            records = _records(layout.dns or Dns(), section)
            found.update((Place(section, "", key(record)), record) for record in records)
    return found


def _records(dns: Dns, section: str) -> tuple[t.Any, ...]:
    return getattr(dns, section.partition(".")[2]) or ()


def _blurred(layout: NetworkLayout) -> frozenset[str]:
    """Return the lists in which libvirt could not tell two items apart: by one name or address of a DNS record."""
    dns = layout.dns or Dns()
    words = {
        DNS_HOSTS: [word for host in dns.hosts or () for word in (host.ip, *host.hostnames)],
        DNS_TXT: [txt.name for txt in dns.txt or ()],
        DNS_SRV: [_service_of(srv) for srv in dns.srv or ()],
    }
    return frozenset(section for section, found in words.items() if max(Counter(found).values(), default=0) > 1)


def _host_key(host: DhcpHost) -> str:
    return host.mac or host.id or host.name or host.ip


def _ip_of(host: DnsHost) -> str:
    return host.ip


def _name_of(txt: DnsTxt) -> str:
    return txt.name


def _service_of(srv: t.Any) -> str:
    return f"{srv.key} {srv.target or ''}".strip()
