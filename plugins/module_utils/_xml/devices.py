# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Single devices of a domain: rendered to be attached, found to be detached, edited to be updated, and removed.

A device is named by its kind and by what identifies it in a :class:`~.._spec.machine.Machine`: a disk by its target,
a NIC by its MAC address, a channel by its name, a graphical console by its type.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass

from .._spec.machine import Channel, Disk, Graphics, Nic
from .document import Element, XmlError, attribute, library, new, parse, text_of, to_text
from .domain_console import put_channels, put_graphics
from .domain_disk import put_disks
from .domain_extra import put_rng
from .domain_nic import mac_of, put_nics

Device = t.Union[Disk, Nic, Graphics, Channel]


@dataclass(frozen=True)
class _Kind:
    """How devices of one kind are written, which elements they are, and what identifies one of these."""

    put: t.Callable[[Element, tuple[t.Any, ...]], None]
    tag: str
    identity: t.Callable[[Element], str | None]
    folded: bool = False
    """Identities are the same in upper and lower case."""


_KINDS: dict[str, _Kind] = {
    "disk": _Kind(put_disks, "disk", lambda element: attribute(element, "target", "dev")),
    "nic": _Kind(put_nics, "interface", mac_of, folded=True),
    "graphics": _Kind(put_graphics, "graphics", lambda element: element.get("type")),
    "channel": _Kind(put_channels, "channel", lambda element: attribute(element, "target", "name")),
    "rng": _Kind(
        lambda devices, sources: put_rng(devices, sources[0]), "rng", lambda element: text_of(element, "backend")
    ),
}
_KIND_OF: dict[type, str] = {Disk: "disk", Nic: "nic", Graphics: "graphics", Channel: "channel"}
KINDS = tuple(_KINDS)
"""Kinds of devices that can be found and removed."""


def render_disk(disk: Disk) -> str:
    """Return a new ``<disk>``."""
    return render_device(disk)


def render_nic(nic: Nic) -> str:
    """Return a new ``<interface>``."""
    return render_device(nic)


def render_graphics(graphics: Graphics) -> str:
    """Return a new ``<graphics>``."""
    return render_device(graphics)


def render_channel(channel: Channel) -> str:
    """Return a new ``<channel>``."""
    return render_device(channel)


def render_device(device: Device) -> str:
    """Return the element that ``device`` is in a new definition."""
    devices = new("devices")
    _kind_of(device).put(devices, (device,))
    return to_text(devices[0], pretty=True)


def render_rng(source: str) -> str:
    """Return a new ``<rng>`` that is fed from the host's device ``source``."""
    devices = new("devices")
    put_rng(devices, source)
    return to_text(devices[0], pretty=True)


def find_device_xml(domain_xml: str, kind: str, key: str) -> str | None:
    """Return the element of a domain's device as it stands there; None where there is no such device."""
    found = _find(_devices(parse(domain_xml, "The domain's XML")), kind, key)
    return None if found is None else _alone(found)


def edit_device(element_xml: str, device: Device) -> str:
    """Return the element with all that ``device`` sets; what it does not set, or is not known here, stays."""
    devices = new("devices")
    element = parse(element_xml, "The device's XML")
    devices.append(element)
    _kind_of(device).put(devices, (device,))
    if len(devices) != 1:
        raise XmlError(f"The device's XML cannot be changed: <{element.tag}> is not the device {device!r}.")
    return to_text(element)


def remove_devices(domain_xml: str, kind: str, keys: t.Collection[str]) -> str:
    """Return a domain's definition without the devices of ``kind`` that ``keys`` name; one that is not there is no error."""
    domain = parse(domain_xml, "The domain's XML")
    devices = _devices(domain)
    for key in keys:
        found = _find(devices, kind, key)
        if found is not None:
            devices.remove(found)
    return to_text(domain)


def _kind_of(device: Device) -> _Kind:
    return _KINDS[_KIND_OF[type(device)]]


def _devices(domain: Element) -> Element:
    devices = domain.find("devices")
    return new("devices") if devices is None else devices


def _find(devices: Element, kind: str, key: str) -> Element | None:
    known = _KINDS[kind]
    wanted = key.lower() if known.folded else key
    return next((element for element in devices.iterfind(known.tag) if known.identity(element) == wanted), None)


def _alone(element: Element) -> str:
    """Return ``element`` as text, without the namespaces that its ancestors declare and it does not use."""
    alone = copy.deepcopy(element)
    library().cleanup_namespaces(alone)
    return to_text(alone)
