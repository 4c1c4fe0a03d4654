# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Devices of the host, out of libvirt's XML: PCI only."""

from __future__ import annotations

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


def _digits(text: str | None) -> str | None:
    return text[2:] if text and text.startswith("0x") else text
