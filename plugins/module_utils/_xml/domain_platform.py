# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The platform of a domain: ``<os>``, ``<sysinfo>``, ``<features>``, ``<cpu>`` and ``<clock>``."""

from __future__ import annotations

from .._spec.machine import Cpu, Features, Machine, OsBoot
from .document import (
    Element,
    add,
    as_bool,
    as_int,
    attribute,
    drop,
    ensure,
    put,
    set_attributes,
    set_flag,
    text_of,
)

_SECURE_BOOT = "os/firmware/feature[@name='secure-boot']"
_PRESENCE = ("acpi", "apic", "pae")
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
        secure_boot=as_bool(attribute(domain, _SECURE_BOOT, "enabled")),
        smbios_sysinfo=attribute(domain, "os/smbios", "mode") == "sysinfo",
    )


def put_os(domain: Element, boot: OsBoot) -> None:
    """Write ``<os>``; boot devices are one value."""
    element = ensure(domain, "os")
    set_attributes(element, firmware=boot.firmware)
    put(element, "type", boot.type, arch=boot.arch, machine=boot.machine)
    put(element, "init", boot.init)
    if boot.secure_boot is not None:
        _put_secure_boot(element, boot.secure_boot)
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
    smm = domain.find("features/smm")
    return Features(
        acpi=domain.find("features/acpi") is not None,
        apic=domain.find("features/apic") is not None,
        pae=domain.find("features/pae") is not None,
        smm=None if smm is None else smm.get("state") != "off",
    )


def put_features(domain: Element, features: Features) -> None:
    """Write ``<features>``: False removes the element of a feature."""
    element = domain.find("features")
    if element is None:
        if not any((features.acpi, features.apic, features.pae, features.smm is not None)):
            return
        element = add(domain, "features")
    for name in _PRESENCE:
        set_flag(element, name, getattr(features, name))
    if features.smm is not None:
        put(element, "smm", state="on" if features.smm else "off")


def read_cpu(domain: Element) -> Cpu | None:
    """Return what ``<cpu>`` says; None where it says nothing that a :class:`Cpu` holds."""
    cpu = Cpu(
        mode=attribute(domain, "cpu", "mode"),
        model=text_of(domain, "cpu/model"),
        sockets=as_int(attribute(domain, "cpu/topology", "sockets")),
        cores=as_int(attribute(domain, "cpu/topology", "cores")),
        threads=as_int(attribute(domain, "cpu/topology", "threads")),
    )
    return None if cpu == Cpu() else cpu


def put_cpu(domain: Element, cpu: Cpu | None) -> None:
    """Write ``<cpu>``; a change of mode takes what belongs to the old one away."""
    if cpu is None or cpu == Cpu():
        return
    element = ensure(domain, "cpu")
    if cpu.mode is not None and element.get("mode") not in (None, cpu.mode):
        for name in ("match", "check"):
            element.attrib.pop(name, None)
        drop(element, "model", "vendor")
    set_attributes(element, mode=cpu.mode)
    put(element, "model", cpu.model)
    put(element, "topology", sockets=cpu.sockets, cores=cpu.cores, threads=cpu.threads)


def put_clock(domain: Element, offset: str | None) -> None:
    """Write the clock's offset; timers stay, what belongs to another offset goes."""
    if offset is None:
        return
    clock = ensure(domain, "clock")
    if clock.get("offset") != offset:
        for name in _OF_OTHER_OFFSETS:
            clock.attrib.pop(name, None)
    set_attributes(clock, offset=offset)


def _put_secure_boot(element: Element, enabled: bool) -> None:
    firmware = ensure(element, "firmware")
    feature = firmware.find("feature[@name='secure-boot']")
    if feature is None:
        feature = add(firmware, "feature")
    set_attributes(feature, enabled=enabled, name="secure-boot")


def _boot_devices(domain: Element) -> tuple[str, ...]:
    return tuple(boot.get("dev", "") for boot in domain.iterfind("os/boot"))
