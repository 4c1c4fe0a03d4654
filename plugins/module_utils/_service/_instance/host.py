# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One hypervisor as one task sees it: everything is asked once, and only when needed."""

from __future__ import annotations

import typing as t
from functools import cached_property

from ..._driver import host as host_driver
from ..._driver.connection import Connection
from ..._driver.guests import GuestReading, read_guests
from ..._driver.inventory import read_networks
from ..._driver.probe import NAME_PREFIX
from ..._driver.storage import Pool, PoolInfo, Volume, find_pool
from ..._errors import DriverError, NotFoundError, SpecError
from ..._plan.claims import Amount
from ..._plan.instance import Existing
from ..._spec.instance import InstanceSpec
from ..._spec.lifecycle import Lifecycle
from ..._spec.machine import Machine
from ..facts_guests import GIB, Guest, PoolPlace, understand
from ..image_catalog import PublishedImage, find_image
from ..virt_type import VirtChoice, pick_virt_type
from .design import Platform

_BLOCK_POOLS = frozenset({"logical", "disk", "iscsi", "scsi", "mpath", "zfs"})
_PREFERRED_MACHINE = {"x86_64": "q35", "i686": "q35", "aarch64": "virt", "riscv64": "virt"}
_PREFERRED_VIDEO = ("virtio", "vga", "qxl", "cirrus")


