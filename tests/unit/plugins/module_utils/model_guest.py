# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A model of a guest: what QEMU lets be changed while it runs. What it would refuse, the model refuses."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import cached_property

from ansible_collections.kilonova.compute.plugins.module_utils._plan import drift
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Action
from ansible_collections.kilonova.compute.plugins.module_utils._plan.removals import with_leftovers
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.live import device_of, limits_of
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import IoTune
from ansible_collections.kilonova.compute.plugins.module_utils._xml import domain as domain_xml
from ansible_collections.kilonova.compute.plugins.module_utils._xml.devices import remove_devices
from lxml import etree

GROUPS: dict[str, tuple[str, str]] = {
    "nic": ("nics", "mac"),
    "disk": ("disks", "target"),
    "channel": ("channels", "name"),
    "watchdog": ("watchdogs", "model"),
}
"""Kinds of devices that can be plugged: the field of a machine that holds them, and their identity."""
_BRIDGED = frozenset({"network", "bridge"})
_PLUGGABLE = ("virtio", "scsi")
_BLOCK_KIB = 128 * 1024
"""In what pieces a guest takes memory into use."""

Thing = t.TypeVar("Thing")


class ImpossibleError(Exception):
    """The hypervisor would refuse that."""


def require(possible: t.Any, what: str) -> None:
    """Refuse what the hypervisor would refuse."""
    if not possible:
        raise ImpossibleError(what)


def there(thing: Thing | None) -> Thing:
    """Return what must be there."""
    if thing is None:
        raise ImpossibleError("nothing")
    return thing


def find(machine: Machine, kind: str, key: str) -> t.Any:
    """Return a device, or None."""
    require(kind in GROUPS, f"{kind} is no kind of device that is plugged")
    group, identity = GROUPS[kind]
    return next((device for device in getattr(machine, group) if getattr(device, identity) == key), None)


@dataclass(frozen=True)
class Guest:
    """A guest as it runs, or as it was saved."""

    xml: str
    is_paused: bool = False

    @classmethod
    def booted(cls, definition: str, is_paused: bool) -> Guest:
        """Return a guest that has just booted from a definition, which libvirt shows a little otherwise."""
        domain = etree.fromstring(definition)
        there(domain.find("os")).attrib.pop("firmware", "")
        cpu = domain.find("cpu")
        if cpu is not None and cpu.get("mode") == "host-model":
            cpu.set("mode", "custom")
            cpu.insert(0, etree.Element("model", fallback="forbid"))
            cpu[0].text = "Nehalem"
        for graphics in domain.iterfind("devices/graphics[@port='-1']"):
            graphics.set("port", "5900")
        return cls(etree.tostring(domain, encoding="unicode"), is_paused)

    @cached_property
    def machine(self) -> Machine:
        """Return the machine that it runs on."""
        return domain_xml.read(self.xml)

    @property
    def has_plain_slots(self) -> bool:
        """Tell whether a device that is not of PCI Express can be plugged in."""
        return "i440fx" in (self.machine.os.machine or "")

    def told(self, record: InstanceRecord, before: InstanceRecord) -> Guest:
        """Return the guest with its own record renewed, as the step does that follows a new definition."""
        known = with_leftovers(before, self.machine.record or InstanceRecord(), self.machine)
        return self.edited(replace(self.machine, record=with_leftovers(record, known, self.machine)))

    def edited(self, machine: Machine) -> Guest:
        """Return the guest with all that the machine sets."""
        return replace(self, xml=domain_xml.edit(self.xml, machine))

    def with_device(self, kind: str, device: t.Any) -> Guest:
        """Return the guest with a device that is new or changed."""
        changes: dict[str, t.Any] = {GROUPS[kind][0]: (device,)}
        return self.edited(replace(self.machine, **changes))

    def without(self, kind: str, key: str) -> Guest:
        """Return the guest without a device."""
        return replace(self, xml=remove_devices(self.xml, kind, [key]))

    def perform(self, action: Action, desired: Machine, volumes: t.Collection[str]) -> Guest:
        """Return the guest after a step of a plan; ``volumes`` are the paths of those that are there."""
        return _STEPS[action.verb](self, action, desired, volumes)


def _attach(guest: Guest, action: Action, desired: Machine, volumes: t.Collection[str]) -> Guest:
    kind, key = device_of(action)
    if kind == "rng":
        require(guest.machine.rng is None, "there is one")
        rate = {name: getattr(desired, name) for name in ("rng_rate_bytes", "rng_rate_period_ms")}
        return guest.edited(replace(guest.machine, rng=key, **rate))
    wanted = there(find(desired, kind, key))
    require(find(guest.machine, kind, key) is None, f"{kind} {key} is there")
    if kind == "disk":
        require(wanted.device == "disk" and wanted.bus in _PLUGGABLE, f"{wanted.bus} can't be plugged")
        has_driver = wanted.bus != "scsi" or guest.machine.scsi_model == "virtio-scsi"
        require(has_driver, "the guest has no driver for the controller")
        require(wanted.source in volumes, f"{wanted.source} is not there")
        require(wanted.source not in {disk.source for disk in guest.machine.disks}, f"{wanted.source} is there twice")
    require(kind != "watchdog" or guest.has_plain_slots, "a watchdog needs a slot of plain PCI")
    return guest.with_device(kind, wanted)


