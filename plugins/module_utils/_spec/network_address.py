# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Addresses of a virtual network: the host's own, what its DHCP server gives out, and static routes.

Everything is kept as libvirt writes it back, so that what is declared and what is found compare as they are.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Interface = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]
Subnet = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_DUID = re.compile(r"0{1,2}:0?[1-4](:[0-9a-f]{1,2}){6,128}")
_HOST_NAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*"
)
_DHCP6_PREFIX = 64
_IPV4, _IPV6 = 4, 6
_LEAST_ADDRESSES = 4
_MOST_METRIC = 2**32 - 1


@dataclass(frozen=True)
class DhcpRange:
    """Addresses that the DHCP server gives out to whoever asks, the last included."""

    start: str
    end: str

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.start} to {self.end}"


@dataclass(frozen=True)
class DhcpHost:
    """An address that the DHCP server keeps for one: known by MAC address, by DUID (``id``) or by name."""

    ip: str
    mac: str | None = None
    id: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        """Return it as it is shown."""
        return " ".join(filter(None, (self.ip, self.mac, self.id, self.name)))


@dataclass(frozen=True)
class NetworkIp:
    """One subnet, by the host's own address with its prefix; what is None is not declared, and never so where found."""

    address: str
    dhcp_ranges: tuple[DhcpRange, ...] | None = None
    dhcp_hosts: tuple[DhcpHost, ...] | None = None

    @property
    def interface(self) -> Interface:
        """Return the address to reckon with."""
        return ipaddress.ip_interface(self.address)

    @property
    def has_dhcp(self) -> bool:
        """Tell whether the DHCP server has something to give out here."""
        return bool(self.dhcp_ranges or self.dhcp_hosts)


@dataclass(frozen=True)
class Route:
    """A subnet that the host reaches through a guest of the network."""

    address: str
    gateway: str
    metric: int | None = None

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.address} via {self.gateway}" + ("" if self.metric is None else f" metric {self.metric}")


def read_ips(ips: list[dict[str, t.Any]] | None) -> tuple[NetworkIp, ...] | None:
    """Validate option ``ips``."""
    if ips is None:
        return None
    found = tuple(_ip(ip, f"ips[{index}]") for index, ip in enumerate(ips))
    for index, ip in enumerate(found):
        for earlier in found[:index]:
            if ip.interface.network.overlaps(earlier.interface.network):
                raise SpecError(
                    f"ips[{index}].address",
                    f"{ip.address} overlaps with {earlier.address} of the same network",
                    "give each subnet once",
                )
    for version in (_IPV4, _IPV6):
        if sum(ip.has_dhcp for ip in found if ip.interface.version == version) > 1:
            raise SpecError(
                "ips",
                f"two IPv{version} subnets have dhcp_ranges or dhcp_hosts, and libvirt serves one",
                "leave DHCP to one of them",
            )
    return found


def read_routes(routes: list[dict[str, t.Any]] | None, ips: tuple[NetworkIp, ...] | None) -> tuple[Route, ...] | None:
    """Validate option ``routes``; where ``ips`` are declared too, each gateway is in one of these subnets."""
    if routes is None:
        return None
    found = []
    for index, route in enumerate(routes):
        option = f"routes[{index}]"
        try:
            subnet = ipaddress.ip_network(route["address"])
        except ValueError:
            raise SpecError(
                f"{option}.address", f"{route['address']!r} is no subnet", "write it as 192.0.2.0/24"
            ) from None
        gateway = check_address(f"{option}.gateway", route["gateway"])
        if gateway.version != subnet.version:
            raise SpecError(f"{option}.gateway", f"{gateway} is not of IPv{subnet.version}", "give both of one kind")
        if ips is not None and not any(gateway in ip.interface.network for ip in ips):
            raise SpecError(f"{option}.gateway", f"{gateway} is in none of ips", "give an address in the network")
        metric = route["metric"]
        if metric is not None and not 0 < metric <= _MOST_METRIC:
            raise SpecError(f"{option}.metric", f"{metric} is out of range", f"it is 1 to {_MOST_METRIC}")
        found.append(Route(str(subnet), str(gateway), metric))
    return tuple(found)


