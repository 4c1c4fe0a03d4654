# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""NICs of a domain: on a network, a bridge or the user-mode stack; other kinds are only reported and never touched."""

from __future__ import annotations

from .._spec.machine import Nic
from .document import Element, XmlError, add, as_int, attribute, drop, put, set_attributes

_SOURCE = {"network": "network", "bridge": "bridge", "user": None}
"""Attribute of ``<source>`` by type."""


def read_nics(devices: Element) -> tuple[Nic, ...]:
    """Return all NICs in their order; one of a kind we do not write has no source."""
    return tuple(_read(nic) for nic in devices.iterfind("interface"))


def put_nics(devices: Element, nics: tuple[Nic, ...]) -> None:
    """Write ``nics``, each found by its MAC address or appended."""
    present = {mac_of(nic): nic for nic in devices.iterfind("interface")}
    for nic in nics:
        element = present.get(nic.mac.lower())
        kind = nic.type if element is None else _kind(element)
        if kind not in _SOURCE or nic.type not in _SOURCE:
            if element is None or kind != nic.type:
                known = ", ".join(_SOURCE)
                raise XmlError(f"NIC {nic.mac} cannot go from type {kind} to {nic.type}: only {known} are known.")
            continue
        if element is None:
            element = add(devices, "interface", type=nic.type)
            put(element, "mac", address=nic.mac.lower())
        _put(element, nic)


def mac_of(interface: Element) -> str:
    """Return the MAC address that identifies a NIC, in lower case."""
    return (attribute(interface, "mac", "address") or "").lower()


def _read(interface: Element) -> Nic:
    kind = _kind(interface)
    source = _SOURCE.get(kind)
    return Nic(
        mac=mac_of(interface),
        type=kind,
        source=attribute(interface, "source", source) if source else None,
        portgroup=attribute(interface, "source", "portgroup") if source else None,
        model=attribute(interface, "model", "type"),
        mtu=as_int(attribute(interface, "mtu", "size")),
        boot_order=as_int(attribute(interface, "boot", "order")),
        link_state=attribute(interface, "link", "state"),
    )


def _put(element: Element, nic: Nic) -> None:
    if _kind(element) != nic.type:
        drop(element, "source")
        set_attributes(element, type=nic.type)
    source = _SOURCE[nic.type]
    if source is not None:
        put(element, "source", **{source: nic.source, "portgroup": nic.portgroup})
    elif nic.source is not None:
        raise XmlError(f"NIC {nic.mac} of type {nic.type} cannot have the source {nic.source!r}: it has none.")
    put(element, "model", type=nic.model)
    put(element, "mtu", size=nic.mtu)
    put(element, "boot", order=nic.boot_order)
    put(element, "link", state=nic.link_state)


def _kind(interface: Element) -> str:
    """Return the declared type: a running domain's XML tells what the network made of it, beside its name."""
    if attribute(interface, "source", "network"):
        return "network"
    return interface.get("type", "")
