# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One rule of a security group: what it lets through. All bad input dies in ``read_rules``."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .port_filter import check_group_name

INGRESS, EGRESS = DIRECTIONS = ("ingress", "egress")
IPV4, IPV6 = ETHERTYPES = ("ipv4", "ipv6")
ANY = "any"
PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "sctp": 132,
    "udplite": 136,
}
"""What libvirt can tell apart, with the numbers that IANA gave them."""
WITH_PORTS = ("tcp", "udp", "sctp")
_ICMP = ("icmp", "icmpv6")
_FAMILIES = {"icmp": IPV4, "igmp": IPV4, "icmpv6": IPV6}
"""Protocols that one family alone has."""
_NAMES = {str(number): name for name, number in PROTOCOLS.items()}
_LAST_PORT, _LAST_BYTE = 65535, 255
_LONGEST_TEXT = 100
"""What fits into a comment of libvirt's beside what we write there."""


@dataclass(frozen=True)
class Rule:
    """What one rule lets through; None is no matter."""

    direction: str = INGRESS
    ethertype: str = IPV4
    protocol: str = ANY
    port_range_min: int | None = None
    port_range_max: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    remote_cidr: str | None = None
    """None for everybody, where there is no remote group either."""
    remote_group: str | None = None
    description: str = ""

    def in_words(self) -> str:
        """Return the rule as a user would tell it."""
        words = [self.direction, self.ethertype, self.protocol]
        if self.port_range_min is not None:
            is_one = self.port_range_min == self.port_range_max
            words.append(str(self.port_range_min) if is_one else f"{self.port_range_min}-{self.port_range_max}")
        words += [
            f"{what} {value}"
            for what, value in (("type", self.icmp_type), ("code", self.icmp_code))
            if value is not None
        ]
        remote = f"group {self.remote_group}" if self.remote_group else self.remote_cidr
        if remote:
            words.append(f"{'from' if self.direction == INGRESS else 'to'} {remote}")
        if self.description:
            words.append(f"({self.description})")
        return " ".join(words)


def read_rules(rules: t.Sequence[t.Mapping[str, t.Any]]) -> frozenset[Rule]:
    """Validate option ``rules``."""
    return frozenset(_rule(f"rules[{index}]", rule) for index, rule in enumerate(rules))


def check_text(option: str, text: str) -> str:
    """Return a description that libvirt and iptables can carry along."""
    if len(text.encode()) > _LONGEST_TEXT or not text.isprintable() or text != text.strip():
        raise SpecError(
            option,
            "it is too long, has control characters, or begins or ends with a space",
            f"use at most {_LONGEST_TEXT} bytes on one line",
        )
    return text


def family(address: str) -> str:
    """Return the family of an address."""
    return IPV6 if ":" in address else IPV4


def _rule(option: str, rule: t.Mapping[str, t.Any]) -> Rule:
    protocol = _protocol(f"{option}.protocol", rule["protocol"])
    cidr, group = rule["remote_cidr"], rule["remote_group"]
    if cidr is not None and group is not None:
        raise SpecError(option, "remote_cidr and remote_group are given together", "give one of them, or two rules")
    network = None if cidr is None else _network(f"{option}.remote_cidr", cidr)
    ethertype = _ethertype(option, rule["ethertype"], protocol, network)
    first, last = _ports(option, protocol, rule)
    icmp_type, icmp_code = _icmp(option, protocol, rule)
    return Rule(
        direction=rule["direction"],
        ethertype=ethertype,
        protocol=protocol,
        port_range_min=first,
        port_range_max=last,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        remote_cidr=None if network is None or network.prefixlen == 0 else str(network),
        remote_group=None if group is None else check_group_name(f"{option}.remote_group", group),
        description=check_text(f"{option}.description", rule["description"] or ""),
    )


def _protocol(option: str, value: str) -> str:
    name = _NAMES.get(value.strip(), value.strip().lower())
    if name != ANY and name not in PROTOCOLS:
        known = ", ".join(f"{known} ({number})" for known, number in PROTOCOLS.items())
        raise SpecError(option, f"{value!r} is no protocol that libvirt can filter", f"it is any or one of {known}")
    return name


def _network(option: str, value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(value)
    except ValueError as exc:
        raise SpecError(
            option, f"{value!r} is no network ({exc})", "write it as 192.0.2.0/24 or 2001:db8::/32, or an address"
        ) from exc


def _ethertype(
    option: str, declared: str | None, protocol: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
) -> str:
    of_network = f"ipv{network.version}" if network else None
    of_protocol = _FAMILIES.get(protocol)
    found = declared or of_network or of_protocol or IPV4
    if of_protocol not in (None, found):
        raise SpecError(
            f"{option}.protocol",
            f"{protocol} is of {of_protocol}, and the rule of {found}",
            f"take {'icmpv6' if found == IPV6 else 'icmp'}, or another ethertype",
        )
    if of_network not in (None, found):
        raise SpecError(
            f"{option}.remote_cidr",
            f"{network} is of {of_network}, and the rule of {found}",
            f"give a network of {found}, or leave ethertype out",
        )
    return found


def _ports(option: str, protocol: str, rule: t.Mapping[str, t.Any]) -> tuple[int | None, int | None]:
    given = {name: rule[name] for name in ("port_range_min", "port_range_max") if rule[name] is not None}
    if not given:
        return None, None
    for name, port in given.items():
        if protocol not in WITH_PORTS:
            raise SpecError(f"{option}.{name}", f"protocol {protocol} has no ports", f"take {' or '.join(WITH_PORTS)}")
        if not 0 <= port <= _LAST_PORT:
            raise SpecError(f"{option}.{name}", f"{port} is no port", f"it is 0 to {_LAST_PORT}")
    if "port_range_min" not in given:
        raise SpecError(
            f"{option}.port_range_max", "it is given without port_range_min", "give both, or the first alone"
        )
    first, last = given["port_range_min"], given.get("port_range_max", given["port_range_min"])
    if first > last:
        raise SpecError(
            f"{option}.port_range_max", f"{last} comes before {first}", "give the lower port as port_range_min"
        )
    return (None, None) if (first, last) == (0, _LAST_PORT) else (first, last)


def _icmp(option: str, protocol: str, rule: t.Mapping[str, t.Any]) -> tuple[int | None, int | None]:
    for name in ("icmp_type", "icmp_code"):
        value = rule[name]
        if value is not None and protocol not in _ICMP:
            raise SpecError(f"{option}.{name}", f"protocol {protocol} has none", "take icmp or icmpv6")
        if value is not None and not 0 <= value <= _LAST_BYTE:
            raise SpecError(f"{option}.{name}", f"{value} is none", f"it is 0 to {_LAST_BYTE}")
    if rule["icmp_code"] is not None and rule["icmp_type"] is None:
        raise SpecError(f"{option}.icmp_code", "it is given without icmp_type", "give the type that it is a code of")
    return rule["icmp_type"], rule["icmp_code"]
