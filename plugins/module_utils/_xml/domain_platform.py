# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The platform of a domain: ``<os>``, ``<sysinfo>``, ``<features>``, ``<cpu>`` and ``<clock>``."""

from __future__ import annotations

from .._spec.machine import Features, Machine, OsBoot
from .document import (
    Element,
    add,
    as_bool,
    attribute,
    drop,
    ensure,
    put,
    set_attributes,
    set_flag,
    text_of,
)

_SECURE_BOOT = "secure-boot"
_ENROLLED_KEYS = "enrolled-keys"
_PRESENCE = ("acpi", "apic", "pae")
_STATES = ("smm", "pmu")
_OF_OTHER_OFFSETS = ("adjustment", "basis", "timezone", "start")


def read_os(domain: Element) -> OsBoot:
    """Return what ``<os>`` says."""
    return OsBoot(
        type=text_of(domain, "os/type") or "",
        arch=attribute(domain, "os/type", "arch"),
        machine=attribute(domain, "os/type", "machine"),
        boot_devices=_boot_devices(domain),
        boot_menu=as_bool(attribute(domain, "os/bootmenu", "enable")),
        init=text_of(domain, "os/init"),
        firmware=attribute(domain, "os", "firmware"),
        secure_boot=_firmware_feature(domain, _SECURE_BOOT),
        enrolled_keys=_firmware_feature(domain, _ENROLLED_KEYS),
        smbios_sysinfo=attribute(domain, "os/smbios", "mode") == "sysinfo",
    )


def put_os(domain: Element, boot: OsBoot) -> None:
    """Write ``<os>``; boot devices are one value."""
    element = ensure(domain, "os")
    set_attributes(element, firmware=boot.firmware)
    put(element, "type", boot.type, arch=boot.arch, machine=boot.machine)
    put(element, "init", boot.init)
    _put_firmware_feature(element, _ENROLLED_KEYS, boot.enrolled_keys)
    _put_firmware_feature(element, _SECURE_BOOT, boot.secure_boot)
    if boot.boot_devices and boot.boot_devices != _boot_devices(domain):
        drop(element, "boot")
        for device in boot.boot_devices:
            add(element, "boot", dev=device)
    put(element, "bootmenu", enable=boot.boot_menu)
    if boot.smbios_sysinfo:
        put(element, "smbios", mode="sysinfo")
    elif boot.smbios_sysinfo is False and attribute(element, "smbios", "mode") == "sysinfo":
        drop(element, "smbios")


def settle_boot(domain: Element, machine: Machine) -> None:
    """Leave one kind of boot order: libvirt takes either that of ``<os>`` or those of the devices.

    The kind that ``machine`` sets wins over the one it found.
    """
    orders = [disk.boot_order for disk in machine.disks] + [nic.boot_order for nic in machine.nics]
    of_devices = any(order is not None for order in orders)
    if machine.os.boot_devices and not of_devices:
        for device in domain.iterfind("devices/*"):
            drop(device, "boot")
    elif of_devices and not machine.os.boot_devices:
        drop(domain.find("os"), "boot")


def read_sysinfo(domain: Element) -> tuple[tuple[str, str], ...]:
    """Return the entries of the SMBIOS system table, in the order of their names."""
    entries = domain.iterfind("sysinfo[@type='smbios']/system/entry")
    return tuple(sorted((entry.get("name", ""), entry.text or "") for entry in entries))


def put_sysinfo(domain: Element, entries: tuple[tuple[str, str], ...]) -> None:
    """Write ``entries`` as the SMBIOS system table, which is one value; other tables stay."""
    if not entries or entries == read_sysinfo(domain):
        return
    table = domain.find("sysinfo[@type='smbios']")
    if table is None:
        table = add(domain, "sysinfo", type="smbios")
    system = ensure(table, "system")
    drop(system, "entry")
    for name, value in entries:
        add(system, "entry", value, name=name)


def read_features(domain: Element) -> Features:
    """Return what ``<features>`` says."""
    return Features(
        acpi=domain.find("features/acpi") is not None,
        apic=domain.find("features/apic") is not None,
        pae=domain.find("features/pae") is not None,
        **{name: _state(domain.find(f"features/{name}")) for name in _STATES},
    )


def put_features(domain: Element, features: Features) -> None:
    """Write ``<features>``: False removes the element of a feature."""
    element = domain.find("features")
    if element is None:
        states = (getattr(features, name) for name in _STATES)
        if not any(getattr(features, name) for name in _PRESENCE) and all(state is None for state in states):
            return
        element = add(domain, "features")
    for name in _PRESENCE:
        set_flag(element, name, getattr(features, name))
    for name in _STATES:
        state = getattr(features, name)
        if state is not None:
            put(element, name, state="on" if state else "off")


def read_suspend(domain: Element, name: str) -> bool | None:
    """Return whether the firmware offers to suspend ``to-mem`` or ``to-disk``."""
    return as_bool(attribute(domain, f"pm/suspend-{name}", "enabled"))


def put_suspend(domain: Element, name: str, offered: bool | None) -> None:
    """Write whether the firmware offers to suspend ``to-mem`` or ``to-disk``."""
    if offered is not None:
        put(ensure(domain, "pm"), f"suspend-{name}", enabled=offered)


def put_clock(domain: Element, offset: str | None) -> None:
    """Write the clock's offset; timers stay, what belongs to another offset goes."""
    if offset is None:
        return
    clock = ensure(domain, "clock")
    if clock.get("offset") != offset:
        for name in _OF_OTHER_OFFSETS:
            clock.attrib.pop(name, None)
    set_attributes(clock, offset=offset)


def _state(element: Element | None) -> bool | None:
    """Return whether a feature is on, which it is without a state; None where it is not mentioned."""
    return None if element is None else element.get("state") != "off"


def _firmware_feature(domain: Element, name: str) -> bool | None:
    return as_bool(attribute(domain, f"os/firmware/feature[@name='{name}']", "enabled"))


def _put_firmware_feature(element: Element, name: str, enabled: bool | None) -> None:
    if enabled is None:
        return
    firmware = ensure(element, "firmware")
    feature = firmware.find(f"feature[@name='{name}']")
    if feature is None:
        feature = add(firmware, "feature")
    set_attributes(feature, enabled=enabled, name=name)


def _boot_devices(domain: Element) -> tuple[str, ...]:
    return tuple(boot.get("dev", "") for boot in domain.iterfind("os/boot"))
