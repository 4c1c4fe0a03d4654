# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a hypervisor reports of itself: the one shape ``compute_node`` that facts, inventory and scheduler share."""

from __future__ import annotations

import datetime
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from .._driver import guests as guest_driver
from .._driver import host as host_driver
from .._driver import inventory
from .._driver.connection import Connection
from .._driver.probe import NAME_PREFIX
from .._errors import DriverError, NotFoundError
from .._spec.service_status import ServiceStatus
from .._xml.capabilities import HostCapabilities
from .._xml.nodedev import PciDevice
from .facts_guests import GIB, Guest, PoolPlace, growth_bytes, instance_row, pci_users, pinned_cpus, understand
from .facts_images import image_cache, pool_volumes
from .facts_placement import mdev_rows, placement_row
from .facts_traits import check_traits, derive_traits

_BIOS_ARCHS = frozenset({"x86_64", "i686"})
_MACHINES = {"x86_64": "q35", "i686": "q35", "aarch64": "virt", "riscv64": "virt"}


@dataclass(frozen=True)
class FactsOptions:
    """What a user says of the host, since it is written nowhere on it."""

    pool: str
    availability_zone: str | None = None
    aggregates: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    service: ServiceStatus = field(default_factory=ServiceStatus)

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> FactsOptions:
        """Validate the module's options."""
        return cls(
            pool=params["pool"],
            availability_zone=params["availability_zone"],
            aggregates=tuple(dict.fromkeys(params["aggregates"])),
            traits=check_traits(params["traits"]),
            service=ServiceStatus.declared(params["service_status"], params["disabled_reason"]),
        )


def compute_node(connection: Connection, options: FactsOptions) -> dict[str, t.Any]:
    """Return the facts of the host."""
    capabilities = host_driver.capabilities(connection)
    pools = inventory.read_pools(connection)
    pool = _counted_pool(connection, pools, options.pool)
    cache = image_cache(pool_volumes(connection, options.pool))
    # Another run's probe is no guest, and gone in a moment.
    readings = (one for one in guest_driver.read_guests(connection) if not one.name.startswith(NAME_PREFIX))
    guests = understand(readings)
    pci_devices, mdevs = inventory.read_devices(connection)
    return {
        **_identity(connection, capabilities),
        "state": "up",
        "service_status": options.service.status,
        "disabled_reason": options.service.reason,
        "reported_at": _now(),
        "availability_zone": options.availability_zone,
        "aggregates": list(options.aggregates),
        **_cpu(connection, capabilities, options.traits),
        **_processors_and_memory(connection, guests),
        **_disk(pool, guests, cache["size_gb"]),
        "image_cache": cache,
        "running_vms": sum(guest.reading.is_active for guest in guests),
        "virt_types": list(capabilities.virt_types(capabilities.arch)),
        "machine_types": sorted(capabilities.machines(capabilities.arch)),
        "firmware": _firmware(connection, capabilities),
        "numa_topology": _numa_topology(connection, capabilities, guests),
        "pci_devices": _pci_devices(pci_devices, guests),
        "mdevs": mdev_rows(mdevs, guests),
        "storage_pools": {one.description.name: _pool_row(one) for one in pools},
        "networks": {one.description.name: _network_row(one) for one in inventory.read_networks(connection)},
        "instances": [
            {**instance_row(guest), "placement": placement_row(guest, capabilities.cells)} for guest in guests
        ],
    }


def _now() -> str:
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return now.isoformat().replace("+00:00", "Z")


def _identity(connection: Connection, capabilities: HostCapabilities) -> dict[str, t.Any]:
    versions = host_driver.versions(connection)
    name = host_driver.hostname(connection) or urllib.parse.urlsplit(connection.uri).hostname
    return {
        "hypervisor_hostname": name,
        "host_uuid": capabilities.uuid or None,
        "uri": connection.uri,
        "hypervisor_type": versions.hypervisor_type,
        "hypervisor_version": versions.hypervisor_version,
        "libvirt_version": versions.libvirt_version,
        "arch": capabilities.arch,
    }


def _cpu(connection: Connection, capabilities: HostCapabilities, traits: tuple[str, ...]) -> dict[str, t.Any]:
    features = host_driver.cpu_features(connection)
    topology = capabilities.topology
    return {
        "traits": sorted({*derive_traits(capabilities.arch, features), *traits}),
        "cpu_info": {
            "model": capabilities.cpu_model,
            "vendor": capabilities.cpu_vendor,
            "features": sorted(features),
            "topology": {
                "sockets": topology.sockets,
                "cores": topology.cores * topology.dies,
                "threads": topology.threads,
                "cells": len(capabilities.cells),
            },
        },
    }


