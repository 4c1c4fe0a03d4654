# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a domain's XML matters when its power is switched."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .document import Element, attribute, parse, text_of
from .numbers import pci_address

_AGENT = "org.qemu.guest_agent.0"
_PCI_PARTS = ("domain", "bus", "slot", "function")


@dataclass(frozen=True)
class PowerTraits:
    """How the guest takes its power being switched."""

    restarts_at_power_off: bool
    """A guest that powers off is booted again instead of ended."""
    agent: str | None
    """connected or disconnected; None where the guest has no channel for an agent."""
    host_devices: tuple[str, ...]
    """Devices of the host that the guest has: their state can't be saved with its memory."""


def read_power_traits(xml: str) -> PowerTraits:
    """Read them from a running guest's ``xml``."""
    root = parse(xml, "The domain's XML")
    channel = root.find(f"devices/channel/target[@name='{_AGENT}']")
    return PowerTraits(
        restarts_at_power_off=text_of(root, "on_poweroff") == "restart",
        agent=None if channel is None else channel.get("state") or "disconnected",
        host_devices=tuple(_host_devices(root)),
    )


def _host_devices(root: Element) -> t.Iterator[str]:
    for device in [*root.iterfind("devices/hostdev"), *root.iterfind("devices/interface[@type='hostdev']")]:
        address = device.find("source/address")
        if address is None:
            continue
        uuid = attribute(device, "source/address", "uuid")
        if uuid is not None:
            yield f"mediated device {uuid}"
        elif device.tag == "interface" or device.get("type") == "pci":
            yield f"PCI device {pci_address(*(address.get(part) for part in _PCI_PARTS))}"
