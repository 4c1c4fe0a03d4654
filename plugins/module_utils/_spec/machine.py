# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A virtual machine as libvirt sees it, read from a domain or meant to become one.

Field names are libvirt's. None (or an empty tuple where said) means "not set": the XML writer leaves the element
out, and a comparison leaves it alone. Sizes carry their unit in the name.
"""

from __future__ import annotations

from dataclasses import dataclass

from .record import InstanceRecord


@dataclass(frozen=True)
class OsBoot:
    """``<os>``: what kind of machine is booted, and from what."""

    type: str = "hvm"
    """hvm, exe (containers), xen or linux (paravirtual)."""
    arch: str | None = None
    machine: str | None = None
    boot_devices: tuple[str, ...] = ()
    """hd, cdrom, network, fd in order; empty when devices carry their own boot order."""
    boot_menu: bool | None = None
    init: str | None = None
    """First program of a container."""
    firmware: str | None = None
    """bios or efi: libvirt picks the loader."""
    secure_boot: bool | None = None
    smbios_sysinfo: bool | None = None
    """Show the guest the table of ``Machine.sysinfo``."""


@dataclass(frozen=True)
class Features:
    """``<features>``: None leaves the element out."""

    acpi: bool | None = None
    apic: bool | None = None
    pae: bool | None = None
    smm: bool | None = None


@dataclass(frozen=True)
class Cpu:
    """``<cpu>``: mode is host-model, host-passthrough, maximum or custom (which has a model)."""

    mode: str | None = None
    model: str | None = None
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Disk:
    """``<disk>`` backed by a file: ``target`` (vda, sda, hda) is its identity, ``bus`` virtio, scsi, sata, ide or fdc."""

    target: str
    bus: str | None = None
    device: str = "disk"
    """disk, cdrom or floppy."""
    source: str | None = None
    """Path on the hypervisor; None for an empty drive, "" to empty it."""
    format: str | None = None
    readonly: bool | None = None
    shareable: bool | None = None
    cache: str | None = None
    io: str | None = None
    discard: str | None = None
    serial: str | None = None
    boot_order: int | None = None
    type: str = "file"
    """file or block; anything else found on a host is kept as it is and only reported by its type."""


@dataclass(frozen=True)
class Nic:
    """``<interface>``: ``mac`` is its identity."""

    mac: str
    type: str = "network"
    """network, bridge or user; other kinds found on a host are kept as they are."""
    source: str | None = None
    """The network's or the bridge's name; None for user."""
    portgroup: str | None = None
    model: str | None = None
    mtu: int | None = None
    boot_order: int | None = None
    link_state: str | None = None
    """up or down."""


@dataclass(frozen=True)
class Graphics:
    """``<graphics>``: vnc or spice; a fixed ``port`` needs ``autoport`` False."""

    type: str = "vnc"
    listen: str | None = None
    port: int | None = None
    autoport: bool | None = None
    keymap: str | None = None


@dataclass(frozen=True)
class Serial:
    """``<serial>`` and its ``<console>``: type pty or file; ``log`` is a file libvirt keeps the output in, "" for none."""

    type: str = "pty"
    port: int = 0
    log: str | None = None
    log_append: bool | None = None
    """Needs ``log``."""
    path: str | None = None
    """Where type file writes to."""


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
    uuid: str | None = None
    title: str | None = None
    record: InstanceRecord | None = None
    """The collection's own element in ``<metadata>``; None on a domain that is not ours."""
    memory_kib: int = 0
    """Most memory the guest can have until its next boot."""
    current_memory_kib: int | None = None
    vcpus: int = 1
    """Most vCPUs until the next boot."""
    current_vcpus: int | None = None
    sysinfo: tuple[tuple[str, str], ...] = ()
    """SMBIOS system table: (entry name, value) such as ("serial", "..."), in the order of the names; one value."""
    os: OsBoot = OsBoot()
    features: Features = Features()
    cpu: Cpu | None = None
    clock_offset: str | None = None
    """utc or localtime."""
    on_poweroff: str | None = None
    on_reboot: str | None = None
    on_crash: str | None = None
    emulator: str | None = None
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    graphics: tuple[Graphics, ...] = ()
    serials: tuple[Serial, ...] = ()
    channels: tuple[Channel, ...] = ()
    scsi_model: str | None = None
    """Model of the first SCSI controller, such as virtio-scsi; libvirt's own choice is an old card."""
    pcie_root_ports: int | None = None
    """How many ports a PCI Express machine has at least; read as how many there are."""
    video: str | None = None
    """Model: virtio, vga, qxl, cirrus, bochs or none."""
    rng: str | None = None
    """Back end such as /dev/urandom; the device is virtio."""
    balloon: str | None = None
    """virtio or none."""
    balloon_stats_seconds: int | None = None
