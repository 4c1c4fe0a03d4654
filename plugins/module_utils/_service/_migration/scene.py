# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance, its host and the host that it shall be on, as they are now. Nothing is changed here."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import cached_property

from ..._driver import domain as driver
from ..._driver import host as host_driver
from ..._driver.checkpoint import checkpoint_names
from ..._driver.connection import Connection
from ..._driver.migration import cpu_obstacle, host_cpu_obstacle, is_split
from ..._driver.snapshot import list_snapshots
from ..._driver.storage import Volume, find_volume
from ..._errors import CapacityError, SpecError
from ..._plan.claims import Amount, refuse_overcommit
from ..._plan.existing import OwnDisk
from ..._plan.migration import Baggage, DiskMove, End, Ends, ImageMove, is_half, owned_volumes, seed_disk
from ..._plan.migration_obstacles import Baulk, Offering, obstacles
from ..._spec.image_record import is_image_content
from ..._spec.lifecycle import Lifecycle
from ..._spec.machine import Disk, Machine
from ..._spec.migration import COLD, LIVE, MigrationSpec
from ..._spec.record import InstanceRecord, OwnedDisk
from ..._xml import domain as domain_xml
from ..._xml.migration import read_moving_traits
from .._instance.host import Host
from .._instance.places import Place
from ..facts_guests import Guest
from ..image_catalog import ImageCatalog
from ..port_filter import group_names
from .shared import SharedStorage

_PASSTHROUGH = "host-passthrough"
_LONGEST_NAME = 63
_DIGITS = 12
_PRIVATE = 0o600


@dataclass
class Scene:
    """Both hosts with the instance as they have it, and what is brought along."""

    spec: MigrationSpec
    source: Host
    target: Host
    ends: Ends
    promised: Amount = Amount()  # noqa: RUF009  # frozen
    """What of the destination goes to others, which the same task moves there before."""
    coming: frozenset[str] = frozenset()
    """Volumes of images that come there with those."""

    @cached_property
    def storage(self) -> SharedStorage:
        """Return what is found out about shared storage."""
        return SharedStorage(self.source, self.target)

    def shared(self, record: InstanceRecord | None) -> dict[str, Place]:
        """Return the source's pools of the record's volumes that are the destination's as well, each as it is there."""
        by_pool: dict[str, set[str]] = {}
        for owned in (*owned_volumes(record), *record.attached) if record else ():
            by_pool.setdefault(owned.pool, set()).add(owned.volume)
        found = ((pool, self.storage.place(pool, volumes)) for pool, volumes in by_pool.items())
        return {pool: place for pool, place in found if place is not None}

    @property
    def guest(self) -> Guest:
        """Return the instance at the source."""
        return self.source.guests[self.spec.name]


def host_of(connection: Connection, spec: MigrationSpec) -> Host:
    """Return a host as a move of that kind looks at it."""
    return Host(connection, Lifecycle(spec.destination.pool, "auto", spec.limits, spec.force, spec.shutdown_timeout))


def open_scene(source: Host, target: Host, spec: MigrationSpec) -> Scene:
    """Look at both ends."""
    if source.uuid == target.uuid:
        raise SpecError(
            f"destinations.{spec.to}.uri" if spec.to else "destination.uri",
            f"{target.connection.uri} is the host that {source.connection.uri} is, by its UUID {source.uuid}",
            "give another host, or each libvirt a host_uuid of its own",
        )
    return Scene(spec, source, target, Ends(*(_end(host, spec.name) for host in (source, target))))


def look_again(scene: Scene) -> Scene:
    """Look at both ends once more."""
    for host in (scene.source, scene.target):
        host.read_again()
    ends = Ends(*(_end(host, scene.spec.name) for host in (scene.source, scene.target)))
    return replace(scene, ends=ends)


def _end(host: Host, name: str) -> End:
    guest = host.guests.get(name)
    existing = host.existing(name) if guest else None
    autostart = guest is not None and guest.reading.uuid in host.autostarted
    is_paused = guest is not None and guest.reading.state == "paused"
    is_cut = is_paused and guest is not None and is_split(host.connection, guest.reading)
    return End(host.connection.uri, host.uuid, existing, autostart, is_cut)


def look(scene: Scene) -> tuple[Baggage, tuple[str, ...]]:
    """Return what a move from its beginning brings along, and everything that stops it."""
    return _Look(scene).run()