class Host:
    """A hypervisor with the pool that a task works with."""

    def __init__(self, connection: Connection, lifecycle: Lifecycle) -> None:
        """Take an open connection and how instances are handled on it."""
        self.connection = connection
        self.lifecycle = lifecycle
        self._images: dict[str, PublishedImage] = {}
        self._platforms: dict[tuple[str | None, str | None], Platform] = {}

    @cached_property
    def pool(self) -> Pool:
        """Return the storage pool of disks and images."""
        return find_pool(self.connection, self.lifecycle.pool)

    @cached_property
    def pool_info(self) -> PoolInfo:
        """Return what the pool is; it must be one whose volumes have a path."""
        info = self.pool.info()
        if not info.path:
            raise SpecError(
                "pool", f"pool {info.name} of type {info.type} has no path", "take a dir, fs or logical pool"
            )
        return info

    @property
    def pool_is_block(self) -> bool:
        """Tell whether volumes are block devices."""
        return self.pool_info.type in _BLOCK_POOLS

    @cached_property
    def volumes(self) -> dict[str, Volume]:
        """Return the pool's volumes as they were at the start of the task."""
        return self.pool.volumes()

    @cached_property
    def guests(self) -> dict[str, Guest]:
        """Return all domains by name; another run's probe is none, and gone in a moment."""
        readings = (one for one in read_guests(self.connection) if not one.name.startswith(NAME_PREFIX))
        return {guest.reading.name: guest for guest in understand(readings)}

    def read_again(self) -> None:
        """Forget the domains and volumes that were read, because another run may have changed them."""
        for name in ("guests", "volumes"):
            self.__dict__.pop(name, None)

    @cached_property
    def networks(self) -> dict[str, bool]:
        """Return the host's networks: name and whether it is active."""
        networks = read_networks(self.connection)
        return {network.description.name: network.is_active for network in networks}

    @cached_property
    def uuid(self) -> str:
        """Return the host's UUID."""
        return host_driver.capabilities(self.connection).uuid

    @cached_property
    def virt(self) -> VirtChoice:
        """Return the virt type for new instances and why."""
        return pick_virt_type(self.connection, self.lifecycle.virt_type)

    def members(self, fleet: str) -> list[str]:
        """Return the names of a fleet's instances on the host."""
        return [name for name, guest in self.guests.items() if guest.record is not None and guest.record.fleet == fleet]

    def reading(self, name: str) -> GuestReading | None:
        """Return the domain of that name as the driver wants it."""
        return self.guests[name].reading if name in self.guests else None

    def existing(self, name: str) -> Existing | None:
        """Return the domain of that name as the planner wants it."""
        guest = self.guests.get(name)
        if guest is None:
            return None
        reading, missing = guest.reading, frozenset[str]()
        # A guest that runs has its disks; only one that is off can have been left without by an interrupted run.
        if guest.record is not None and not reading.is_active:
            missing = frozenset(disk.target for disk in guest.record.disks if disk.volume not in self.volumes)
        return Existing(
            guest.machine,
            reading.state,
            reading.is_active,
            missing,
            reading.live_max_vcpus,
            reading.live_max_memory_kib,
        )

    def image(self, name: str) -> PublishedImage:
        """Return a published image."""
        if name not in self._images:
            self._images[name] = find_image(self.connection, self.pool, name)
        return self._images[name]

    def used(self) -> Amount:
        """Return what all defined domains are promised, running or not, ours or not, as the facts count it."""
        place = PoolPlace(self.pool_info.name, self.pool_info.path)
        amount = Amount()
        for guest in self.guests.values():
            amount = amount.plus(Amount(guest.machine.vcpus, guest.memory_mb, guest.disk_gb_in(place)))
        return amount

    @cached_property
    def total(self) -> Amount:
        """Return what the host has."""
        node = host_driver.node_info(self.connection)
        return Amount(node.vcpus, node.memory_mb, self.pool_info.capacity // GIB)

    def platform(self, spec: InstanceSpec) -> Platform:
        """Return the host's part of a new machine."""
        key = (spec.hardware.arch, spec.hardware.machine_type)
        if key not in self._platforms:
            self._platforms[key] = self._ask_platform(*key)
        platform = self._platforms[key]
        if spec.graphics.type == "none":
            return Platform(platform.virt_type, platform.arch, platform.machine, platform.emulator, None)
        return platform

    def _ask_platform(self, arch: str | None, machine: str | None) -> Platform:
        capabilities = host_driver.capabilities(self.connection)
        wanted_arch = arch or capabilities.arch
        wanted_machine = machine or _PREFERRED_MACHINE.get(wanted_arch)
        try:
            answer = host_driver.domain_capabilities(self.connection, self.virt.type, wanted_arch, wanted_machine)
        except DriverError as exc:
            option = "machine_type" if machine else "arch" if arch else "virt_type"
            raise SpecError(
                option,
                f"this hypervisor has no {self.virt.type} machine {wanted_machine or ''} of {wanted_arch} ({exc})",
                "see machine_types and virt_types in the host's facts",
            ) from exc
        video = next((model for model in _PREFERRED_VIDEO if model in answer.video_models), None)
        return Platform(self.virt.type, wanted_arch, answer.machine, answer.emulator, video)

    def check_networks(self, spec: InstanceSpec) -> None:
        """Refuse networks that are not there or not active."""
        for nic in spec.nics:
            if nic.network is None:
                continue
            if nic.network not in self.networks:
                known = ", ".join(sorted(self.networks)) or "none"
                raise NotFoundError(f"Option networks: this host has no network {nic.network}; there are: {known}.")
            if not self.networks[nic.network]:
                raise DriverError(
                    f"Option networks: network {nic.network} is not active; start it (virsh net-start {nic.network})."
                )


def platform_of(machine: Machine, spec: InstanceSpec) -> Platform:
    """Return the host's part of a machine that exists, which stays as recorded unless the user declares otherwise."""
    return Platform(
        virt_type=machine.type,
        arch=spec.hardware.arch or machine.os.arch or "x86_64",
        machine=_kept_machine(spec.hardware.machine_type, machine.os.machine),
        emulator=machine.emulator,
        video=machine.video if spec.graphics.type != "none" else None,
    )


def _kept_machine(declared: str | None, recorded: str | None) -> str | None:
    """Return the recorded machine where none or its alias is declared (q35 for pc-q35-7.2)."""
    aliases: t.Mapping[str, str] = {"q35": "pc-q35-", "pc": "pc-i440fx-", "virt": "virt-"}
    if declared is None or (recorded and declared in aliases and recorded.startswith(aliases[declared])):
        return recorded
    return declared
