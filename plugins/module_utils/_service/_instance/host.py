# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One hypervisor as one task sees it: everything is asked once, and only when needed."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from functools import cached_property

from ..._driver import host as host_driver
from ..._driver.connection import Connection
from ..._driver.domain import live_xml, saved_xml
from ..._driver.guest_memory import read_blocks
from ..._driver.guests import GuestReading, autostarted, read_guests
from ..._driver.inventory import NetworkReading, read_networks
from ..._driver.probe import NAME_PREFIX
from ..._driver.storage import find_volume
from ..._errors import ConflictError, DriverError, SpecError
from ..._plan.claims import Amount
from ..._plan.existing import Existing, OwnDisk
from ..._plan.offers import refuse_unoffered
from ..._spec.instance import InstanceSpec
from ..._spec.lifecycle import Lifecycle
from ..._spec.machine import Disk, Machine
from ..._spec.record import OwnedDisk
from ..._xml import domain as domain_xml
from ..facts_guests import GIB, Guest, PoolPlace, understand
from ..facts_images import image_cache
from ..image_catalog import PublishedImage, find_image
from ..port_filter import FilterList
from ..virt_type import VirtChoice, pick_virt_type
from .places import Place
from .platforms import Platform
from .reservations import Reservations
from .resources import Ledger

_PREFERRED_MACHINE = {"x86_64": "q35", "i686": "q35", "aarch64": "virt", "riscv64": "virt"}
_PICKS_FIRMWARE = 7_002_000
"""The first libvirt that was told features of firmware, which its schema had not before."""
_PREFERRED_VIDEO = ("virtio", "vga", "qxl", "cirrus")


