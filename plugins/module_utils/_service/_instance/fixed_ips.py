# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Fixed addresses of an instance's NICs: recorded with its design, and refused where nobody could keep them."""

from __future__ import annotations

from dataclasses import replace

from ..._driver.inventory import leased_addresses
from ..._errors import ConflictError, SpecError
from ..._plan.existing import Existing
from ..._plan.fixed_ip import declared, refuse_kept, refuse_unfit
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine, Nic
from ..._spec.nic import NicSpec
from ..._spec.record import FixedIp, InstanceRecord
from .host import Host

_NO_RECORD = InstanceRecord()
_SERVED = (None, "nat", "route", "open")
"""Forward modes of networks that can have a DHCP server of libvirt's."""


def with_fixed_ips(host: Host, spec: InstanceSpec, desired: Machine, existing: Machine | None) -> Machine:
    """Return the machine with the addresses of its NICs in its record.

    One that is not declared any more stays with its NIC, as long as that stays where it is.
    """
    if spec.nics is None or desired.record is None:
        return desired
    kept = {fixed.mac: fixed.ip for fixed in _record(existing).fixed_ips}
    present = {nic.mac: nic for nic in existing.nics} if existing else {}
    fixed_ips = []
    for index, nic in enumerate(spec.nics):
        ip = nic.fixed_ip
        if ip is None and _stays(nic, present.get(nic.mac)):
            ip = kept.get(nic.mac)
        if ip:
            fixed_ips.append(FixedIp(nic.mac, ip, _server(host, nic, f"networks[{index}].fixed_ip")))
    return replace(desired, record=replace(desired.record, fixed_ips=tuple(fixed_ips)))


def _record(machine: Machine | None) -> InstanceRecord:
    return (machine.record if machine else None) or _NO_RECORD


def _stays(nic: NicSpec, present: Nic | None) -> bool:
    return present is not None and (present.type, present.source) == (nic.kind, nic.network or nic.bridge)


def _server(host: Host, nic: NicSpec, option: str) -> str:
    """Return the network whose DHCP server keeps an address; none on a bridge, where it may be of use all the same."""
    network = host.networks.get(nic.network) if nic.network else None
    if network is None or network.description.forward_mode in _SERVED:
        return nic.network or ""
    if network.description.forward_mode == "bridge" and network.description.bridge:
        return ""
    raise SpecError(
        option,
        f"network {nic.network} leads its NICs past the host, which can neither give nor guard an address there",
        "declare it in network_config",
    )


def check_fixed_ips(host: Host, spec: InstanceSpec, desired: Machine, existing: Existing | None) -> None:
    """Refuse addresses that nobody can give the guest, and those of others."""
    there = {one.fixed for one in (existing.reservations if existing else ()) if one.whole}
    record = (existing.record if existing else None) or _NO_RECORD
    options = {nic.mac: f"networks[{index}].fixed_ip" for index, nic in enumerate(spec.nics or ())}
    told = {nic.mac for nic in desired.nics if nic.filter_ip}
    for fixed in declared(spec, desired.record):
        option = options[fixed.mac]
        if fixed.network and fixed not in there:
            _check_free(host, spec, option, fixed, {one.mac for one in record.fixed_ips})
        elif not fixed.network and fixed.mac not in told:
            raise SpecError(
                option,
                "there is no DHCP server of libvirt's on a bridge, and the NIC has no port security, which could heed it",
                "declare port_security: true with it, or leave it out",
            )


def _check_free(host: Host, spec: InstanceSpec, option: str, fixed: FixedIp, ours: set[str]) -> None:
    copies = host.reservations.networks.get(fixed.network)
    for layout in copies.layouts if copies else ():
        refuse_unfit(option, fixed.network, layout, fixed.ip)
    refuse_kept(option, fixed, copies.hosts if copies else (), ours)
    owner = host.reservations.claimant(fixed)
    for name, guest in host.guests.items():
        if any((one.network, one.ip) == (fixed.network, fixed.ip) for one in _record(guest.machine).fixed_ips):
            owner = name if name != spec.name else owner
    if owner not in (None, spec.name):
        raise ConflictError(
            f"Option {option}: {fixed.ip} is the address of {owner} in network {fixed.network}; take another.",
            {"option": option},
        )
    mac = leased_addresses(host.connection, host.networks[fixed.network]).get(fixed.ip, fixed.mac)
    if mac != fixed.mac:
        raise ConflictError(
            f"Option {option}: network {fixed.network} has leased {fixed.ip} to {host.macs.get(mac) or mac}; take another, or"
            " wait until that lease ends.",
            {"option": option},
        )
