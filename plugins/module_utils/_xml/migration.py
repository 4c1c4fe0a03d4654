# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The definition of an instance as another host is told it, and what of it may stand against that."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._spec.migration import MovingTraits
from .._spec.record import InstanceRecord
from .document import Element, attribute, drop, ensure, parse, set_attributes, to_text
from .power import read_power_traits
from .record import put_record

_PINS = ("vcpupin", "emulatorpin", "iothreadpin")
_PLACES = ("file", "dev", "name", "volume", "dir")


@dataclass(frozen=True)
class Moved:
    """What is other at the destination; ``disks`` are paths by target, ``logs`` paths by the source's."""

    disks: t.Mapping[str, str]
    record: InstanceRecord | None
    logs: t.Mapping[str, str] = field(default_factory=dict)
    emulator: str | None = None


def read_moving_traits(text: str) -> MovingTraits:
    """Read a definition, or better how the guest runs."""
    root = parse(text, "The domain's XML")
    cpu = root.find("cpu")
    return MovingTraits(
        host_devices=(*read_power_traits(text).host_devices, *_other_devices(root)),
        shares=tuple(attribute(share, "target", "dir") or "" for share in root.iterfind("devices/filesystem")),
        tpm=root.find("devices/tpm") is not None,
        firmware_state=attribute(root, "os/loader", "type") == "pflash"
        or attribute(root, "os", "firmware") == "efi"
        or root.find("os/nvram") is not None,
        pinned=_is_pinned(root),
        foreign_disks=tuple(
            attribute(disk, "target", "dev") or "" for disk in root.iterfind("devices/disk") if _is_foreign(disk)
        ),
        sealed=root.find("launchSecurity") is not None,
        cpu=None if cpu is None else to_text(cpu),
        cpu_mode=None if cpu is None else cpu.get("mode"),
    )


def render_moved(text: str, moved: Moved) -> str:
    """Return the definition as the destination is told it: the same machine on other paths."""
    root = parse(text, "The domain's XML")
    root.attrib.pop("id", None)
    for disk in root.iterfind("devices/disk"):
        path = moved.disks.get(attribute(disk, "target", "dev") or "")
        if path is not None:
            # The chain below is told by the new volume itself.
            drop(disk, "backingStore", "mirror")
            source = ensure(disk, "source")
            source.attrib.pop("index", None)
            set_attributes(source, file=path)
    for log in root.iter("log"):
        path = moved.logs.get(log.get("file", ""))
        if path is not None:
            log.set("file", path)
    emulator = root.find("devices/emulator")
    if moved.emulator is not None and emulator is not None:
        emulator.text = moved.emulator
    put_record(root, moved.record)
    return to_text(root)


def _other_devices(root: Element) -> t.Iterator[str]:
    """Give what is passed through besides PCI and mediated devices."""
    for device in root.iterfind("devices/hostdev"):
        if device.get("type") != "pci" and attribute(device, "source/address", "uuid") is None:
            yield f"{device.get('type') or 'other'} device"


def _is_pinned(root: Element) -> bool:
    pins = (root.find(f"cputune/{pin}") is not None for pin in _PINS)
    cpusets = (vcpu.get("cpuset") is not None for vcpu in root.iterfind("vcpu"))
    cells = root.find("numatune/memory[@nodeset]") is not None or root.find("numatune/memnode") is not None
    return any(pins) or any(cpusets) or cells or root.find("memoryBacking/hugepages") is not None


def _is_foreign(disk: Element) -> bool:
    source = disk.find("source")
    if source is None or not any(source.get(place) for place in _PLACES):
        return disk.get("device", "disk") not in ("cdrom", "floppy")
    is_sealed = disk.find("encryption") is not None or source.find("encryption") is not None
    return disk.get("type", "file") != "file" or is_sealed or disk.find("transient") is not None
