# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""NICs of a domain: on a network, a bridge or the user-mode stack; other kinds are only reported and never touched."""

from __future__ import annotations

from .._spec.machine import Nic
from .._spec.tuning import Rate
from .document import Element, XmlError, add, as_bool, as_int, attribute, drop, ensure, put, set_attributes

_SOURCE = {"network": "network", "bridge": "bridge", "direct": "dev", "user": None}
"""Attribute of ``<source>`` by type."""
_DIRECT = "direct"
_FILTERED = ("network", "bridge")
"""Types of NICs that can have a network filter."""
_IP = "IP"
"""The filters' variable that libvirt else finds out from what the guest sends."""
_RATE = ("average", "peak", "burst")


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
        mode=attribute(interface, "source", "mode") if kind == _DIRECT else None,
        queues=as_int(attribute(interface, "driver", "queues")),
        vlan=_vlan(interface),
        filter=attribute(interface, "filterref", "filter"),
        filter_ip=" ".join(_value(parameter) for parameter in _ip_parameters(interface)) or None,
        isolated=as_bool(attribute(interface, "port", "isolated")),
        virtualport=attribute(interface, "virtualport", "type"),
        inbound=_rate(interface, "inbound"),
        outbound=_rate(interface, "outbound"),
    )


def _put(element: Element, nic: Nic) -> None:
    if _kind(element) != nic.type:
        # A virtual port is one of what the NIC was plugged into.
        drop(element, "source", "virtualport", *(() if nic.type in _FILTERED else ("filterref",)))
        set_attributes(element, type=nic.type)
    source = _SOURCE[nic.type]
    if source is not None:
        if nic.portgroup == "" or nic.source not in (None, attribute(element, "source", source)):
            # A port group is one of its network, so none of another.
            ensure(element, "source").attrib.pop("portgroup", None)
        put(element, "source", **{source: nic.source, "portgroup": nic.portgroup or None, "mode": nic.mode})
    elif nic.source is not None:
        raise XmlError(f"NIC {nic.mac} of type {nic.type} cannot have the source {nic.source!r}: it has none.")
    put(element, "model", type=nic.model)
    put(element, "mtu", size=nic.mtu)
    put(element, "boot", order=nic.boot_order)
    put(element, "link", state=nic.link_state)
    put(element, "driver", queues=nic.queues)
    if nic.vlan is not None and nic.vlan != _vlan(element):
        drop(element, "vlan")
        add(add(element, "vlan"), "tag", id=nic.vlan)
    _put_named(element, "filterref", "filter", nic.filter)
    put_filter_ip(element, nic.filter_ip)
    put(element, "port", isolated=nic.isolated)
    _put_named(element, "virtualport", "type", nic.virtualport)
    _put_rate(element, "inbound", nic.inbound)
    _put_rate(element, "outbound", nic.outbound)


def _kind(interface: Element) -> str:
    """Return the declared type: a running domain's XML tells what the network made of it, beside its name."""
    if attribute(interface, "source", "network"):
        return "network"
    return interface.get("type", "")


def _vlan(interface: Element) -> int | None:
    tags = interface.findall("vlan/tag")
    return as_int(tags[0].get("id")) if len(tags) == 1 else None


def _put_named(element: Element, tag: str, name: str, value: str | None) -> None:
    """Write the attribute that says what the child ``tag`` is; another one's parameters go, and with "" the child."""
    if value is not None and attribute(element, tag, name) != value:
        drop(element, tag)
        put(element, tag, **{name: value or None})


def _ip_parameters(interface: Element) -> list[Element]:
    return [one for one in interface.iterfind("filterref/parameter") if one.get("name") == _IP]


def _value(parameter: Element) -> str:
    return parameter.get("value") or ""


def put_filter_ip(element: Element, addresses: str | None) -> None:
    """Tell the filter, if there is one, of these addresses alone."""
    reference, present = element.find("filterref"), _ip_parameters(element)
    wanted = (addresses or "").split()
    if reference is None or addresses is None or [_value(one) for one in present] == wanted:
        return
    for parameter in present:
        reference.remove(parameter)
    for address in wanted:
        add(reference, "parameter", name=_IP, value=address)


def _rate(interface: Element, direction: str) -> Rate:
    return Rate(*(as_int(attribute(interface, f"bandwidth/{direction}", name)) or 0 for name in _RATE))


def _put_rate(element: Element, direction: str, rate: Rate | None) -> None:
    """Write one direction's rates; 0 takes a limit away, and with no limit left the elements."""
    wanted = {name: getattr(rate, name, None) for name in _RATE}
    bandwidth = ensure(element, "bandwidth") if any(wanted.values()) else element.find("bandwidth")
    if bandwidth is None or all(value is None for value in wanted.values()):
        return
    limits = ensure(bandwidth, direction)
    for name, value in wanted.items():
        if value == 0:
            limits.attrib.pop(name, None)
        else:
            set_attributes(limits, **{name: value})
    if not limits.attrib:
        bandwidth.remove(limits)
    if len(bandwidth) == 0 and not bandwidth.attrib:
        element.remove(bandwidth)