class Host:
    """A hypervisor; its ``home`` is the storage pool for images and new disks."""

    def __init__(self, connection: Connection, lifecycle: Lifecycle) -> None:
        """Take an open connection and how instances are handled on it."""
        self.connection = connection
        self.lifecycle = lifecycle
        self._places: dict[str, Place] = {}
        self._live: dict[str, str | None] = {}
        self.filters = FilterList(connection)
        self.reservations = Reservations(connection)
        self.ledger = Ledger(connection, lambda: self.guests)
        self._images: dict[str, PublishedImage] = {}
        self._platforms: dict[tuple[str | None, str | None], Platform] = {}

    def place(self, pool: str) -> Place:
        """Return a storage pool by name."""
        return self._places.setdefault(pool, Place(self.connection, pool))

    @property
    def home(self) -> Place:
        """Return the storage pool that the task names."""
        return self.place(self.lifecycle.pool)

    @cached_property
    def guests(self) -> dict[str, Guest]:
        """Return all domains by name; another run's probe is none, and gone in a moment."""
        readings = (one for one in read_guests(self.connection) if not one.name.startswith(NAME_PREFIX))
        return {guest.reading.name: guest for guest in understand(readings)}

    def read_again(self) -> None:
        """Forget the domains and volumes that were read, because another run may have changed them."""
        for known in ("guests", "macs"):
            self.__dict__.pop(known, None)
        self._live.clear()
        self.filters.forget()
        self.reservations.forget()
        self.ledger.forget()
        for place in self._places.values():
            place.read_again()

    def refresh_logs(self) -> None:
        """Make libvirt see the console logs in the pools that are used, which were written behind their back."""
        for place in list(self._places.values()):
            if place.is_running:
                place.refresh()

    @cached_property
    def networks(self) -> dict[str, NetworkReading]:
        """Return the host's networks by name."""
        return {network.description.name: network for network in read_networks(self.connection)}

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

    @cached_property
    def autostarted(self) -> frozenset[str]:
        """Return the UUIDs of the domains that start with the host."""
        return autostarted(self.connection) or frozenset()

    def existing(self, name: str, spec: InstanceSpec | None = None) -> Existing | None:
        """Return the domain of that name as the planner wants it, to bring ``spec`` about or to remove it."""
        guest = self.guests.get(name)
        if guest is None:
            return None
        reading = guest.reading
        is_adopted = guest.record.adopted if guest.record else spec is not None and spec.adopt
        live = self._running(guest) if is_adopted or guest.record else None
        is_sized = spec is not None and spec.flavor is not None
        return Existing(
            machine=guest.machine,
            state=reading.state,
            active=reading.is_active,
            saved=reading.has_saved_memory,
            disks=(
                *(self._adopted_disks(guest) if is_adopted else ()),
                *self._own_disks(guest, spec),
                *(self._attached_disks(guest, spec) if spec else ()),
            ),
            live=live,
            seed_missing=spec is not None and spec.first_boot is not None and self._lacks_seed(guest),
            stale_seeds=self._stale_seeds(guest, live, spec is not None) if guest.record else (),
            reservations=self.reservations.of(_fixed_macs(guest, spec)),
            autostart=spec is not None and spec.autostart is not None and reading.uuid in self.autostarted,
            unused_memory_kib=self._unused_memory(guest, live) if live is not None and is_sized else 0,
        )

    def _lacks_seed(self, guest: Guest) -> bool:
        seed = guest.record.seed if guest.record else None
        return seed is not None and seed.volume not in self.place(seed.pool).volumes

    def _stale_seeds(self, guest: Guest, live: Machine | None, is_declared: bool) -> tuple[str, ...]:
        seed = guest.record.seed if guest.record else None
        machines = (guest.machine, live) if live else (guest.machine,)
        used = {(disk.source or "").rpartition("/")[2] for machine in machines for disk in machine.disks}
        place = self.place(seed.pool) if seed else self.home
        if not is_declared and not place.is_running:
            return ()
        return tuple(sorted(place.seeds.get(guest.reading.name, set()) - used))

    def _running(self, guest: Guest) -> Machine | None:
        text = self.live_text(guest.reading.name)
        return None if text is None else domain_xml.read(text)

    def live_text(self, name: str) -> str | None:
        """Return the definition of a guest as it runs, or as it was saved."""
        if name not in self._live:
            reading = self.guests[name].reading
            if reading.is_active:
                self._live[name] = live_xml(self.connection, reading)
            else:
                self._live[name] = saved_xml(self.connection, reading) if reading.has_saved_memory else None
        return self._live[name]

    def _unused_memory(self, guest: Guest, live: Machine) -> int:
        """Return what a guest lets lie of the memory that was plugged in; no agent is asked where none was."""
        if guest.reading.state != "running" or not live.memory_modules_kib:
            return 0
        blocks = read_blocks(self.connection, guest.reading.handle)
        return min(blocks.offline_kib, sum(live.memory_modules_kib)) if blocks else 0

    def _own_disks(self, guest: Guest, spec: InstanceSpec | None) -> t.Iterator[OwnDisk]:
        record = guest.record
        owns = record.disks if record else ()
        if record is not None and spec is None:
            # What snapshots brought goes with the instance, by names that no disk has.
            owns += tuple(replace(layer, target=layer.volume) for layer in record.layers)
        for owned in owns:
            if spec is not None or self.place(owned.pool).is_running:
                yield self._recorded_disk(guest, owned)
            elif not self.lifecycle.keep_disks:
                raise ConflictError(
                    f"Disk {owned.target} of instance {guest.reading.name} is in storage pool {owned.pool}, which is not"
                    " there or does not run; start it. With keep_disks: true an instance is removed without its disks."
                )

    def _attached_disks(self, guest: Guest, spec: InstanceSpec) -> t.Iterator[OwnDisk]:
        """Give those of the volumes that were there before which are still declared: they may grow, and are never deleted."""
        declared = {(volume.pool or self.home.name, volume.name) for volume in spec.volumes or ()}
        for attached in guest.record.attached if guest.record else ():
            if (attached.pool, attached.volume) in declared:
                yield replace(self._recorded_disk(guest, attached), is_ours=False)

    def _recorded_disk(self, guest: Guest, owned: OwnedDisk) -> OwnDisk:
        place = self.place(owned.pool)
        disk = next((disk for disk in guest.machine.disks if disk.target == owned.target), None)
        there = owned.volume in place.volumes
        if not there and guest.reading.is_active:
            # The list may be older than the guest.
            there = place.pool.find(owned.volume) is not None
        layer = guest.record.layer_of(disk.target, disk.source) if guest.record and disk else None
        strayed = disk is not None and layer is None and disk.source != place.locate(owned.volume)
        capacity = _capacity(guest.reading, disk) if disk else None
        if capacity is None and there and not strayed:
            # The guest that runs has it not yet, or the hypervisor has no statistics.
            volume = place.volumes.get(layer.volume if layer else owned.volume)
            capacity = volume.capacity if volume else None
        return OwnDisk(
            target=owned.target,
            pool=owned.pool,
            volume=owned.volume,
            source=disk.source if disk else None,
            layer=layer.volume if layer else None,
            strayed=strayed,
            missing=not there,
            capacity_bytes=capacity,
            is_root=guest.record is not None and owned == guest.record.root,
        )

    def _adopted_disks(self, guest: Guest) -> t.Iterator[OwnDisk]:
        """Give the disk that a domain which we did not make boots from: it may grow, and is never deleted."""
        for disk, block in guest.writable_blocks():
            volume = find_volume(self.connection, disk.source) if disk.source else None
            yield OwnDisk(
                target=disk.target,
                pool=volume.pool if volume else "",
                volume=volume.name if volume else "",
                source=disk.source,
                capacity_bytes=block.capacity_bytes,
                is_ours=False,
            )
            return

    def image(self, name: str) -> PublishedImage:
        """Return a published image."""
        if name not in self._images:
            self._images[name] = find_image(self.connection, self.home.pool, name)
        return self._images[name]

    def used(self) -> Amount:
        """Return what all defined domains are promised, running or not, ours or not, and images take, as the facts count it."""
        place = PoolPlace(self.home.name, self.home.path)
        amount = Amount(disk_gb=image_cache(self.home.volumes)["size_gb"])
        for guest in self.guests.values():
            amount = amount.plus(Amount(guest.claimed_vcpus, guest.claimed_memory_mb, guest.disk_gb_in(place)))
        return amount

    @cached_property
    def total(self) -> Amount:
        """Return what the host has."""
        node = host_driver.node_info(self.connection)
        return Amount(node.vcpus, node.memory_mb, self.home.info.capacity_bytes // GIB)

    def platform(self, spec: InstanceSpec) -> Platform:
        """Return the host's part of a new machine."""
        key = (spec.hardware.arch, spec.hardware.machine_type)
        if key not in self._platforms:
            self._platforms[key] = self._ask_platform(*key)
        platform = self._platforms[key]
        return replace(platform, video=None) if spec.graphics.type == "none" else platform

    def _ask_platform(self, arch: str | None, machine: str | None) -> Platform:
        capabilities = host_driver.capabilities(self.connection)
        wanted_arch = arch or capabilities.arch
        wanted_machine = machine or _PREFERRED_MACHINE.get(wanted_arch)
        # Guests of an architecture that is not the host's are emulated.
        foreign = wanted_arch != capabilities.arch and self.lifecycle.virt_type == "auto"
        virt_type = "qemu" if foreign else self.virt.type
        try:
            answer = host_driver.domain_capabilities(self.connection, virt_type, wanted_arch, wanted_machine)
        except DriverError as exc:
            option = "machine_type" if machine else "arch" if arch else "virt_type"
            raise SpecError(
                option,
                f"this hypervisor has no {virt_type} machine {wanted_machine or ''} of {wanted_arch} ({exc})",
                "see machine_types and virt_types in the host's facts",
            ) from exc
        video = next((model for model in _PREFERRED_VIDEO if model in answer.video_models), None)
        total = self.total
        picks = host_driver.versions(self.connection).libvirt_version >= _PICKS_FIRMWARE
        return Platform(
            virt_type, wanted_arch, answer.machine, answer.emulator, video, total.vcpus, total.memory_mb, picks
        )

    def video_for(self, machine: Machine) -> str | None:
        """Return the card for a screen that a machine gets which has none."""
        if machine.video not in (None, "none"):
            return None
        answer = host_driver.domain_capabilities(self.connection, machine.type, machine.os.arch, machine.os.machine)
        return next((model for model in _PREFERRED_VIDEO if model in answer.video_models), None)

    def check_offered(self, desired: Machine, machine: Machine) -> None:
        """Refuse what this hypervisor has not for a guest of the kind that ``machine`` is."""
        os = machine.os
        refuse_unoffered(desired, host_driver.domain_capabilities(self.connection, machine.type, os.arch, os.machine))

    @cached_property
    def macs(self) -> dict[str, str]:
        """Return which domain has a MAC address."""
        return {nic.mac: name for name, guest in self.guests.items() for nic in guest.machine.nics}


def _fixed_macs(guest: Guest, spec: InstanceSpec | None) -> frozenset[str]:
    """Return the NICs for which networks keep addresses, or shall."""
    recorded = (fixed.mac for fixed in (guest.record.fixed_ips if guest.record else ()))
    return frozenset((*recorded, *(nic.mac for nic in (spec.nics or () if spec else ()) if nic.fixed_ip)))


def _capacity(reading: GuestReading, disk: Disk) -> int | None:
    """Return what the guest sees of a disk; one of the same name that lies elsewhere is another."""
    found = (one for one in reading.blocks if one.target == disk.target and one.path in (None, disk.source))
    return next((one.capacity_bytes for one in found), None)


def platform_of(machine: Machine, spec: InstanceSpec, video: str | None = None) -> Platform:
    """Return the host's part of a machine that exists, which stays as recorded unless the user declares otherwise.

    ``video`` is the card for a screen that it may get.
    """
    return Platform(
        virt_type=machine.type,
        arch=spec.hardware.arch or machine.os.arch or "x86_64",
        machine=_kept_machine(spec.hardware.machine_type, machine.os.machine),
        emulator=None,
        video=video if spec.graphics.type != "none" else None,
    )


def _kept_machine(declared: str | None, recorded: str | None) -> str | None:
    """Return the recorded machine where none or its alias is declared (q35 for pc-q35-7.2)."""
    aliases: t.Mapping[str, str] = {"q35": "pc-q35-", "pc": "pc-i440fx-", "virt": "virt-"}
    if declared is None or (recorded and declared in aliases and recorded.startswith(aliases[declared])):
        return recorded
    return declared
