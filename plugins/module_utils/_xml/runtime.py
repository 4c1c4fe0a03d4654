# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a domain's XML tells of it as it is now: where its screen and its serial console can be reached, and the like.

Unlike :class:`Machine` nothing of this is ever declared or compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from .document import Element, as_int, attribute, new, parse

_BIOS_ARCHS = frozenset({"x86_64", "i686"})


@dataclass(frozen=True)
class Endpoint:
    """Where a screen can be reached: ``type`` is vnc, spice or rdp; a port or a socket is always there."""

    type: str
    host: str | None = None
    """The address it listens on; None when it listens on a socket."""
    port: int | None = None
    tls_port: int | None = None
    websocket: int | None = None
    socket: str | None = None
    """Path on the hypervisor."""


@dataclass(frozen=True)
class Runtime:
    """What only a running guest's XML has in full; that of a guest that is off has paths and kinds alone."""

    endpoints: tuple[Endpoint, ...] = ()
    pty: str | None = None
    """The host's end of the first serial console."""
    console_log: str | None = None
    """The file that keeps what the first serial console printed."""
    nic_devices: tuple[tuple[str, str], ...] = ()
    """(MAC address, device of the host) of each NIC that has one."""
    firmware: str | None = None
    """bios or efi; None where it is neither."""
    has_video: bool = False


def read_runtime(xml: str) -> Runtime:
    """Return what the XML of a domain tells."""
    domain = parse(xml, "The domain's XML")
    devices = domain.find("devices")
    if devices is None:
        devices = new("devices")
    return Runtime(
        endpoints=tuple(filter(_can_be_reached, map(_endpoint, devices.iterfind("graphics")))),
        pty=_first(devices, ("serial[@type='pty']/source", "path"), ("console[@type='pty']/source", "path")),
        console_log=_first(
            devices, ("serial/log", "file"), ("serial[@type='file']/source", "path"), ("console/log", "file")
        ),
        nic_devices=tuple(_nic_devices(devices)),
        firmware=_firmware(domain),
        has_video=any(model.get("type") != "none" for model in devices.iterfind("video/model")),
    )


def _first(devices: Element, *places: tuple[str, str]) -> str | None:
    return next(filter(None, (attribute(devices, path, name) for path, name in places)), None)


def _endpoint(graphics: Element) -> Endpoint:
    listen = graphics.find("listen")
    if listen is None:
        listen = graphics
    return Endpoint(
        type=graphics.get("type", ""),
        host=listen.get("address") or graphics.get("listen"),
        port=_port(graphics, "port"),
        tls_port=_port(graphics, "tlsPort"),
        websocket=_port(graphics, "websocket"),
        socket=listen.get("socket") or graphics.get("socket"),
    )


def _port(graphics: Element, name: str) -> int | None:
    port = as_int(graphics.get(name))
    # -1 is a port that libvirt has yet to choose.
    return port if port is not None and port > 0 else None


def _can_be_reached(endpoint: Endpoint) -> bool:
    return bool(endpoint.port or endpoint.tls_port or endpoint.socket)


def _nic_devices(devices: Element) -> list[tuple[str, str]]:
    found = (
        (attribute(nic, "mac", "address"), attribute(nic, "target", "dev")) for nic in devices.iterfind("interface")
    )
    return [(mac.lower(), device) for mac, device in found if mac and device]


def _firmware(domain: Element) -> str | None:
    declared = attribute(domain, "os", "firmware")
    if declared:
        return declared
    if attribute(domain, "os/loader", "type") == "pflash":
        return "efi"
    is_hardware = (domain.findtext("os/type") or "").strip() == "hvm"
    return "bios" if is_hardware and attribute(domain, "os/type", "arch") in _BIOS_ARCHS else None
