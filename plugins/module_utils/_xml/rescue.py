# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Edits of a definition that an action makes: another volume below a disk, and a disk to rescue the instance with.

What is put in to rescue is taken out without a trace, so that the definition is afterwards what it was before.
"""

from __future__ import annotations

import typing as t

from .._spec.machine import Disk
from .._spec.record import InstanceRecord, Rescue
from .document import Element, XmlError, add, as_int, attribute, drop, ensure, parse, set_attributes, to_text
from .domain_disk import put_disks
from .record import put_record

_AFTER_BOOT = ("bootmenu", "bios", "smbios")
"""What libvirt writes after the boot devices."""


def move_disk(xml: str, disk: Disk, record: InstanceRecord) -> str:
    """Return the definition with the disk of that target lying on ``disk``'s source, and with the ``record``."""
    domain = _parse(xml)
    if _find_disk(domain, disk.target) is None:
        raise XmlError(f"The domain's XML has no disk {disk.target}.")
    put_disks(domain.find("devices"), (disk,))
    put_record(domain, record)
    return to_text(domain)


def add_rescue_disk(xml: str, disk: Disk, record: InstanceRecord) -> str:
    """Return the definition with ``disk`` added and booted before all else, and with the ``record``."""
    domain = _parse(xml)
    # Libvirt takes either the order of <os> or those of the devices.
    drop(domain.find("os"), "boot")
    _shift_boot_orders(domain, 1)
    devices = ensure(domain, "devices")
    put_disks(devices, (disk,))
    put_record(domain, record)
    return to_text(domain)


def remove_rescue_disk(xml: str, rescue: Rescue, record: InstanceRecord) -> str:
    """Return the definition as it was before :func:`add_rescue_disk`, but with the ``record``."""
    domain = _parse(xml)
    devices = ensure(domain, "devices")
    disk = _find_disk(domain, rescue.target)
    if disk is not None:
        devices.remove(disk)
    _shift_boot_orders(domain, -1)
    if rescue.boot_devices:
        _put_boot_devices(ensure(domain, "os"), rescue.boot_devices)
    for controller in devices.findall("controller"):
        if _controller(controller) not in rescue.controllers and not _is_used(devices, controller):
            devices.remove(controller)
    put_record(domain, record)
    return to_text(domain)


def read_controllers(xml: str) -> tuple[str, ...]:
    """Return the controllers, each as type:index, in order: a new disk may bring more of them."""
    return tuple(_controller(controller) for controller in _parse(xml).iterfind("devices/controller"))


def _parse(xml: str) -> Element:
    return parse(xml, "The domain's XML")


def _find_disk(domain: Element, target: str) -> Element | None:
    disks = (disk for disk in domain.iterfind("devices/disk") if attribute(disk, "target", "dev") == target)
    return next(disks, None)


def _shift_boot_orders(domain: Element, by: int) -> None:
    for boot in domain.iterfind("devices/*/boot[@order]"):
        set_attributes(boot, order=(as_int(boot.get("order")) or 0) + by)


def _put_boot_devices(system: Element, boot_devices: tuple[str, ...]) -> None:
    drop(system, "boot")
    later = next((child for child in system if child.tag in _AFTER_BOOT), None)
    for device in boot_devices:
        boot = add(system, "boot", dev=device)
        if later is not None:
            later.addprevious(boot)


def _controller(controller: Element) -> str:
    return f"{controller.get('type')}:{controller.get('index', '0')}"


def _is_used(devices: Element, controller: Element) -> bool:
    """Tell whether a device is plugged into the controller."""
    kind, index = controller.get("type"), as_int(controller.get("index"))
    return any(_parent(address, kind) == index for address in devices.iterfind("*/address"))


def _parent(address: Element, kind: str | None) -> int | None:
    """Return the index of the controller of that ``kind`` that an address leads to; None where it is of another."""
    if kind == "pci" and address.get("type") == "pci":
        return int(address.get("bus", "0"), 0)
    if kind != "pci" and address.get("type") == "drive" and _bus_of(address) == kind:
        return as_int(address.get("controller"))
    return None


def _bus_of(address: Element) -> t.Any:
    return attribute(address.getparent(), "target", "bus")
