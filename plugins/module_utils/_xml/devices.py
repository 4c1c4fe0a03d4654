# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Single devices of a domain: rendered to be attached, found to be detached, edited to be updated, and removed.

A device is named by its kind and by what identifies it in a :class:`~.._spec.machine.Machine`: a disk by its target,
a NIC by its MAC address, a channel by its name, a graphical console by its type, a device of the host by its address,
a file system by its tag, random numbers by their source, a watchdog, a TPM, a sound card, a video card and a socket by
their model, an input device by its type, a serial port by its number.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass

from .._spec.machine import Channel, Disk, Filesystem, Graphics, Hostdev, Nic, Vsock, Watchdog
from .document import Element, XmlError, attribute, drop, library, new, parse, text_of, to_text
from .domain_console import port_of, put_channels, put_graphics
from .domain_disk import put_disks
from .domain_extra import put_rng
from .domain_fs import put_filesystems
from .domain_hostdev import address_of, put_hostdevs
from .domain_nic import mac_of, put_nics
from .domain_small import put_vsock, put_watchdogs

Device = t.Union[Disk, Nic, Graphics, Channel, Watchdog, Hostdev, Filesystem, Vsock]
"""What can be rendered alone and edited; random numbers, which are no dataclass, have ``render_rng``."""
_Put = t.Callable[[Element, t.Any], None]
"""Writes one device into ``<devices>``."""


@dataclass(frozen=True)
class _Kind:
    """Which elements the devices of one kind are, and what identifies one of these."""

    tag: str
    identity: t.Callable[[Element], str | None]
    folded: bool = False
    """Identities are the same in upper and lower case."""


def _model(element: Element) -> str | None:
    return element.get("model")


def _type(element: Element) -> str | None:
    return element.get("type")


_KINDS: dict[str, _Kind] = {
    "disk": _Kind("disk", lambda element: attribute(element, "target", "dev")),
    "nic": _Kind("interface", mac_of, folded=True),
    "graphics": _Kind("graphics", _type),
    "channel": _Kind("channel", lambda element: attribute(element, "target", "name")),
    "serial": _Kind(
        "serial", lambda element: str(port_of(element, element.getparent().findall("serial").index(element)))
    ),
    "watchdog": _Kind("watchdog", _model),
    "hostdev": _Kind("hostdev", address_of, folded=True),
    "filesystem": _Kind("filesystem", lambda element: attribute(element, "target", "dir")),
    "rng": _Kind("rng", lambda element: text_of(element, "backend[@model='random']")),
    "vsock": _Kind("vsock", _model),
    "tpm": _Kind("tpm", _model),
    "sound": _Kind("sound", _model),
    "input": _Kind("input", _type),
    "video": _Kind("video", lambda element: attribute(element, "model", "type")),
}
_PUT: dict[type, _Put] = {
    Disk: lambda devices, disk: put_disks(devices, (disk,)),
    Nic: lambda devices, nic: put_nics(devices, (nic,)),
    Graphics: lambda devices, graphics: put_graphics(devices, (graphics,)),
    Channel: lambda devices, channel: put_channels(devices, (channel,)),
    Watchdog: lambda devices, watchdog: put_watchdogs(devices, (watchdog,)),
    Hostdev: lambda devices, hostdev: put_hostdevs(devices, (hostdev,)),
    Filesystem: lambda devices, filesystem: put_filesystems(devices, (filesystem,)),
    Vsock: put_vsock,
}
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


def render_watchdog(watchdog: Watchdog) -> str:
    """Return a new ``<watchdog>``."""
    return render_device(watchdog)


def render_hostdev(hostdev: Hostdev) -> str:
    """Return a new ``<hostdev>``."""
    return render_device(hostdev)


def render_filesystem(filesystem: Filesystem) -> str:
    """Return a new ``<filesystem>``."""
    return render_device(filesystem)


def render_vsock(vsock: Vsock) -> str:
    """Return a new ``<vsock>``."""
    return render_device(vsock)


def render_rng(source: str, rate_bytes: int | None = None, rate_period_ms: int | None = None) -> str:
    """Return a new ``<rng>`` fed from a device of the host."""
    devices = new("devices")
    put_rng(devices, source, rate_bytes, rate_period_ms)
    return to_text(devices[0], pretty=True)


def render_device(device: Device) -> str:
    """Return the element that ``device`` is in a new definition."""
    devices = new("devices")
    _PUT[type(device)](devices, device)
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
    _PUT[type(device)](devices, device)
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
    if kind == "serial" and devices.find("serial") is None:
        # The first console stands for the first serial port; libvirt would make that anew.
        drop(devices, "console")
    return to_text(domain)


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
