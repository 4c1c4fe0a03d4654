# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A virtual machine as libvirt sees it, read from a domain or meant to become one.

Field names are libvirt's. None (or an empty tuple where said) means "not set": the XML writer leaves the element
out, and a comparison leaves it alone. Sizes carry their unit in the name.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .record import InstanceRecord


@dataclass(frozen=True)
class OsBoot:
    """``<os>``: what kind of machine is booted, and from what."""

    type: str = "hvm"
    """hvm, exe (containers), xen or linux (paravirtual)."""
    arch: t.Optional[str] = None
    machine: t.Optional[str] = None
    boot_devices: tuple[str, ...] = ()
    """hd, cdrom, network, fd in order; empty when devices carry their own boot order."""
    boot_menu: t.Optional[bool] = None
    init: t.Optional[str] = None
    """First program of a container."""
    firmware: t.Optional[str] = None
    """bios or efi: libvirt picks the loader."""
    secure_boot: t.Optional[bool] = None
    smbios_sysinfo: bool = False
    """Show the guest the table of ``Machine.sysinfo``."""


@dataclass(frozen=True)
class Features:
    """``<features>``: None leaves the element out."""

    acpi: t.Optional[bool] = None
    apic: t.Optional[bool] = None
    pae: t.Optional[bool] = None
    smm: t.Optional[bool] = None


@dataclass(frozen=True)
class Cpu:
    """``<cpu>``: mode is host-model, host-passthrough, maximum or custom (which has a model)."""

    mode: t.Optional[str] = None
    model: t.Optional[str] = None
    sockets: t.Optional[int] = None
    cores: t.Optional[int] = None
    threads: t.Optional[int] = None


@dataclass(frozen=True)
class Disk:
    """``<disk>`` backed by a file: ``target`` (vda, sda, hda) is its identity, ``bus`` virtio, scsi, sata, ide or fdc."""

    target: str
    bus: t.Optional[str] = None
    device: str = "disk"
    """disk, cdrom or floppy."""
    source: t.Optional[str] = None
    """Path on the hypervisor; None for an empty drive."""
    format: t.Optional[str] = None
    readonly: t.Optional[bool] = None
    shareable: t.Optional[bool] = None
    cache: t.Optional[str] = None
    io: t.Optional[str] = None
    discard: t.Optional[str] = None
    serial: t.Optional[str] = None
    boot_order: t.Optional[int] = None
    type: str = "file"
    """file or block; anything else found on a host is kept as it is and only reported by its type."""


@dataclass(frozen=True)
class Nic:
    """``<interface>``: ``mac`` is its identity."""

    mac: str
    type: str = "network"
    """network, bridge or user; other kinds found on a host are kept as they are."""
    source: t.Optional[str] = None
    """The network's or the bridge's name; None for user."""
    portgroup: t.Optional[str] = None
    model: t.Optional[str] = None
    mtu: t.Optional[int] = None
    boot_order: t.Optional[int] = None
    link_state: t.Optional[str] = None
    """up or down."""


@dataclass(frozen=True)
class Graphics:
    """``<graphics>``: vnc or spice; a fixed ``port`` needs ``autoport`` False."""

    type: str = "vnc"
    listen: t.Optional[str] = None
    port: t.Optional[int] = None
    autoport: t.Optional[bool] = None
    keymap: t.Optional[str] = None


@dataclass(frozen=True)
class Serial:
    """``<serial>`` and its ``<console>``: type pty or file; ``log`` is a file libvirt keeps the output in."""

    type: str = "pty"
    port: int = 0
    log: t.Optional[str] = None
    log_append: t.Optional[bool] = None


@dataclass(frozen=True)
class Channel:
    """``<channel type='unix'>`` on virtio: ``name`` such as org.qemu.guest_agent.0 is its identity."""

    name: str


@dataclass(frozen=True)
class Machine:
    """``<domain>``: one virtual machine. Tuples of devices keep their order."""

    type: str
    """kvm, qemu, xen or lxc."""
    name: str
    uuid: t.Optional[str] = None
    title: t.Optional[str] = None
    record: t.Optional[InstanceRecord] = None
    """The collection's own element in ``<metadata>``; None on a domain that is not ours."""
    memory_kib: int = 0
    """Most memory the guest can have until its next boot."""
    current_memory_kib: t.Optional[int] = None
    vcpus: int = 1
    """Most vCPUs until the next boot."""
    current_vcpus: t.Optional[int] = None
    sysinfo: tuple[tuple[str, str], ...] = ()
    """SMBIOS system table: (entry name, value) such as ("serial", "...")."""
    os: OsBoot = OsBoot()
    features: Features = Features()
    cpu: t.Optional[Cpu] = None
    clock_offset: t.Optional[str] = None
    """utc or localtime."""
    on_poweroff: t.Optional[str] = None
    on_reboot: t.Optional[str] = None
    on_crash: t.Optional[str] = None
    emulator: t.Optional[str] = None
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    graphics: tuple[Graphics, ...] = ()
    serials: tuple[Serial, ...] = ()
    channels: tuple[Channel, ...] = ()
    video: t.Optional[str] = None
    """Model: virtio, vga, qxl, cirrus, bochs or none."""
    rng: t.Optional[str] = None
    """Back end such as /dev/urandom; the device is virtio."""
    balloon: t.Optional[str] = None
    """virtio or none."""
    balloon_stats_seconds: t.Optional[int] = None
