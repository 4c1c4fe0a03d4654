# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Machines and hosts as flat facts, by path, to see what a plan really changed."""

from __future__ import annotations

import typing as t
from dataclasses import fields, is_dataclass, replace

from ansible_collections.kilonova.compute.plugins.module_utils._plan.memory import most_memory_kib
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instance import GUEST_AGENT, InstanceSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import DEVICE_KEYS, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.model import GIB, Model

_NAMES = {
    "memory_kib": "max_memory_mb",
    "current_memory_kib": "memory_mb",
    "vcpus": "max_vcpus",
    "current_vcpus": "vcpus",
}
_IDENTITY = frozenset({"name", "uuid", "record"})
_SLOTS = frozenset({"max_memory_kib", "memory_slots", "memory_modules_kib", "cpu.cells"})
"""How there comes to be as much memory as there can be and is."""


def facts(machine: Machine) -> dict[str, t.Any]:
    """Return each field of a machine by the path that a user knows it by; a device by itself is True."""
    found: dict[str, t.Any] = {}
    machine = replace(machine, memory_kib=most_memory_kib(machine))
    for field in fields(machine):
        value = getattr(machine, field.name)
        if field.name in DEVICE_KEYS:
            for device in value:
                path = f"{field.name}[{getattr(device, DEVICE_KEYS[field.name])}]"
                found[path] = True
                found.update(_parts(path, device))
        elif field.name not in _IDENTITY:
            found.update(_parts(_NAMES.get(field.name, field.name), value))
    return {path: value for path, value in found.items() if path not in _SLOTS}


def _parts(path: str, value: t.Any) -> dict[str, t.Any]:
    if not is_dataclass(value):
        return {path: value}
    found: dict[str, t.Any] = {}
    for field in fields(value):
        found.update(_parts(f"{path}.{field.name}", getattr(value, field.name)))
    return found


def _different(before: dict[str, t.Any], after: dict[str, t.Any]) -> set[str]:
    """Return the paths that differ; of a device that came or went only its own."""
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    devices = tuple(f"{path}." for path in paths if path.endswith("]"))
    return {path for path in paths if not path.startswith(devices)}


def changed_paths(before: Model, after: Model, boots: bool = True) -> set[str]:
    """Return all that differs between two hosts; without ``boots`` not what a guest got by booting."""
    found = _different(facts(before.defined), facts(after.defined))
    earlier, later = before.running, after.running
    if earlier is not None and later is not None and (boots or before.boots == after.boots):
        found |= _different(facts(earlier), facts(later))
    return found | _different(_of_host(before), _of_host(after))


def _of_host(model: Model) -> dict[str, t.Any]:
    """Return what is beside the machine."""
    machine = model.defined
    record = machine.record or InstanceRecord()
    sources = {disk.target: disk.source for disk in machine.disks}
    found: dict[str, t.Any] = {
        "power_state": model.state,
        "autostart": model.autostart,
        "managed": machine.record is not None,
        "flavor": record.flavor,
        "metadata": record.labels,
        "protected": record.protected,
    }
    if record.root is None:
        found["disk_gb"] = record.disk_gb
    root = record.root.target if record.root else next(iter(sources), None)
    for place, volume in model.volumes.items():
        target = next((target for target, source in sources.items() if model.place_of(source) == place), None)
        if target is not None and target == root:
            found["disk_gb"] = volume.size // GIB
        else:
            found[f"volumes[{place[1]}]"] = True
            found[f"volumes[{place[1]}].size_gb"] = volume.size // GIB
    return found


def undone(spec: InstanceSpec, model: Model) -> set[str]:
    """Return the options that the definition and the host are not as declared in, looked at without the planner."""
    pairs = (*_of_size(spec, model), *_of_devices(spec, model), *_of_platform(spec, model.defined))
    record = model.defined.record or InstanceRecord()
    own = (
        ("metadata", spec.metadata, record.labels),
        ("protected", spec.protected, record.protected),
        ("autostart", spec.autostart, model.autostart),
    )
    return {option for option, wanted, present in (*pairs, *own) if wanted is not None and wanted != present}


