# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a declaration wants of the host's networks, and whether somebody has it already."""

from __future__ import annotations

from dataclasses import replace

from ..._driver.inventory import NetworkReading, leased_addresses
from ..._errors import ConflictError, DriverError, NotFoundError
from ..._plan.existing import Existing
from ..._spec.instance import InstanceSpec
from ..._spec.machine import OPEN_VSWITCH, Machine, Nic
from .host import Host


def check_networks(host: Host, spec: InstanceSpec) -> None:
    """Refuse networks that are not there or not active, and the MAC and static IP addresses of others."""
    for index, nic in enumerate(spec.nics or ()):
        owner = host.macs.get(nic.mac, spec.name)
        if owner != spec.name:
            raise ConflictError(
                f"Option networks[{index}].mac: {nic.mac} is the address of a NIC of {owner}; take another, or leave it out"
                " to have one generated."
            )
        if nic.network is None:
            continue
        if nic.network not in host.networks:
            known = ", ".join(sorted(host.networks)) or "none"
            raise NotFoundError(f"Option networks: this host has no network {nic.network}; there are: {known}.")
        if not host.networks[nic.network].is_active:
            raise DriverError(
                f"Option networks: network {nic.network} is not active; start it (virsh net-start {nic.network})."
            )
    _check_addresses(host, spec)


def _check_addresses(host: Host, spec: InstanceSpec) -> None:
    for address, nic in spec.static_addresses:
        if nic.network is None:
            continue
        network = host.networks[nic.network]
        owner = None
        if address in network.description.addresses:
            owner = "the host"
        for taken in (dict(network.description.reservations), leased_addresses(host.connection, network)):
            mac = taken.get(address, nic.mac)
            if mac != nic.mac:
                owner = host.macs.get(mac) or mac or "another host name"
        if owner is not None:
            raise ConflictError(
                f"Option network_config: {address} is the address of {owner} in network {nic.network}; take another, or"
                " leave addresses out to have one by DHCP."
            )


def has_linux_bridge(network: NetworkReading) -> bool:
    """Tell whether NICs of a network are plugged into a bridge of the kernel."""
    return bool(network.description.bridge) and not network.description.virtualport


def as_plugged(host: Host, desired: Machine, existing: Existing | None) -> Existing | None:
    """Return the instance with what is known of NICs that are to be plugged in elsewhere while its guest runs.

    Libvirt can do that from one Linux bridge to another, and from one port group to another where both are on one Open
    vSwitch. It does nothing where two groups give the same, and goes on telling the old name, which is no difference then.
    """
    if existing is None or existing.live is None:
        return existing
    wanted = {nic.mac: nic for nic in desired.nics}
    nics = tuple(_renamed(host, before, wanted.get(before.mac)) for before in existing.live.nics)
    moved = [(wanted[nic.mac], nic) for nic in nics if nic.mac in wanted and _is_elsewhere(wanted[nic.mac], nic)]
    anchored = frozenset(nic.mac for nic, before in moved if not _can_move(host, nic, before))
    return replace(existing, live=replace(existing.live, nics=nics), anchored=anchored)


def _renamed(host: Host, before: Nic, nic: Nic | None) -> Nic:
    """Return the NIC as if it named the port group that is wanted, if that is no other one but for its name."""
    network = host.networks.get(before.source or "") if nic and _is_elsewhere(nic, before) else None
    if nic is None or network is None or not _is_beside(nic, before):
        return before
    gives = network.description.gives
    return (
        replace(before, portgroup=nic.portgroup or None) if gives(nic.portgroup) == gives(before.portgroup) else before
    )


def _is_elsewhere(nic: Nic, before: Nic) -> bool:
    return not _is_beside(nic, before) or nic.portgroup not in (None, before.portgroup or "")


def _is_beside(nic: Nic, before: Nic) -> bool:
    return (nic.type, nic.source) == (before.type, before.source)


def _can_move(host: Host, nic: Nic, before: Nic) -> bool:
    if before.virtualport == OPEN_VSWITCH and _is_beside(nic, before):
        return True
    return _is_on_linux_bridge(host, nic) and _is_on_linux_bridge(host, before)


def _is_on_linux_bridge(host: Host, nic: Nic) -> bool:
    network = host.networks.get(nic.source or "") if nic.type == "network" else None
    return not nic.virtualport and (network is None or has_linux_bridge(network))
