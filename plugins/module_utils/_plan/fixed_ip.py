# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Addresses that networks keep for an instance's NICs: which are given back, which are taken, and whether one may be had."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from .._errors import ConflictError, SpecError
from .._spec.instance import InstanceSpec
from .._spec.network_address import DhcpHost, unusable_addresses
from .._spec.network_layout import NetworkLayout
from .._spec.record import FixedIp, InstanceRecord
from .plan import Action, Change

RESERVE = "reserve_address"
RELEASE = "release_address"
_HOST_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
"""Of what an instance can be named this is what libvirt's DHCP server can be told."""
_IPV4 = 4


@dataclass(frozen=True)
class Reservation:
    """What a network is found to keep for a NIC."""

    fixed: FixedIp
    whole: bool = True
    """Both the network that runs and its definition have it, or the one of them that there is."""


def released(
    name: str, record: InstanceRecord, found: t.Iterable[Reservation], wanted: t.Collection[FixedIp] = ()
) -> tuple[Action, ...]:
    """Return the steps that give back what is kept for the instance and is not ``wanted`` any more."""
    ours = {fixed.mac for fixed in record.fixed_ips}
    gone = {one.fixed.mac: one.fixed.ip for one in found if one.fixed.mac in ours and one.fixed not in wanted}
    return tuple(
        Action(RELEASE, f"{name}/{mac}", (Change(f"nics[{mac}].fixed_ip", ip, None),)) for mac, ip in gone.items()
    )


def reserved(spec: InstanceSpec, new: InstanceRecord | None, found: t.Iterable[Reservation]) -> tuple[Action, ...]:
    """Return the steps that have networks keep what is declared."""
    there = {one.fixed for one in found if one.whole}
    missing = [fixed for fixed in declared(spec, new) if fixed.network and fixed not in there]
    return tuple(
        Action(RESERVE, f"{spec.name}/{fixed.mac}", (Change(f"nics[{fixed.mac}].fixed_ip", None, fixed.ip),))
        for fixed in missing
    )


def declared(spec: InstanceSpec, record: InstanceRecord | None) -> tuple[FixedIp, ...]:
    """Return the addresses of the record's that belong to NICs which are declared now."""
    macs = {nic.mac for nic in spec.nics or ()}
    return tuple(fixed for fixed in (record.fixed_ips if record else ()) if fixed.mac in macs)


def as_host(name: str, fixed: FixedIp) -> DhcpHost:
    """Return what the DHCP server is told: by the instance's name, where that can be a host's, DNS finds it."""
    return DhcpHost(fixed.ip, fixed.mac, name=name if _HOST_NAME.fullmatch(name) else None)


def refuse_unfit(option: str, network: str, layout: NetworkLayout, address: str) -> None:
    """Refuse an address that the network's DHCP server can't keep for anybody."""
    ip = ipaddress.ip_address(address)
    subnets = [one for one in layout.ips or () if one.interface.version == _IPV4]
    if not any(one.has_dhcp for one in subnets):
        raise SpecError(
            option,
            f"network {network} has no DHCP for IPv4, which alone could give {address} to the guest",
            "give the network dhcp_ranges with compute_network, or declare the address in network_config",
        )
    inside = next((one for one in subnets if ip in one.interface.network), None)
    if inside is None or not inside.has_dhcp:
        served = ", ".join(str(one.interface.network) for one in subnets if one.has_dhcp)
        raise SpecError(
            option, f"{address} is outside of {served}, what DHCP serves in network {network}", "give an address of it"
        )
    if ip in unusable_addresses(inside.interface.network):
        raise SpecError(option, f"nobody can have {address} of {inside.interface.network}", "give another address")
    if ip == inside.interface.ip:
        raise SpecError(
            option, f"{address} is the host's own address in network {network}", "give another address of the subnet"
        )


def refuse_kept(option: str, fixed: FixedIp, hosts: t.Iterable[DhcpHost], ours: t.Collection[str]) -> None:
    """Refuse an address that the network keeps for somebody else, and one of a NIC that somebody else gave another.

    What is kept for the MAC addresses ``ours`` is the instance's, and goes before.
    """
    for host in hosts:
        if host.mac in ours:
            continue
        if host.ip == fixed.ip and host.mac != fixed.mac:
            raise ConflictError(
                f"Option {option}: network {fixed.network} keeps {fixed.ip} for {host.name or host.mac}; take another.",
                {"option": option},
            )
        if host.mac == fixed.mac and host.ip != fixed.ip:
            raise ConflictError(
                f"Option {option}: network {fixed.network} keeps {host.ip} for {fixed.mac}, as somebody else declared; take"
                " that one, or have it removed there.",
                {"option": option},
            )
