# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Ways to talk to a domain: ``<graphics>``, ``<serial>`` with its ``<console>``, and ``<channel>``."""

from __future__ import annotations

from .._spec.machine import Channel, Graphics, Serial
from .document import Element, add, as_bool, as_int, attribute, drop, ensure, put, set_attributes


def read_graphics(devices: Element) -> tuple[Graphics, ...]:
    """Return the graphical consoles; a port that libvirt has yet to choose is None."""
    return tuple(_read_graphics(graphics) for graphics in devices.iterfind("graphics"))


def put_graphics(devices: Element, several: tuple[Graphics, ...]) -> None:
    """Write graphical consoles, each found by its type or appended."""
    present = {element.get("type"): element for element in reversed(devices.findall("graphics"))}
    for graphics in several:
        element = present.get(graphics.type)
        if element is None:
            element = add(devices, "graphics", type=graphics.type)
        if graphics.autoport and graphics.port is None:
            element.attrib.pop("port", None)
        if graphics.autoport and graphics.tls_port is None:
            element.attrib.pop("tlsPort", None)
        set_attributes(element, port=graphics.port, tlsPort=graphics.tls_port, autoport=graphics.autoport)
        set_attributes(element, keymap=graphics.keymap)
        if graphics.listen is not None:
            _put_listen(element, graphics.listen)


def read_serials(devices: Element) -> tuple[Serial, ...]:
    """Return the serial ports; one without a number has that of its place."""
    return tuple(_read_serial(serial, index) for index, serial in enumerate(devices.iterfind("serial")))


def put_serials(devices: Element, serials: tuple[Serial, ...]) -> None:
    """Write serial ports, each found by its number or appended; the first console of all is on the first of them."""
    present = {port_of(element, index): element for index, element in enumerate(devices.iterfind("serial"))}
    for serial in serials:
        element = present.get(serial.port)
        _put_serial(add(devices, "serial") if element is None else element, serial)
    if serials and devices.find("console") is None:
        console = add(devices, "console", type=serials[0].type)
        _put_path(console, serials[0])
        put(console, "target", type="serial", port=serials[0].port)


def read_channels(devices: Element) -> tuple[Channel, ...]:
    """Return the channels that have a name."""
    return tuple(Channel(name, channel.get("type", "")) for name, channel in _named_channels(devices).items())


def put_channels(devices: Element, channels: tuple[Channel, ...]) -> None:
    """Write channels, each found by its name or appended; another type has another source."""
    present = _named_channels(devices)
    for channel in channels:
        element = present.get(channel.name)
        if element is None:
            element = add(devices, "channel", type=channel.type)
            add(element, "target", type="virtio", name=channel.name)
        elif element.get("type") != channel.type:
            drop(element, "source")
            set_attributes(element, type=channel.type)


def _named_channels(devices: Element) -> dict[str, Element]:
    named = ((attribute(channel, "target", "name"), channel) for channel in devices.iterfind("channel"))
    return {name: channel for name, channel in named if name}


def _read_graphics(element: Element) -> Graphics:
    return Graphics(
        type=element.get("type", ""),
        listen=element.get("listen") or attribute(element, "listen[@type='address']", "address"),
        port=_chosen(element.get("port")),
        autoport=as_bool(element.get("autoport")),
        keymap=element.get("keymap"),
        tls_port=_chosen(element.get("tlsPort")),
    )


def _chosen(port: str | None) -> int | None:
    """Return a port; None for one that libvirt has yet to choose."""
    number = as_int(port)
    return number if number is not None and number > 0 else None


def _put_listen(element: Element, address: str) -> None:
    # The attribute is the older way to say it; where both are, libvirt insists that they agree.
    element.attrib.pop("listen", None)
    listen = element.find("listen[@type='address']")
    if listen is None:
        drop(element, "listen")
        listen = add(element, "listen", type="address")
    set_attributes(listen, address=address)


def _read_serial(element: Element, index: int) -> Serial:
    kind = element.get("type", "")
    return Serial(
        type=kind,
        port=port_of(element, index),
        path=attribute(element, "source", "path") if kind == "file" else None,
        log=attribute(element, "log", "file"),
        log_append=as_bool(attribute(element, "log", "append")),
    )


def _put_serial(element: Element, serial: Serial) -> None:
    if element.get("type") not in (None, serial.type):
        drop(element, "source")
    set_attributes(element, type=serial.type)
    _put_path(element, serial)
    put(element, "target", port=serial.port)
    if serial.log == "":
        drop(element, "log")
    elif serial.log is not None:
        put(element, "log", file=serial.log)
    if serial.log_append is not None and element.find("log") is not None:
        put(element, "log", append="on" if serial.log_append else "off")


def _put_path(element: Element, serial: Serial) -> None:
    if serial.path is not None:
        set_attributes(ensure(element, "source"), path=serial.path)


def port_of(element: Element, index: int) -> int:
    """Return the number of a serial port, which without one is that of its place."""
    port = as_int(attribute(element, "target", "port"))
    return index if port is None else port