def _processors_and_memory(connection: Connection, guests: list[Guest]) -> dict[str, t.Any]:
    node = host_driver.node_info(connection)
    promised_mb = sum(guest.claimed_memory_mb for guest in guests)
    return {
        "vcpus": node.vcpus,
        "vcpus_used": sum(guest.claimed_vcpus for guest in guests),
        "memory_mb": node.memory_mb,
        "memory_mb_used": promised_mb,
        "free_ram_mb": node.memory_mb - promised_mb,
    }


def _counted_pool(connection: Connection, pools: list[inventory.PoolReading], name: str) -> inventory.PoolReading:
    found = next((pool for pool in pools if pool.description.name == name), None)
    if found is None:
        known = ", ".join(pool.description.name for pool in pools) or "none"
        raise NotFoundError(
            f"Option pool: there is no storage pool named {name} at {connection.uri}; there are: {known}.",
            {"option": "pool"},
        )
    if not found.is_active:
        raise DriverError(
            f"Option pool: storage pool {name} at {connection.uri} is not running; start it (virsh pool-start {name}).",
            {"option": "pool"},
        )
    return found


def _disk(pool: inventory.PoolReading, guests: list[Guest], cache_gb: int) -> dict[str, t.Any]:
    place = PoolPlace(pool.description.name, pool.description.path)
    local_gb = pool.description.capacity_bytes // GIB
    promised_gb = cache_gb + sum(guest.disk_gb_in(place) for guest in guests)
    return {
        "local_gb": local_gb,
        "local_gb_used": promised_gb,
        "free_disk_gb": local_gb - promised_gb,
        "disk_available_least": (pool.description.available_bytes - growth_bytes(guests, place)) // GIB,
    }


def _firmware(connection: Connection, capabilities: HostCapabilities) -> list[str]:
    bios = {"bios"} if capabilities.arch in _BIOS_ARCHS and capabilities.machines(capabilities.arch) else set()
    kinds = capabilities.virt_types(capabilities.arch)
    if not kinds:
        return sorted(bios)
    try:
        known = host_driver.domain_capabilities(
            connection, kinds[0], capabilities.arch, _MACHINES.get(capabilities.arch)
        )
    except DriverError:
        # The driver has no such call, or no such machine.
        return sorted(bios)
    return sorted({*bios, *known.firmwares})


def _numa_topology(
    connection: Connection, capabilities: HostCapabilities, guests: list[Guest]
) -> list[dict[str, t.Any]]:
    cells = capabilities.cells
    huge = sorted({page.size_kib for cell in cells for page in cell.pages if page.size_kib > capabilities.page_kib})
    free_kib = host_driver.free_memory_kib(connection, cells)
    free_pages = host_driver.free_pages(connection, huge, cells)
    pinned = pinned_cpus(guests)
    rows = []
    for cell in cells:
        cpus = sorted(cpu.id for cpu in cell.cpus)
        free_mb = free_kib[cell.id] // 1024 if cell.id in free_kib else None
        hugepages = [
            {"size_kb": page.size_kib, "total": page.count, "free": free_pages.get(cell.id, {}).get(page.size_kib)}
            for page in cell.pages
            if page.size_kib in huge
        ]
        rows.append(
            {
                "id": cell.id,
                "socket": cell.socket,
                "cpus": cpus,
                "siblings": [list(core) for core in cell.cores],
                "memory_mb": cell.memory_kib // 1024,
                "free_mb": free_mb,
                "page_kb": capabilities.page_kib,
                "hugepages": hugepages,
                "pinned_cpus": [cpu for cpu in cpus if cpu in pinned],
            }
        )
    return rows


def _pci_devices(devices: list[PciDevice], guests: list[Guest]) -> list[dict[str, t.Any]]:
    users = pci_users(guests)
    return [
        {
            "address": device.address,
            "vendor_id": device.vendor_id,
            "product_id": device.product_id,
            "class": device.device_class,
            "driver": device.driver,
            "in_use_by": users.get(device.address),
            "numa_node": device.numa_node,
        }
        for device in devices
        if not device.is_bridge
    ]


def _pool_row(pool: inventory.PoolReading) -> dict[str, t.Any]:
    return {
        "type": pool.description.type,
        "active": pool.is_active,
        "path": pool.description.path,
        "capacity_gb": pool.description.capacity_bytes // GIB,
        "allocation_gb": pool.description.allocation_bytes // GIB,
        "available_gb": pool.description.available_bytes // GIB,
    }


def _network_row(network: inventory.NetworkReading) -> dict[str, t.Any]:
    return {
        "active": network.is_active,
        "forward_mode": network.description.forward_mode,
        "bridge": network.description.bridge,
    }
