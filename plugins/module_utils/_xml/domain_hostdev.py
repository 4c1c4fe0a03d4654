# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Devices of the host that a domain is given: PCI devices, and mediated ones (mdev)."""

from __future__ import annotations

from .._spec.machine import Hostdev
from .document import Element, XmlError, add, as_bool, set_attributes
from .numbers import pci_address, pci_parts

_KINDS = ("pci", "mdev")


def read_hostdevs(devices: Element) -> tuple[Hostdev, ...]:
    """Return the host's devices of the kinds that are known."""
    return tuple(_read(element) for element in devices.iterfind("hostdev") if element.get("type") in _KINDS)


def put_hostdevs(devices: Element, hostdevs: tuple[Hostdev, ...]) -> None:
    """Write devices of the host, each found by its address or appended."""
    present = {address_of(element): element for element in devices.iterfind("hostdev")}
    for hostdev in hostdevs:
        if hostdev.type not in _KINDS:
            raise XmlError(f"Host device {hostdev.address} is of type {hostdev.type}: only pci and mdev are known.")
        element = present.get(hostdev.address)
        if element is None:
            element = add(devices, "hostdev", mode="subsystem", type=hostdev.type)
            source = add(element, "source")
            parts = pci_parts(hostdev.address) if hostdev.type == "pci" else {"uuid": hostdev.address}
            add(source, "address", **parts)
        elif element.get("type") != hostdev.type:
            raise XmlError(f"Host device {hostdev.address} is of type {element.get('type')} and not {hostdev.type}.")
        set_attributes(element, managed=hostdev.managed, model=hostdev.model)


def address_of(element: Element) -> str | None:
    """Return the address that identifies a host device; None for one of another kind."""
    address = element.find("source/address")
    if address is None or element.get("type") not in _KINDS:
        return None
    if element.get("type") == "mdev":
        return (address.get("uuid") or "").lower()
    return pci_address(*(address.get(part) for part in ("domain", "bus", "slot", "function")))


def _read(element: Element) -> Hostdev:
    is_pci = element.get("type") == "pci"
    return Hostdev(
        address=address_of(element) or "",
        type=element.get("type", ""),
        managed=as_bool(element.get("managed")) if is_pci else None,
        model=element.get("model"),
    )