class _Look:
    """One look at all that a move from its beginning needs."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._spec, self._source, self._target = scene.spec, scene.source, scene.target
        self._loose: list[str] = []
        self._images: dict[str, ImageMove] = {}
        self._paths: dict[str, str] = {}
        guest = scene.guest
        self._shared = scene.shared(guest.record)

    def run(self) -> tuple[Baggage, tuple[str, ...]]:
        """Return both."""
        guest, spec = self._scene.guest, self._spec
        mode = spec.mode or (LIVE if guest.reading.is_active else COLD)
        text = self._source.live_text(spec.name) or guest.reading.xml
        machine = domain_xml.read(text)
        record = guest.record or InstanceRecord()
        disks = tuple(self._disks(record, machine))
        seed = self._seed(record, machine)
        self._others(record, machine)
        existing = self._scene.ends.source.existing
        if existing is None:
            raise SpecError("name", f"there is no instance {spec.name}")
        baulk = Baulk(
            traits=read_moving_traits(text),
            existing=existing,
            machine=machine,
            snapshots=len(list_snapshots(self._source.connection, guest.reading)),
            checkpoints=len(checkpoint_names(self._source.connection, guest.reading)),
            loose_disks=tuple(self._loose),
        )
        found = obstacles(spec, mode, baulk, self._offering(machine, baulk))
        baggage = Baggage(
            mode=mode,
            record=self._moved_record(record),
            disks=disks,
            seed=seed,
            images=tuple(self._images.values()),
            logs=self._logs(guest),
            paths=self._paths,
            shared=frozenset(self._shared),
        )
        return baggage, found

    def _place(self, pool: str) -> Place:
        """Return the destination's pool for what lies in a pool of the source."""
        return self._shared.get(pool, self._target.home)

    def _moved_record(self, record: InstanceRecord) -> InstanceRecord:
        disks, attached = (
            tuple(replace(disk, pool=self._place(disk.pool).name) for disk in some)
            for some in (record.disks, record.attached)
        )
        seed = replace(record.seed, pool=self._place(record.seed.pool).name) if record.seed else None
        return replace(record, disks=disks, attached=attached, seed=seed, begun=None)

    def _disks(self, record: InstanceRecord, machine: Machine) -> t.Iterator[DiskMove]:
        existing = self._scene.ends.source.existing
        found = {disk.target: disk for disk in (existing.disks if existing else ())}
        for owned in record.disks:
            disk = next((one for one in machine.disks if one.target == owned.target), None)
            own = found.get(owned.target)
            volume = self._source.place(owned.pool).pool.find(owned.volume)
            if disk is None or own is None or own.strayed or own.layer or volume is None:
                self._loose.append(f"disk {owned.target} does not lie on volume {owned.volume} of pool {owned.pool}")
                continue
            if owned.pool in self._shared:
                self._stays(owned, volume)
            else:
                yield self._disk(owned, own, disk, volume)

    def _stays(self, owned: OwnedDisk, volume: Volume) -> None:
        """Note where the destination sees a volume that both hosts have; what it lies on must be there by the same path."""
        self._paths[owned.target] = self._shared[owned.pool].locate(owned.volume)
        below = volume.backing
        if below is None or find_volume(self._target.connection, below[0]) is not None:
            return
        if self._base(owned.target, below[0]) not in (None, below[0]):
            self._loose.append(
                f"disk {owned.target} is in storage that both hosts share, and lies on {below[0]}, which the destination can't have"
                " by that path"
            )

    def _disk(self, owned: OwnedDisk, own: OwnDisk, disk: Disk, volume: Volume) -> DiskMove:
        if volume.is_device:
            self._loose.append(f"disk {owned.target} is a block device of its host")
        if volume.is_remote:
            self._loose.append(f"disk {owned.target} is volume {owned.volume} of pool {owned.pool} in a Ceph cluster")
        below = volume.backing
        base = self._base(owned.target, below[0]) if below else None
        path = self._paths[owned.target] = self._target.home.locate(owned.volume)
        capacity = own.capacity_bytes or volume.capacity
        return DiskMove(owned, disk.format or "raw", capacity, path, base, below[1] if below else None)

    def _base(self, target: str, path: str) -> str | None:
        """Return where the base image is to be at the destination, and note that it lacks it."""
        volume = find_volume(self._source.connection, path)
        if volume is None or not is_image_content(volume.name):
            self._loose.append(f"disk {target} lies on {path}, which is no image that was published")
            return None
        self._note_image(target, volume)
        return self._target.home.locate(volume.name)

    def _note_image(self, target: str, volume: Volume) -> None:
        there = ImageCatalog(self._target.connection, self._target.home.pool)
        records = there.records()
        if any(one.volume == volume.name and there.data(one) for one in records) or volume.name in self._images:
            return
        if volume.name in self._scene.coming:
            return
        pool = self._source.place(volume.pool).pool
        here = ImageCatalog(self._source.connection, pool).records()
        known = next((one for one in here if one.volume == volume.name), None)
        if known is None:
            self._loose.append(
                f"disk {target} lies on {volume.name}, which no image of pool {volume.pool} is any more; publish that again"
            )
            return
        # What is called so there stays what it is.
        name = known.name
        if any(one.name == name for one in records):
            digits = known.digest.rpartition(":")[2][:_DIGITS]
            name = f"{name[: _LONGEST_NAME - _DIGITS - 1]}-{digits}"
        self._images[volume.name] = ImageMove(known.name, name, volume.pool, volume.name)

    def _seed(self, record: InstanceRecord, machine: Machine) -> DiskMove | None:
        owned = seed_disk(record)
        if owned is None or not any(disk.target == owned.target and disk.source for disk in machine.disks):
            return None
        volume = self._source.place(owned.pool).pool.find(owned.volume)
        if volume is None:
            self._loose.append(f"volume {owned.volume} of pool {owned.pool}, which tells of its first boot, is gone")
            return None
        if owned.pool in self._shared:
            self._stays(owned, volume)
            return None
        path = self._paths[owned.target] = self._target.home.locate(owned.volume)
        return DiskMove(owned, "raw", volume.capacity, path, mode=_PRIVATE)

    def _others(self, record: InstanceRecord, machine: Machine) -> None:
        """Look at what was not made for the instance: discs of published images come along."""
        known = {owned.target for owned in owned_volumes(record)}
        attached = {owned.target: owned for owned in record.attached if owned.pool in self._shared}
        for disk in machine.disks:
            if disk.target in known or not disk.source:
                continue
            volume = find_volume(self._source.connection, disk.source)
            owned = attached.get(disk.target)
            if volume is not None and owned is not None and (volume.pool, volume.name) == (owned.pool, owned.volume):
                self._stays(owned, volume)
                continue
            if volume is not None and disk.readonly and is_image_content(volume.name):
                self._note_image(disk.target, volume)
                self._paths[disk.target] = self._target.home.locate(volume.name)
            else:
                self._loose.append(
                    f"disk {disk.target} lies on {disk.source}, which was not made for it and is not moved; take it away first"
                )

    def _logs(self, guest: Guest) -> tuple[str, ...]:
        return tuple(serial.log for serial in guest.machine.serials if serial.log)

    def _offering(self, machine: Machine, baulk: Baulk) -> Offering:
        target, arch = self._target, machine.os.arch or ""
        capabilities = host_driver.capabilities(target.connection)
        half = target.guests.get(self._spec.name) if is_half(self._scene.ends) else None
        left = half.record if half and half.record else InstanceRecord()
        record = baulk.existing.record or InstanceRecord()
        own = {owned.volume for owned in owned_volumes(left)}
        own |= {owned.volume for owned in owned_volumes(record) if owned.pool in self._shared}
        filters = target.filters.listed
        knows_machine = machine.os.machine in capabilities.machines(arch)
        return Offering(
            uri=target.connection.uri,
            virt_types=capabilities.virt_types(arch),
            machines=capabilities.machines(arch),
            networks={name: network.is_active for name, network in target.networks.items()},
            filters=None if filters is None else frozenset(filters),
            groups=frozenset(group_names(filters or {})),
            macs=target.macs,
            uuids={guest.reading.uuid: name for name, guest in target.guests.items()},
            names=frozenset(target.guests),
            is_half=half is not None,
            volumes=frozenset(target.home.volumes) - own,
            holds_files=target.home.info.holds_files,
            room=room_obstacle(self._scene),
            cpu=self._cpu(machine, baulk) if knows_machine else None,
        )

    def _cpu(self, machine: Machine, baulk: Baulk) -> str | None:
        traits = baulk.traits
        if traits.cpu is None:
            return None
        if traits.cpu_mode == _PASSTHROUGH:
            return host_cpu_obstacle(self._target.connection, host_driver.capabilities(self._source.connection).cpu_xml)
        return cpu_obstacle(self._target.connection, traits.cpu, machine.type, machine.os.arch, machine.os.machine)