def check_address(option: str, text: str) -> Address:
    """Return the one address that ``option`` holds."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise SpecError(option, f"{text!r} is no IP address", "write it as 192.0.2.10 or 2001:db8::10") from None


def check_host_name(option: str, name: str) -> str:
    """Return ``name`` if DNS can know somebody by it."""
    if not _HOST_NAME.fullmatch(name):
        raise SpecError(option, f"{name!r} is no host name", "use letters, digits, - and dots between the parts")
    return name


def written_interface(address: str, prefix: int | str) -> str:
    """Return an address with its prefix or netmask in the one way in which it is kept here."""
    return str(ipaddress.ip_interface(f"{address}/{prefix}"))


def written_address(address: str) -> str:
    """Return an address in the one way in which it is kept here."""
    return str(ipaddress.ip_address(address))


def _ip(ip: dict[str, t.Any], option: str) -> NetworkIp:
    interface = _host_address(f"{option}.address", ip["address"])
    ranges, hosts = ip["dhcp_ranges"], ip["dhcp_hosts"]
    if ranges and interface.version == _IPV6 and interface.network.prefixlen != _DHCP6_PREFIX:
        raise SpecError(
            f"{option}.dhcp_ranges", f"DHCPv6 can't serve {interface.network}", f"take a prefix of {_DHCP6_PREFIX}"
        )
    return NetworkIp(
        str(interface),
        None if ranges is None else _ranges(ranges, interface, f"{option}.dhcp_ranges"),
        None if hosts is None else _hosts(hosts, interface, f"{option}.dhcp_hosts"),
    )


def _host_address(option: str, text: str) -> Interface:
    try:
        if "/" not in text:
            raise ValueError
        interface = ipaddress.ip_interface(text)
    except ValueError:
        raise SpecError(
            option, f"{text!r} is no address with a prefix", "write the host's own address as 192.0.2.1/24"
        ) from None
    subnet = interface.network
    if subnet.num_addresses < _LEAST_ADDRESSES:
        raise SpecError(option, f"{text} leaves no address for a guest", "take a shorter prefix")
    if interface.ip in unusable_addresses(subnet):
        raise SpecError(
            option, f"{interface.ip} stands for the subnet itself", f"give an address in it, such as {subnet[1]}"
        )
    return interface


def unusable_addresses(subnet: Subnet) -> tuple[Address, ...]:
    """Return the addresses that nobody can have."""
    return (subnet.network_address, subnet.broadcast_address) if subnet.version == _IPV4 else (subnet.network_address,)


def _inside(option: str, text: str, interface: Interface) -> Address:
    address = check_address(option, text)
    if address.version != interface.version or address not in interface.network:
        raise SpecError(option, f"{address} is outside of {interface.network}", "give an address of that subnet")
    if address in unusable_addresses(interface.network):
        raise SpecError(option, f"nobody can have {address} of {interface.network}", "give another address")
    return address


def _ranges(ranges: list[dict[str, t.Any]], interface: Interface, option: str) -> tuple[DhcpRange, ...]:
    found: list[tuple[int, int]] = []
    for index, one in enumerate(ranges):
        start = _inside(f"{option}[{index}].start", one["start"], interface)
        end = _inside(f"{option}[{index}].end", one["end"], interface)
        if int(start) > int(end):
            raise SpecError(f"{option}[{index}]", f"it ends at {end}, before its start {start}", "swap the two")
        if any(int(start) <= last and first <= int(end) for first, last in found):
            raise SpecError(f"{option}[{index}]", f"{start} to {end} overlaps with another range", "keep them apart")
        found.append((int(start), int(end)))
    return tuple(DhcpRange(*_inverse(interface, one)) for one in found)


def _inverse(interface: Interface, span: tuple[int, int]) -> tuple[str, str]:
    make = type(interface.ip)
    return str(make(span[0])), str(make(span[1]))


def _hosts(hosts: list[dict[str, t.Any]], interface: Interface, option: str) -> tuple[DhcpHost, ...]:
    found = tuple(_host(host, interface, f"{option}[{index}]") for index, host in enumerate(hosts))
    for part in ("ip", "mac", "id", "name"):
        seen: set[str] = set()
        for index, host in enumerate(found):
            value = getattr(host, part)
            if value is not None and value in seen:
                raise SpecError(f"{option}[{index}].{part}", f"{value} is declared twice", "give it to one host")
            seen.add(value)
    return found


def _host(host: dict[str, t.Any], interface: Interface, option: str) -> DhcpHost:
    address = _inside(f"{option}.ip", host["ip"], interface)
    if address == interface.ip:
        raise SpecError(f"{option}.ip", f"{address} is the host's own address", "give another address of the subnet")
    mac, duid, name = host["mac"], host["id"], host["name"]
    wrong, right = ("mac", "id") if interface.version == _IPV6 else ("id", "mac")
    if host[wrong] is not None:
        raise SpecError(f"{option}.{wrong}", f"DHCP over IPv{interface.version} does not know it", f"declare {right}")
    if mac is not None and not _MAC.fullmatch(mac.lower()):
        raise SpecError(f"{option}.mac", f"{mac!r} is no MAC address", "write it as 52:54:00:12:34:56")
    if duid is not None and not _DUID.fullmatch(duid.lower()):
        raise SpecError(f"{option}.id", f"{duid!r} is no DUID", "write it as 00:03:00:01:52:54:00:12:34:56")
    if name is not None:
        check_host_name(f"{option}.name", name)
    if host[right] is None and name is None:
        raise SpecError(option, "it does not say whom the address is for", f"declare {right}, name or both")
    return DhcpHost(str(address), mac and mac.lower(), duid and duid.lower(), name)
