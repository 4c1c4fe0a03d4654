# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A model of a host with one instance: what libvirt does when it is asked for the steps of a plan.

The definition is XML that the collection's own writer edits. The guest is apart from it and changes by steps alone; it
becomes what is defined when it boots. What libvirt would refuse, the model refuses.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field, replace
from pathlib import Path

from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan import drift, power, refusals
from ansible_collections.kilonova.compute.plugins.module_utils._plan import instance as verbs
from ansible_collections.kilonova.compute.plugins.module_utils._plan.claims import Amount
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.machine import whole
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Action
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.definition import (
    Found,
    patch_design,
    write_definition,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.design import design
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.design_disks import (
    Storage,
    VolumePlace,
    check_volume_buses,
    root_volume_name,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import platform_of
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.platforms import Platform
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.steps import Job
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instance import InstanceSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._xml import domain as domain_xml
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import NOW, Q35, validated
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.model_guest import (
    GROUPS,
    Guest,
    find,
    require,
    there,
)
from lxml import etree

GIB = 1024**3
SIZE = Amount(8, 4096, 100)
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
UUID = "2c3a2d3c-6c1b-4f0c-9d5e-0d8e54b0a001"
POOLS = {"default": "/pool", "other": "/other"}
Place = tuple[str, str]
"""Pool and volume."""


@functools.lru_cache
def schema() -> t.Any:
    """Return libvirt's schema, which takes a while to read."""
    if not SCHEMA.exists():
        raise FileNotFoundError(f"libvirt's schema {SCHEMA} is missing: install libvirt-daemon or libvirt-common")
    return etree.RelaxNG(etree.parse(str(SCHEMA)))


@dataclass(frozen=True)
class Volume:
    """A volume of a pool."""

    size: int
    format: str


@dataclass
class Model:
    """The host: its volumes, the definition, the guest that runs or is paused, and the memory that was saved."""

    volumes: dict[Place, Volume] = field(default_factory=dict)
    xml: str = ""
    guest: Guest | None = None
    saved: Guest | None = None
    autostart: bool = False
    boots: int = 0
    pools: t.Mapping[str, str] = field(default_factory=POOLS.copy)

    def copy(self) -> Model:
        """Return a host that is the same and goes its own way."""
        return replace(self, volumes=dict(self.volumes))

    @property
    def defined(self) -> Machine:
        """Return the definition."""
        return domain_xml.read(self.xml)

    @property
    def running(self) -> Machine | None:
        """Return the machine that the guest runs on, or goes on with."""
        guest = self.guest or self.saved
        return None if guest is None else guest.machine

    @property
    def state(self) -> str:
        """Return the word for what the instance does."""
        if self.guest is not None:
            return "paused" if self.guest.is_paused else "running"
        return "suspended" if self.saved is not None else "stopped"

    def existing(self, spec: InstanceSpec) -> Existing | None:
        """Return the instance as it is found."""
        if not self.xml:
            return None
        machine = self.defined
        record = machine.record
        is_adopted = record.adopted if record else spec.adopt
        return Existing(
            machine=machine,
            state=self.state if self.guest is not None else "shutoff",
            active=self.guest is not None,
            saved=self.saved is not None,
            disks=(*(self._found_root(machine) if is_adopted else ()), *self._recorded(machine, record, spec)),
            live=self.running,
            autostart=self.autostart,
        )

    def _recorded(self, machine: Machine, record: InstanceRecord | None, spec: InstanceSpec) -> t.Iterator[OwnDisk]:
        declared = {(volume.pool or "default", volume.name) for volume in spec.volumes or ()}
        record = record or InstanceRecord()
        for owned in (*record.disks, *record.attached):
            if owned not in record.disks and (owned.pool, owned.volume) not in declared:
                continue
            disk = next((disk for disk in machine.disks if disk.target == owned.target), None)
            path = f"{self.pools[owned.pool]}/{owned.volume}"
            yield OwnDisk(
                target=owned.target,
                pool=owned.pool,
                volume=owned.volume,
                source=disk.source if disk else None,
                strayed=disk is not None and disk.source != path,
                missing=(owned.pool, owned.volume) not in self.volumes,
                capacity_bytes=self._capacity((owned.pool, owned.volume)),
                is_root=owned == record.root,
                is_ours=owned in record.disks,
            )

    def _found_root(self, machine: Machine) -> t.Iterator[OwnDisk]:
        for disk in machine.disks:
            place = self.place_of(disk.source)
            if disk.device == "disk" and not disk.readonly and place:
                size = self._capacity(place)
                yield OwnDisk(disk.target, *place, source=disk.source, capacity_bytes=size, is_ours=False)
                return

    def _capacity(self, place: Place) -> int | None:
        return self.volumes[place].size if place in self.volumes else None

    def place_of(self, path: str | None) -> Place | None:
        """Return the volume at ``path``."""
        for pool, directory in self.pools.items():
            if path and path.startswith(f"{directory}/"):
                return pool, path.rpartition("/")[2]
        return None

    def places(self, spec: InstanceSpec) -> t.Iterator[VolumePlace]:
        """Give the places of the declared volumes."""
        record = (self.defined.record if self.xml else None) or InstanceRecord()
        known = [(disk.pool, disk.volume) for disk in (*record.disks, *record.attached)]
        for volume in spec.volumes or ():
            pool = volume.pool or "default"
            found = self.volumes.get((pool, volume.name))
            if found and volume.size_gb and (pool, volume.name) not in known and found.size != volume.size_gb * GIB:
                raise SpecError("volumes", f"{volume.name} has {found.size}", "declare that")
            yield VolumePlace(pool, f"{self.pools[pool]}/{volume.name}", False, found.format if found else None)

    def perform(self, action: Action, job: Job) -> None:
        """Do one step of a plan."""
        target = action.target.rpartition("/")[2]
        if action.verb in (verbs.DEFINE, verbs.UPDATE):
            self._define(job.xml)
        elif action.verb == verbs.CREATE_DISK:
            self._create(target, job)
        elif action.verb == verbs.GROW_DISK:
            self._grow(target, int(action.changes[0].after) * GIB)
        elif action.verb == verbs.SET_AUTOSTART:
            self.autostart = bool(action.changes[0].after)
        elif action.verb in _POWER:
            _POWER[action.verb](self)
        else:
            paths = {f"{self.pools[pool]}/{volume}" for pool, volume in self.volumes}
            wanted = whole(there(job.desired), job.existing.machine) if job.existing else there(job.desired)
            self.guest = there(self.guest).perform(action, wanted, paths)
            if action.verb == drift.DETACH:
                self._tell_guest(job.existing.machine if job.existing else None)

    def _define(self, xml: str) -> None:
        filled = fill_in(xml)
        for text in (xml, filled):
            require(schema().validate(etree.fromstring(text)), f"{schema().error_log}\n{text}")
        before, self.xml = self.xml, filled
        self._tell_guest(domain_xml.read(before) if before else None)

    def _tell_guest(self, before: Machine | None) -> None:
        if self.guest is not None:
            nothing = InstanceRecord()
            earlier = (before.record if before else None) or nothing
            self.guest = self.guest.told(self.defined.record or nothing, earlier)

    def _create(self, target: str, job: Job) -> None:
        record, spec = there(there(job.desired).record), there(job.spec)
        owned = next(disk for disk in record.disks if disk.target == target)
        disk = next(disk for disk in self.defined.disks if disk.target == target)
        place = (owned.pool, owned.volume)
        require(self.place_of(disk.source) == place and place not in self.volumes, f"{place} can't be {disk.source}")
        sizes = {(volume.pool or "default", volume.name): volume.size_gb for volume in spec.volumes or ()}
        size = record.disk_gb if owned == record.root else sizes.get(place)
        self.volumes[place] = Volume(there(size) * GIB, disk.format or "raw")

    def _grow(self, target: str, size: int) -> None:
        source = there(find(self.defined, "disk", target)).source
        place = there(self.place_of(source))
        volume = self.volumes[place]
        require(size > volume.size, f"{place} shrinks from {volume.size} to {size}")
        self.volumes[place] = replace(volume, size=size)

    def boot(self, is_paused: bool = False) -> None:
        """Start the guest, from its saved memory where there is some."""
        require(self.guest is None, "it runs")
        if self.saved is None:
            for disk in self.defined.disks:
                require(disk.source is None or self.place_of(disk.source) in self.volumes, f"{disk.source} is gone")
            self.boots += 1
            self.guest = Guest.booted(self.xml, is_paused)
        else:
            self.guest, self.saved = replace(self.saved, is_paused=is_paused), None

    def stop(self) -> None:
        """Let the guest power off."""
        require(self.guest, "it is off")
        self.guest = None

    def save(self) -> None:
        """Save the guest's memory."""
        require(self.guest, "it is off")
        self.guest, self.saved = None, self.guest

    def pause(self, is_paused: bool = True) -> None:
        """Hold the guest's CPUs, or let them go on."""
        guest = there(self.guest)
        require(guest.is_paused != is_paused, "it is already")
        self.guest = replace(guest, is_paused=is_paused)

    # What people do by themselves.

    def bring_to(self, state: str) -> None:
        """Bring the instance to a state."""
        if self.state == state:
            return
        if state == "stopped":
            self.guest = self.saved = None
            return
        if self.guest is None:
            self.boot()
        self.guest = replace(there(self.guest), is_paused=state == "paused")
        if state == "suspended":
            self.save()

    def plug(self, element: str, in_guest: bool, in_definition: bool) -> bool:
        """Plug a device in; return whether it could be."""
        kind, key, device = _device(element)
        machines = [self.defined, *([self.running] if self.running else [])]
        if kind in GROUPS and any(find(machine, kind, key) for machine in machines):
            return False
        if in_guest and (self.guest is None or kind not in GROUPS):
            return False
        if in_definition:
            domain = etree.fromstring(self.xml)
            there(domain.find("devices")).append(etree.fromstring(element))
            self.xml = etree.tostring(domain, encoding="unicode")
        if in_guest:
            self.guest = there(self.guest).with_device(kind, device)
        return True

    def has_defined(self, element: str) -> bool:
        """Tell whether just this element is in the definition."""
        wanted = etree.tostring(etree.fromstring(element), method="c14n")
        devices = there(etree.fromstring(self.xml).find("devices"))
        return wanted in {etree.tostring(device, method="c14n") for device in devices}

    def has_in_guest(self, element: str) -> bool:
        """Tell whether the guest has just this device, as it runs or as it was saved."""
        kind, key, device = _device(element)
        return bool(find(there(self.running), kind, key) == device)

    def disown(self) -> None:
        """Make the instance a domain that somebody else made."""
        self.xml = _disowned(self.xml)
        self.guest = self.guest and replace(self.guest, xml=_disowned(self.guest.xml))


def _disowned(xml: str) -> str:
    domain = etree.fromstring(xml)
    domain.remove(there(domain.find("metadata")))
    return str(etree.tostring(domain, encoding="unicode"))


def _device(element: str) -> tuple[str, str, t.Any]:
    """Return kind, key and device of an element; of kinds that are not plugged only the first."""
    machine = domain_xml.read(f"<domain><devices>{element}</devices></domain>")
    for kind, (group, identity) in GROUPS.items():
        for device in getattr(machine, group):
            return kind, getattr(device, identity), device
    return etree.fromstring(element).tag, "", None


_POWER: dict[str, t.Callable[[Model], None]] = {
    power.START: Model.boot,
    power.START_PAUSED: lambda model: model.boot(is_paused=True),
    power.RESUME: lambda model: model.pause(is_paused=False),
    power.PAUSE: Model.pause,
    power.SUSPEND: Model.save,
    power.STOP: Model.stop,
}


def fill_in(xml: str) -> str:
    """Return a definition with what libvirt adds to it by itself."""
    domain = etree.fromstring(xml)
    devices = there(domain.find("devices"))
    if domain.find("uuid") is None:
        domain.insert(1, _element("uuid", UUID))
    cpu = domain.find("cpu")
    if cpu is None:
        cpu = etree.SubElement(domain, "cpu")
    if "mode" not in cpu.attrib:
        cpu.attrib.update({"mode": "custom", "match": "exact", "check": "none"})
        cpu.insert(0, _element("model", "qemu64", fallback="forbid"))
    if devices.find("memballoon") is None:
        devices.append(_element("memballoon", model="virtio"))
    for graphics in devices.iterfind("graphics"):
        graphics.set("port", graphics.get("port", "-1"))
    if devices.find("graphics") is not None and devices.find("video") is None:
        devices.append(_element("video"))
        devices[-1].append(_element("model", type="vga"))
    return etree.tostring(domain, encoding="unicode")


def _element(tag: str, text: str | None = None, **attributes: str) -> t.Any:
    element = etree.Element(tag, attributes)
    element.text = text
    return element


def planned(model: Model, declared: dict[str, t.Any], allow_power_cycle: bool = False) -> Job:
    """Return what is to be done on the host for the instance, or raise what stands against it."""
    spec = InstanceSpec.from_params(validated(declared), "demo")
    existing = model.existing(spec)
    if existing is None:
        spec = spec.completed()
    else:
        refusals.check_ours(spec.name, spec.fleet, existing, adopt=spec.adopt)
    platform, storage = _platform(spec, existing), _storage(model, spec, existing)
    check_volume_buses(spec, platform.machine)
    machine = existing.machine if existing else None
    desired = design(spec, platform, storage, machine, NOW)
    refusals.refuse_without_balloon(spec, desired, desired.balloon or (machine.balloon if machine else None))
    refusals.refuse_headroom(spec, desired, SIZE)
    refusals.refuse_ends(desired, machine)
    found = _found(model, machine)
    patched = patch_design(spec, desired, found)
    desired, manner = patched.desired, verbs.Manner(allow_power_cycle, patched.patches, patched.waiting_patches)
    plan, waiting = verbs.plan_present(spec, desired, existing, manner)
    job = Job(spec.name, spec.fleet, plan, spec, desired, existing, waiting=waiting)
    if plan.has(verbs.DEFINE) or plan.has(verbs.UPDATE):
        job.xml = write_definition(spec, desired, found)
    return job


def _found(model: Model, machine: Machine | None) -> Found | None:
    live = model.guest or model.saved
    return Found(machine, model.xml, live.xml if live else None) if machine else None


def _platform(spec: InstanceSpec, existing: Existing | None) -> Platform:
    if existing is None:
        machine = {"pc": "pc-i440fx-7.2"}.get(spec.hardware.machine_type or "q35", Q35.machine)
        return replace(Q35, machine=machine, video=None if spec.graphics.type == "none" else Q35.video)
    needs_screen = spec.graphics.type not in (None, "none") and not existing.machine.graphics
    has_card = existing.machine.video not in (None, "none")
    return platform_of(existing.machine, spec, Q35.video if needs_screen and not has_card else None)


def _storage(model: Model, spec: InstanceSpec, existing: Existing | None) -> Storage:
    storage = Storage("default", model.pools["default"], False, None, None, tuple(model.places(spec)))
    if existing is None:
        has_root = spec.image is not None or (spec.flavor is not None and spec.flavor.disk_gb)
        digest = "sha256:" + "0" * 64
        return replace(storage, root_volume=root_volume_name(spec) if has_root else None, image_digest=digest)
    live = existing.live
    return replace(storage, busy_targets=frozenset(disk.target for disk in live.disks)) if live else storage
