# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a host offers its guests: storage pools, networks and PCI devices; one list call for each kind."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import NotFoundError
from .._xml.network import NetworkDescription, read_network
from .._xml.nodedev import PciDevice, read_mdev, read_pci_device
from .._xml.volume import PoolDescription, read_pool
from .capabilities import supported
from .connection import Connection, libvirt

Read = t.TypeVar("Read")


@dataclass(frozen=True)
class PoolReading:
    """A storage pool; its sizes are those of libvirt's last look, and nothing while it is not active."""

    is_active: bool
    description: PoolDescription


@dataclass(frozen=True)
class NetworkReading:
    """A virtual network."""

    is_active: bool
    description: NetworkDescription
    handle: t.Any = None
    xml: str = ""


def read_pools(connection: Connection) -> list[PoolReading]:
    """Return all storage pools by name; none where the driver has no storage."""
    handles = supported(connection, "list storage pools", connection.raw.listAllStoragePools, 0)

    def read(handle: t.Any) -> PoolReading:
        text = connection.call(f"read storage pool {handle.name()}", handle.XMLDesc, 0)
        active = connection.call(f"read the state of storage pool {handle.name()}", handle.isActive)
        return PoolReading(bool(active), read_pool(text))

    return sorted(_read_all(handles, read), key=lambda pool: pool.description.name)


def read_networks(connection: Connection) -> list[NetworkReading]:
    """Return all networks by name; none where the driver has no networks."""
    handles = supported(connection, "list networks", connection.raw.listAllNetworks, 0)

    def read(handle: t.Any) -> NetworkReading:
        text = connection.call(f"read network {handle.name()}", handle.XMLDesc, 0)
        active = connection.call(f"read the state of network {handle.name()}", handle.isActive)
        return NetworkReading(bool(active), read_network(text), handle, text)

    return sorted(_read_all(handles, read), key=lambda network: network.description.name)


def leased_addresses(connection: Connection, network: NetworkReading) -> dict[str, str]:
    """Return the addresses that a network's DHCP server has given out, each with the MAC address that has it."""
    doing = f"read the leases of network {network.description.name}"
    leases = supported(connection, doing, network.handle.DHCPLeases) or ()
    return {lease["ipaddr"]: (lease.get("mac") or "").lower() for lease in leases if lease.get("ipaddr")}


def read_pci_devices(connection: Connection) -> list[PciDevice]:
    """Return all PCI devices by address; none where the driver does not list them."""
    return _pci_devices(_device_texts(connection, libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV))


def read_mdevs(connection: Connection) -> list[str]:
    """Return the UUIDs of all mediated devices that are active; none where the driver does not list them."""
    return _mdevs(_device_texts(connection, libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV))


def read_devices(connection: Connection) -> tuple[list[PciDevice], list[str]]:
    """Return both of one list call."""
    kinds = libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV | libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_MDEV
    texts = _device_texts(connection, kinds)
    return _pci_devices(texts), _mdevs(texts)


def _device_texts(connection: Connection, kinds: int) -> list[str]:
    handles = supported(connection, "list devices", connection.raw.listAllDevices, kinds)

    def read(handle: t.Any) -> str:
        return str(connection.call(f"read device {handle.name()}", handle.XMLDesc, 0))

    return list(_read_all(handles, read))


def _pci_devices(texts: t.Iterable[str]) -> list[PciDevice]:
    return sorted(filter(None, map(read_pci_device, texts)), key=lambda device: device.address)


def _mdevs(texts: t.Iterable[str]) -> list[str]:
    return sorted(filter(None, map(read_mdev, texts)))


def _read_all(handles: t.Iterable[t.Any] | None, read: t.Callable[[t.Any], Read]) -> t.Iterator[Read]:
    """Read each; one that vanishes meanwhile is left out."""
    for handle in handles or ():
        try:
            yield read(handle)
        except NotFoundError:
            continue
