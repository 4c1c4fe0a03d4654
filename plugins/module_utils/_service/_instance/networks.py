# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a declaration wants of the host's networks, and whether somebody has it already."""

from __future__ import annotations

from ..._driver.inventory import NetworkReading, leased_addresses
from ..._errors import ConflictError, DriverError, NotFoundError
from ..._spec.instance import InstanceSpec
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
