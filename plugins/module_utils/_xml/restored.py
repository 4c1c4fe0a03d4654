# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The definition of an instance that is made from another's of then: the same machine, and nothing of the host twice."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._spec.names import NO_CLOUD, console_log_name, named_serial
from .._spec.record import InstanceRecord
from .document import Element, XmlError, drop, ensure, parse, set_attributes, to_text
from .domain_nic import put_filter_ip
from .record import find_record, put_record

_DRIVES = ("cdrom", "floppy")
_PINS = ("vcpupin", "emulatorpin", "iothreadpin", "vcpusched", "iothreadsched", "emulatorsched")


@dataclass(frozen=True)
class Identity:
    """What the new instance has of its own; ``disks`` are path and format by target."""

    name: str
    record: InstanceRecord
    disks: t.Mapping[str, tuple[str, str]]
    macs: t.Sequence[str]


def read_then(text: str) -> tuple[InstanceRecord, int]:
    """Return the record and the number of NICs in the definition that a backup has."""
    root = _parse(text)
    return find_record(root) or InstanceRecord(), len(root.findall("devices/interface"))


def render_restored(text: str, own: Identity) -> str:
    """Return the new definition.

    Disks that the backup does not have go, and drives are empty. Devices of the host and the pinning to its CPUs and
    cells belong to the instance of then. Firmware and TPM begin anew.
    """
    root = _parse(text)
    old = root.findtext("name") or ""
    root.attrib.pop("id", None)
    drop(root, "uuid", "numatune")
    ensure(root, "name").text = own.name
    for pinned in root.iterfind("cputune"):
        drop(pinned, *_PINS)
    for vcpu in root.iterfind("vcpu"):
        vcpu.attrib.pop("cpuset", None)
    for genid in root.iterfind("genid"):
        genid.text = None
    for nvram in root.iterfind("os/nvram"):
        nvram.text = None
        drop(nvram, "source")
    _rename_firmware(root, own.name)
    devices = ensure(root, "devices")
    _put_disks(devices, own.disks)
    _put_nics(devices, own.macs)
    drop(devices, "hostdev")
    _rename_logs(devices, console_log_name(old), console_log_name(own.name))
    put_record(root, own.record)
    return to_text(root)


def _parse(text: str) -> Element:
    root = parse(text, "The definition in the backup")
    if root.tag != "domain":
        raise XmlError(f"The definition in the backup cannot be read: it is <{root.tag}>.")
    return root


def _rename_firmware(root: Element, name: str) -> None:
    """Have the firmware tell the new host name, and the UUID that is to come."""
    for entry in root.findall("sysinfo/system/entry"):
        if (entry.text or "").startswith(NO_CLOUD):
            entry.text = named_serial(name)
        elif entry.get("name") == "uuid":
            system = entry.getparent()
            system.remove(entry)
            if next(iter(system), None) is None:
                drop(root, "sysinfo")
                for boot in root.iterfind("os"):
                    drop(boot, "smbios")


def _put_disks(devices: Element, wanted: t.Mapping[str, tuple[str, str]]) -> None:
    for disk in devices.findall("disk"):
        target = disk.find("target")
        name = "" if target is None else target.get("dev", "")
        drop(disk, "backingStore", "mirror")
        if name in wanted:
            path, kind = wanted[name]
            drop(disk, "source")
            set_attributes(disk, type="file")
            set_attributes(ensure(disk, "driver"), type=kind)
            set_attributes(ensure(disk, "source"), file=path)
        elif disk.get("device", "disk") in _DRIVES:
            drop(disk, "source")
        else:
            devices.remove(disk)


def _put_nics(devices: Element, macs: t.Sequence[str]) -> None:
    for nic, mac in zip(devices.findall("interface"), macs):
        if nic.get("type") == "hostdev":
            devices.remove(nic)
            continue
        set_attributes(ensure(nic, "mac"), address=mac)
        # The host's end of it is named anew.
        drop(nic, "target")
        # The address that it had is the other instance's.
        put_filter_ip(nic, "")


def _rename_logs(devices: Element, old: str, new: str) -> None:
    for log in devices.iter("log"):
        directory, _slash, name = log.get("file", "").rpartition("/")
        if name == old:
            log.set("file", f"{directory}/{new}")
    for source in devices.iter("source"):
        directory, _slash, name = source.get("path", "").rpartition("/")
        if name == old:
            source.set("path", f"{directory}/{new}")
