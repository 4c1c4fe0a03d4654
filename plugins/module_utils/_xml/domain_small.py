# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Small devices of a domain: watchdogs, sound, a tablet, and a socket to its host."""

from __future__ import annotations

from .._spec.machine import Vsock, Watchdog
from .document import Element, add, as_bool, as_int, attribute, drop, ensure, set_attributes

_TABLET = "input[@type='tablet']"


def read_watchdogs(devices: Element) -> tuple[Watchdog, ...]:
    """Return the watchdogs."""
    return tuple(Watchdog(element.get("model", ""), element.get("action")) for element in devices.iterfind("watchdog"))


def put_watchdogs(devices: Element, watchdogs: tuple[Watchdog, ...]) -> None:
    """Write watchdogs, each found by its model or appended."""
    present = {element.get("model"): element for element in devices.iterfind("watchdog")}
    for watchdog in watchdogs:
        element = present.get(watchdog.model)
        if element is None:
            element = add(devices, "watchdog", model=watchdog.model)
        set_attributes(element, action=watchdog.action)


def put_sound(devices: Element, model: str | None) -> None:
    """Write the first sound card's model; what belongs to another model goes."""
    if model is None or attribute(devices, "sound", "model") == model:
        return
    sound = ensure(devices, "sound")
    drop(sound, "codec", "address")
    set_attributes(sound, model=model)


def read_tablet(devices: Element) -> str | None:
    """Return the bus of the tablet."""
    return attribute(devices, _TABLET, "bus")


def put_tablet(devices: Element, bus: str | None) -> None:
    """Write the bus of the tablet; another bus needs another address."""
    if bus is None or read_tablet(devices) == bus:
        return
    tablet = devices.find(_TABLET)
    if tablet is None:
        tablet = add(devices, "input", type="tablet")
    drop(tablet, "address")
    set_attributes(tablet, bus=bus)


def read_vsock(devices: Element) -> Vsock | None:
    """Return the socket to the host."""
    vsock = devices.find("vsock")
    if vsock is None:
        return None
    return Vsock(as_bool(attribute(vsock, "cid", "auto")), as_int(attribute(vsock, "cid", "address")))


def put_vsock(devices: Element, vsock: Vsock | None) -> None:
    """Write the socket to the host; a number that libvirt is to choose goes."""
    if vsock is None:
        return
    element = devices.find("vsock")
    if element is None:
        element = add(devices, "vsock", model="virtio")
    cid = ensure(element, "cid")
    if vsock.auto and vsock.cid is None:
        cid.attrib.pop("address", None)
    set_attributes(cid, auto=vsock.auto, address=vsock.cid)
