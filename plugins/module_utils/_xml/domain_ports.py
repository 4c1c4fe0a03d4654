# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The ports of a PCI Express machine into which devices are plugged."""

from __future__ import annotations

from .document import Element, add, as_int

_PCI = "controller[@type='pci']"
_PORT = f"{_PCI}[@model='pcie-root-port']"


def read_root_ports(devices: Element) -> int | None:
    """Return how many root ports there are; None where there is none."""
    return len(devices.findall(_PORT)) or None


def put_root_ports(devices: Element, count: int | None) -> None:
    """Append root ports until there are ``count``; more than that stay."""
    missing = (count or 0) - len(devices.findall(_PORT))
    if missing <= 0:
        return
    if devices.find(_PCI) is None:
        # Libvirt counts controllers from this one, and adds it by itself only where there is no other.
        add(devices, "controller", type="pci", index=0, model="pcie-root")
    first = 1 + max(as_int(controller.get("index")) or 0 for controller in devices.iterfind(_PCI))
    for index in range(first, first + missing):
        add(devices, "controller", type="pci", index=index, model="pcie-root-port")