def amount_of(guest: Guest, is_shelved: bool) -> Amount:
    """Return what an instance takes of its host."""
    disk_gb = guest.disk_gb()
    return Amount(0, 0, disk_gb) if is_shelved else Amount(guest.vcpus, guest.memory_mb, disk_gb)


def room_obstacle(scene: Scene) -> str | None:
    """Return what the destination has too little of; what an interrupted move has claimed is there for this one."""
    spec, target, guest = scene.spec, scene.target, scene.guest
    claimed = target.used().plus(scene.promised)
    half = target.guests.get(spec.name)
    if half is not None and is_half(scene.ends):
        claimed = claimed.minus(amount_of(half, half.is_shelved))
    asked = amount_of(guest, guest.is_shelved)
    volumes = owned_volumes(guest.record) if guest.record else ()
    if volumes and {owned.pool for owned in volumes} <= set(scene.shared(guest.record)):
        # What it has is there, and counted there or not as it is.
        asked = replace(asked, disk_gb=0)
    try:
        refuse_overcommit(spec.name, asked, target.total, claimed, spec.limits)
    except CapacityError as exc:
        return exc.message.rstrip(".")
    return None


def domain_of(host: Host, name: str) -> driver.NamedHandle | None:
    """Return the driver's own object of the instance at a host."""
    guest = host.guests.get(name)
    return driver.NamedHandle(name, guest.reading.handle) if guest else None
