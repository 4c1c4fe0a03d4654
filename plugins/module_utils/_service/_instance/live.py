# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The steps that change a running guest, without a pause of its work."""

from __future__ import annotations

import typing as t
from dataclasses import fields, replace

from ..._driver import domain_change as driver
from ..._driver.connection import Connection
from ..._driver.domain import live_xml
from ..._driver.events import watch
from ..._driver.guests import GuestReading
from ..._errors import DriverError, WaitTimeoutError
from ..._plan.plan import Action
from ..._plan.removals import CDROM
from ..._spec.machine import Channel, Disk, Hostdev, Machine, Nic, Watchdog
from ..._spec.tuning import IoTune, excluded
from ..._xml.devices import edit_device, find_device_xml, render_device, render_rng
from ..._xml.domain import read
from .plugged import update_nic

_LIVE = driver.Scope(live=True, persistent=False)
_DETACH_ATTEMPTS = 8
_DETACH_SECONDS = 20.0
"""How long the guest may take before it is asked again; both are Nova's."""
_DEVICES: dict[str, tuple[str, str]] = {
    "nic": ("nics", "mac"),
    "disk": ("disks", "target"),
    "channel": ("channels", "name"),
    "watchdog": ("watchdogs", "model"),
    "hostdev": ("hostdevs", "address"),
}


def set_vcpus(connection: Connection, domain: GuestReading, desired: Machine) -> None:
    """Plug in vCPUs."""
    if desired.current_vcpus is not None:
        driver.set_vcpus(connection, domain, desired.current_vcpus, _LIVE)


def attach(connection: Connection, domain: GuestReading, desired: Machine, action: Action) -> None:
    """Plug in a device."""
    kind, key = device_of(action)
    if kind == "rng":
        xml = render_rng(key, desired.rng_rate_bytes, desired.rng_rate_period_ms)
    else:
        xml = render_device(_wanted(desired, kind, key))
    driver.attach_device(connection, domain, xml, _LIVE)


def update(connection: Connection, domain: GuestReading, desired: Machine, action: Action) -> None:
    """Change those fields of a device that the action's changes name; the rest of it stays as it runs."""
    kind, key = device_of(action)
    xml = live_xml(connection, domain)
    present = find_device_xml(xml, kind, key)
    if present is None:
        raise DriverError(f"Cannot change {kind} {key} of {domain.name}: it is gone.")
    wanted, own = _wanted(desired, kind, key), _wanted(read(xml), kind, key)
    changed = {change.path.rpartition("].")[2].partition(".")[0] for change in action.changes}
    if kind == "nic" and "source" in changed:
        # What was plugged into another network loses its port group, also where the same one is declared.
        changed.add("portgroup")
    if kind == "nic" and "filter" in changed:
        changed.add("filter_ip")
    identity = {_DEVICES[kind][1], "type", "device"} & {field.name for field in fields(own)}
    blank = type(own)(**{name: getattr(own, name) for name in identity})
    device = replace(blank, **{name: getattr(wanted, name) for name in changed})
    if isinstance(wanted, Nic) and isinstance(device, Nic):
        update_nic(connection, domain, present, wanted, device)
    else:
        driver.update_device(connection, domain, edit_device(present, device), _LIVE)


def limit_disk(connection: Connection, domain: GuestReading, desired: Machine, action: Action) -> None:
    """Change what a disk may do; a limit that is not declared stays, unless it excludes one that is."""
    _kind, target = device_of(action)
    present = next((disk for disk in read(live_xml(connection, domain)).disks if disk.target == target), None)
    wanted = next((disk for disk in desired.disks if disk.target == target), None)
    if present is None or wanted is None:
        raise DriverError(f"Cannot limit disk {target} of {domain.name}: it is gone.")
    driver.set_block_iotune(connection, domain, target, limits_of(wanted, present), _LIVE)


def limits_of(wanted: Disk, present: Disk) -> dict[str, int]:
    """Return all limits of a disk as libvirt takes them: it forgets those that are left out."""
    limits = {field.name: getattr(present.iotune, field.name, None) or 0 for field in fields(IoTune)}
    for field in fields(IoTune):
        limit = getattr(wanted.iotune, field.name, None)
        if limit:
            limits.update(dict.fromkeys(excluded(field.name), 0))
        if limit is not None:
            limits[field.name] = limit
    return limits


def limit_cpu(connection: Connection, domain: GuestReading, desired: Machine, action: Action) -> None:
    """Change how much of the host's CPUs the guest gets."""
    names = {"shares": "cpu_shares", "period": "vcpu_period", "quota": "vcpu_quota"}
    changed = [change.path.rpartition(".")[2] for change in action.changes]
    parameters = {names[name]: getattr(desired.cpu_tune, name) for name in changed}
    driver.set_scheduler_parameters(connection, domain, parameters, _LIVE)


def eject(connection: Connection, domain: GuestReading, unused_desired: Machine, action: Action) -> None:
    """Take the disc out of a drive."""
    _kind, key = device_of(action)
    present = find_device_xml(live_xml(connection, domain), "disk", key)
    if present is not None:
        empty = edit_device(present, Disk(target=key, device="cdrom", source=""))
        driver.update_device(connection, domain, empty, _LIVE)


def detach(connection: Connection, domain: GuestReading, unused_desired: Machine, action: Action) -> None:
    """Unplug a device and wait until the guest has let go of it, asking again as Nova does."""
    kind, key = device_of(action)

    def present() -> str | None:
        return find_device_xml(live_xml(connection, domain), kind, key)

    refused: DriverError | None = None
    with watch(connection, domain.handle) as watcher:
        for _attempt in range(_DETACH_ATTEMPTS):
            device = present()
            if device is None:
                return
            try:
                driver.detach_device(connection, domain, device, _LIVE)
            except DriverError as exc:
                # Perhaps it is busy with an earlier request; what is refused twice is refused.
                if refused is not None:
                    raise
                refused = exc
            if watcher.wait_until(lambda: present() is None, _DETACH_SECONDS):
                return
    raise WaitTimeoutError(
        f"Instance {domain.name} did not let go of {kind} {key} in {_DETACH_ATTEMPTS * _DETACH_SECONDS:.0f} s, though it"
        " was asked again and again; it may be in use, or the guest still boots. It is gone after the next boot."
    )


def device_of(action: Action) -> tuple[str, str]:
    """Return the kind and key of the device that an action is about."""
    kind, _space, key = action.target.partition("/")[2].partition(" ")
    return ("disk" if kind == CDROM else kind), key


def _wanted(desired: Machine, kind: str, key: str) -> Disk | Nic | Channel | Watchdog | Hostdev:
    group, identity = _DEVICES[kind]
    for device in getattr(desired, group):
        if getattr(device, identity) == key:
            return t.cast("Disk | Nic | Channel | Watchdog | Hostdev", device)
    raise DriverError(f"There is no declared {kind} {key}.")