_Pairs = t.Iterator[tuple[str, t.Any, t.Any]]
_KIB_PER_MIB = 1024


def _of_size(spec: InstanceSpec, model: Model) -> _Pairs:
    machine, flavor, cpu = model.defined, spec.flavor, model.defined.cpu
    if flavor is not None:
        yield "flavor.vcpus", flavor.vcpus, machine.current_vcpus
        yield "flavor.memory_mb", flavor.memory_mb * _KIB_PER_MIB, machine.current_memory_kib
        yield "flavor.name", flavor.name, machine.record.flavor if machine.record else None
        detail = spec.detail
        if detail.sockets is not None:
            topology = (cpu.sockets, cpu.cores, cpu.threads) if cpu else None
            yield "flavor.extra_specs", (detail.sockets, detail.cores, detail.threads), topology
        root = next((model.place_of(disk.source) for disk in machine.disks if disk.device == "disk"), None)
        if root in model.volumes:
            yield "flavor.disk_gb", max(flavor.disk_gb * GIB, model.volumes[root].size), model.volumes[root].size
    yield "max_vcpus", spec.max_vcpus, machine.vcpus
    yield "max_memory_mb", spec.max_memory_mb and spec.max_memory_mb * _KIB_PER_MIB, most_memory_kib(machine)
    for volume in spec.volumes or ():
        place = (volume.pool or "default", volume.name)
        yield f"{volume.name}.size_gb", volume.size_gb and volume.size_gb * GIB, model.volumes[place].size


def _of_devices(spec: InstanceSpec, model: Model) -> _Pairs:
    machine = model.defined
    there = {nic.mac: nic for nic in machine.nics}
    for nic in spec.nics or ():
        yield nic.mac, (nic.kind, nic.network or nic.bridge), (there[nic.mac].type, there[nic.mac].source)
        for name in ("portgroup", "model", "link_state"):
            yield f"{nic.mac}.{name}", getattr(nic, name), getattr(there[nic.mac], name)
    disks = {model.place_of(disk.source): disk for disk in machine.disks if disk.device == "disk"}
    for volume in spec.volumes or ():
        disk = disks[volume.pool or "default", volume.name]
        for name in ("bus", "serial", "cache", "discard", "readonly", "shareable"):
            yield f"{volume.name}.{name}", getattr(volume, name), getattr(disk, name)
    if spec.cdroms is not None:
        # Drives that were added by hand stay, and it makes no difference which drive a disc is in.
        ours = machine.record.drives if machine.record else ()
        discs = [model.place_of(disk.source) for disk in machine.disks if disk.target in ours]
        yield "cdroms", sorted(("default", disc) for disc in spec.cdroms), sorted(disc for disc in discs if disc)
    for graphics in machine.graphics if spec.graphics.type != "none" else ():
        for name in ("type", "listen", "port", "keymap"):
            yield f"graphics.{name}", getattr(spec.graphics, name), getattr(graphics, name)
    if spec.graphics.type == "none":
        yield "graphics", (), machine.graphics


def _of_platform(spec: InstanceSpec, machine: Machine) -> _Pairs:
    hardware = spec.hardware
    yield "boot.devices", spec.boot.devices, machine.os.boot_devices
    yield "boot.menu", spec.boot.menu, machine.os.boot_menu
    yield "cpu.mode", hardware.cpu_mode, machine.cpu.mode if machine.cpu else None
    yield "cpu.model", hardware.cpu_model, machine.cpu.model if machine.cpu else None
    for name in ("acpi", "apic", "pae"):
        yield f"features.{name}", getattr(hardware, name), getattr(machine.features, name)
    for name in ("emulator", "on_poweroff", "on_reboot", "on_crash", "video"):
        yield name, getattr(hardware, name), getattr(machine, name)
    yield "clock", hardware.clock, machine.clock_offset
    yield "rng", hardware.rng, machine.rng is not None
    yield "balloon", hardware.balloon, machine.balloon == "virtio"
    yield "guest_agent", hardware.guest_agent, any(channel.name == GUEST_AGENT for channel in machine.channels)
    yield "console.log", hardware.console_log, any(serial.log for serial in machine.serials)