def _detach(guest: Guest, action: Action, unused_desired: Machine, unused_volumes: t.Collection[str]) -> Guest:
    kind, key = device_of(action)
    require(not guest.is_paused, "a guest whose CPUs stand still lets nothing go")
    if kind == "rng":
        require(guest.machine.rng == key, "it is not there")
    else:
        device = there(find(guest.machine, kind, key))
        require(kind != "disk" or device.bus in _PLUGGABLE, f"{key} can't be unplugged")
        require(kind != "watchdog" or guest.has_plain_slots, f"{key} can't be unplugged")
    return guest.without(kind, key)


def _update(guest: Guest, action: Action, desired: Machine, unused_volumes: t.Collection[str]) -> Guest:
    kind, key = device_of(action)
    names = {change.path.rpartition("].")[2].partition(".")[0] for change in action.changes}
    device, wanted = there(find(guest.machine, kind, key)), there(find(desired, kind, key))
    names |= {"portgroup"} if "source" in names and kind == "nic" else set()
    updated = replace(device, **{name: getattr(wanted, name) or None for name in names})
    if kind == "disk":
        require(device.device == "cdrom" and names == {"source"}, f"{names} of a disk can't change")
    else:
        can_change = {"type", "source", "portgroup", "link_state", "inbound", "outbound"}
        require(kind == "nic" and names <= can_change, f"{names} of {kind} {key} can't change")
        bridged = {device.type, updated.type} <= _BRIDGED
        require(bridged or names == {"link_state"}, f"from {device.type} to {updated.type}")
        require(bool(updated.source) == (updated.type in _BRIDGED), f"{updated.type} on {updated.source}")
    return guest.with_device(kind, updated)


def _eject(guest: Guest, action: Action, unused_desired: Machine, unused_volumes: t.Collection[str]) -> Guest:
    kind, key = device_of(action)
    drive = there(find(guest.machine, kind, key))
    require(kind == "disk" and drive.device == "cdrom" and drive.source, "there is no disc")
    return guest.with_device(kind, replace(drive, source=""))


def _limit_disk(guest: Guest, action: Action, desired: Machine, unused_volumes: t.Collection[str]) -> Guest:
    _kind, key = device_of(action)
    wanted, present = there(find(desired, "disk", key)), there(find(guest.machine, "disk", key))
    limits = IoTune(**limits_of(wanted, present))
    for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
        apart = getattr(limits, f"read_{what}") or getattr(limits, f"write_{what}")
        require(not (getattr(limits, f"total_{what}") and apart), "a total excludes the rest")
    return guest.with_device("disk", replace(present, iotune=limits))


def _limit_cpu(guest: Guest, action: Action, desired: Machine, unused_volumes: t.Collection[str]) -> Guest:
    names = {change.path.rpartition(".")[2] for change in action.changes}
    tune = replace(guest.machine.cpu_tune, **{name: getattr(desired.cpu_tune, name) for name in names})
    return guest.edited(replace(guest.machine, cpu_tune=tune))


def _set_memory(guest: Guest, unused_action: Action, desired: Machine, unused_volumes: t.Collection[str]) -> Guest:
    machine, size = guest.machine, there(desired.current_memory_kib)
    missing = size - machine.memory_kib
    if missing > 0:
        module = -(-missing // _BLOCK_KIB) * _BLOCK_KIB
        require(not guest.is_paused and machine.features.acpi, "the guest would not take it")
        require(machine.memory_kib + module <= (machine.max_memory_kib or 0), "there is no room")
        modules = (*machine.memory_modules_kib, module)
        require(len(modules) <= (machine.memory_slots or 0), "there is no slot")
        machine = replace(machine, memory_kib=machine.memory_kib + module, memory_modules_kib=modules)
    kept = machine.memory_kib - size
    require(kept == 0 or machine.balloon != "none", f"nothing keeps {kept} KiB")
    require(kept < _BLOCK_KIB or not machine.memory_modules_kib, "it could run out of memory when it boots by itself")
    return guest.edited(replace(machine, current_memory_kib=size))


def _set_vcpus(guest: Guest, unused_action: Action, desired: Machine, unused_volumes: t.Collection[str]) -> Guest:
    count = there(desired.current_vcpus)
    require((guest.machine.current_vcpus or 0) < count <= guest.machine.vcpus, f"{count} vCPUs")
    return guest.edited(replace(guest.machine, current_vcpus=count))


_STEPS: dict[str, t.Callable[[Guest, Action, Machine, t.Collection[str]], Guest]] = {
    drift.ATTACH: _attach,
    drift.DETACH: _detach,
    drift.UPDATE_DEVICE: _update,
    drift.EJECT: _eject,
    drift.LIMIT_DISK: _limit_disk,
    drift.LIMIT_CPU: _limit_cpu,
    drift.SET_MEMORY: _set_memory,
    drift.SET_VCPUS: _set_vcpus,
}
