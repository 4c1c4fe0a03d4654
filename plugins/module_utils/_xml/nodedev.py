# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Devices of the host, out of libvirt's XML: PCI only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .document import as_int, attribute, parse, text_of
from .numbers import pci_address


@dataclass(frozen=True)
class PciDevice:
    """A PCI device; ids and class are hexadecimal digits without a prefix, as lspci writes them."""

    address: str
    vendor_id: str | None = None
    product_id: str | None = None
    device_class: str | None = None
    driver: str | None = None
    numa_node: int | None = None
    is_bridge: bool = False


def read_pci_device(text: str) -> PciDevice | None:
    """Return the PCI device; None for a device of another kind."""
    root = parse(text)
    pci = root.find("capability[@type='pci']")
    if pci is None:
        return None
    return PciDevice(
        address=pci_address(*(text_of(pci, part) for part in ("domain", "bus", "slot", "function"))),
        vendor_id=_digits(attribute(pci, "vendor", "id")),
        product_id=_digits(attribute(pci, "product", "id")),
        device_class=_digits(text_of(pci, "class")),
        driver=text_of(root, "driver/name"),
        numa_node=as_int(attribute(pci, "numa", "node")),
        is_bridge=pci.find("capability[@type='pci-bridge']") is not None,
    )


def read_mdev(text: str) -> str | None:
    """Return the UUID of a mediated device; None for a device of another kind."""
    root = parse(text)
    mdev = root.find("capability[@type='mdev']")
    if mdev is None:
        return None
    uuid = text_of(mdev, "uuid")
    if uuid is None:
        # Older libvirts tell it in the name alone: mdev_4b20d080_1b54_4048_85b3_a6a62d165c01.
        match = re.match("mdev_([0-9a-f]{8}(?:_[0-9a-f]{4}){3}_[0-9a-f]{12})", text_of(root, "name") or "")
        uuid = match[1].replace("_", "-") if match else None
    return uuid.lower() if uuid else None


def _digits(text: str | None) -> str | None:
    return text[2:] if text and text.startswith("0x") else text
