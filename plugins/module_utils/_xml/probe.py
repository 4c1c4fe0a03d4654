# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The tiny guest that shows whether a virt type works: no disk, no network, only firmware and a serial port."""

from __future__ import annotations

from dataclasses import dataclass

from .._spec.machine import Disk
from .document import Element, add, new, to_text
from .domain_disk import put_disks


@dataclass(frozen=True)
class ProbeGuest:
    """What to start; with ``loader``, a UEFI firmware file, else the machine's BIOS."""

    virt_type: str
    arch: str
    machine: str | None = None
    loader: str | None = None
    memory_mb: int = 64


def render_probe(guest: ProbeGuest, name: str) -> str:
    """Return the definition of the guest."""
    domain = _domain(guest, name)
    system = domain.find("os")
    if guest.loader:
        # Stateless, so that no file with the firmware's variables is left behind.
        add(system, "loader", guest.loader, readonly=True, type="pflash", stateless=True)
    else:
        add(system, "bios", useserial=True)
    add(add(domain, "features"), "acpi")
    add(_devices(domain), "serial", type="pty")
    return to_text(domain, pretty=True)


def render_opener(guest: ProbeGuest, disk: Disk, name: str) -> str:
    """Return the definition of a guest that is never booted, since it is enough that ``disk`` can be opened."""
    domain = _domain(guest, name)
    put_disks(_devices(domain), (disk,))
    return to_text(domain, pretty=True)


def _domain(guest: ProbeGuest, name: str) -> Element:
    domain = new("domain", type=guest.virt_type)
    add(domain, "name", name)
    add(domain, "memory", guest.memory_mb, unit="MiB")
    add(domain, "vcpu", 1)
    add(add(domain, "os"), "type", "hvm", arch=guest.arch, machine=guest.machine)
    return domain


def _devices(domain: Element) -> Element:
    devices = add(domain, "devices")
    add(devices, "controller", type="usb", model="none")
    add(devices, "memballoon", model="none")
    return devices
