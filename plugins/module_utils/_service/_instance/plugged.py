# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the NICs of a running guest are plugged into: whether that can change while it runs, and how it does."""

from __future__ import annotations

from dataclasses import replace

from ..._driver import domain_change as driver
from ..._driver.connection import Connection
from ..._driver.guests import GuestReading
from ..._driver.network import find_network
from ..._plan.existing import Existing
from ..._spec.machine import OPEN_VSWITCH, Machine, Nic
from ..._xml.devices import edit_device, find_device_xml, render_device
from ..._xml.network_nic import (
    by_its_network,
    has_limits,
    is_alike,
    is_switched,
    network_of,
    plugged_over,
    with_what_its_group_gives,
)
from .host import Host
from .networks import has_linux_bridge

_LIVE = driver.Scope(live=True, persistent=False)
_UNLIMITED = {"inbound.average": 0, "outbound.average": 0}


def as_plugged(host: Host, desired: Machine, existing: Existing | None) -> Existing | None:
    """Return the instance with what is known of NICs that are to be plugged in elsewhere while its guest runs.

    Libvirt can do that from one Linux bridge to another, and from one port group to another where both are on one Open
    vSwitch. A NIC that has all that a port group gives is in it, whatever libvirt tells: it goes on with the old name then.
    """
    if existing is None or existing.live is None:
        return existing
    present = {nic.mac: nic for nic in existing.live.nics}
    moved = {nic.mac: nic for nic in desired.nics if nic.mac in present and _is_elsewhere(nic, present[nic.mac])}
    named = {mac: nic.portgroup or None for mac, nic in moved.items() if _has_all(host, existing, nic, present[mac])}
    nics = tuple(replace(nic, portgroup=named.get(nic.mac, nic.portgroup)) for nic in existing.live.nics)
    anchored = frozenset(
        mac for mac, nic in moved.items() if mac not in named and not _can_move(host, nic, present[mac])
    )
    return replace(existing, live=replace(existing.live, nics=nics), anchored=anchored)


def _has_all(host: Host, existing: Existing, nic: Nic, before: Nic) -> bool:
    """Tell whether a NIC has all that its new port group gives."""
    network = host.networks.get(before.source or "") if _is_beside(nic, before) else None
    guest = host.reading(existing.machine.name)
    if network is None or guest is None:
        return False
    running = find_device_xml(host.live_text(guest.name) or guest.xml, "nic", nic.mac) or ""
    return is_alike(running, with_what_its_group_gives(_own(guest, nic), network.xml))


def _is_elsewhere(nic: Nic, before: Nic) -> bool:
    return not _is_beside(nic, before) or nic.portgroup not in (None, before.portgroup or "")


def _is_beside(nic: Nic, before: Nic) -> bool:
    return (nic.type, nic.source) == (before.type, before.source)


def _can_move(host: Host, nic: Nic, before: Nic) -> bool:
    if before.virtualport == OPEN_VSWITCH and _is_beside(nic, before):
        return True
    return _is_on_linux_bridge(host, nic) and _is_on_linux_bridge(host, before)


def _is_on_linux_bridge(host: Host, nic: Nic) -> bool:
    network = host.networks.get(nic.source or "") if nic.type == "network" else None
    return not nic.virtualport and (network is None or has_linux_bridge(network))


def _own(domain: GuestReading, wanted: Nic) -> str:
    """Return a NIC as it will be defined, which tells what is its own and not its port group's."""
    defined = find_device_xml(domain.xml, "nic", wanted.mac)
    return edit_device(defined, wanted) if defined else render_device(wanted)


def update_nic(connection: Connection, domain: GuestReading, present: str, wanted: Nic, changes: Nic) -> None:
    """Change a NIC that runs as ``present``, or have it leave its network or port group for another one."""
    text = edit_device(by_its_network(present), changes)
    if changes.source is not None or changes.portgroup is not None:
        text = plugged_over(text, _own(domain, wanted))
    if is_switched(text):
        network = find_network(connection, network_of(text))
        text = with_what_its_group_gives(text, network.xml()) if network else text
        if has_limits(present) and not has_limits(text):
            # With an update alone, the switch would keep them.
            driver.set_interface_parameters(connection, domain, wanted.mac, _UNLIMITED, _LIVE)
    driver.update_device(connection, domain, text, _LIVE)
