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
from .remote import RemoteSource
from .tuning import (
    ANY_MEMORY,
    FREE_CELLS,
    FREE_CPUS,
    CpuTune,
    IoTune,
    MemoryBacking,
    NumaCell,
    NumaTune,
    Rate,
)

DEVICE_KEYS = {
    "disks": "target",
    "nics": "mac",
    "graphics": "type",
    "serials": "port",
    "channels": "name",
    "watchdogs": "model",
    "hostdevs": "address",
    "filesystems": "target",
}
"""The fields of a Machine that hold devices, each with the field of a device that tells it from the others."""


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
    enrolled_keys: bool | None = None
    """Whether the firmware's variables begin with the vendor's keys."""
    smbios_sysinfo: bool | None = None
    """Show the guest the table of ``Machine.sysinfo``."""


@dataclass(frozen=True)
class Features:
    """``<features>``: None leaves the element out."""

    acpi: bool | None = None
    apic: bool | None = None
    pae: bool | None = None
    smm: bool | None = None
    pmu: bool | None = None
    """Whether the guest sees the CPU's performance counters."""


@dataclass(frozen=True)
class Cpu:
    """``<cpu>``: mode is host-model, host-passthrough, maximum or custom (which has a model)."""

    mode: str | None = None
    model: str | None = None
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None
    dies: int | None = None
    vendor: str | None = None
    features: tuple[tuple[str, str], ...] | None = None
    """(name, policy), in the order of the names; one value. Policy: force, require, optional, disable or forbid."""
    check: str | None = None
    """none, partial or full: how strictly the CPU that QEMU made is compared with what was asked for."""
    migratable: bool | None = None
    """For host-passthrough and maximum."""
    cells: tuple[NumaCell, ...] | None = None
    """In the order of ids; one value."""


@dataclass(frozen=True)
class Disk:
    """``<disk>`` backed by a file: ``target`` (vda, sda, hda) is its identity, ``bus`` virtio, scsi, sata, ide or fdc."""

    target: str
    bus: str | None = None
    device: str = "disk"
    """disk, cdrom or floppy."""
    source: str | None = None
    """Path on the hypervisor, or what it is called in a Ceph cluster; None for an empty drive, "" to empty it."""
    format: str | None = None
    readonly: bool | None = None
    shareable: bool | None = None
    cache: str | None = None
    io: str | None = None
    discard: str | None = None
    serial: str | None = None
    boot_order: int | None = None
    type: str = "file"
    """file, block, or with ``remote`` network; anything else found on a host is kept as it is and only reported by its type."""
    detect_zeroes: str | None = None
    """off, on or unmap."""
    iothread: int | None = None
    """Number of the I/O thread, from 1; 0 to have none."""
    queues: int | None = None
    rotation_rate: int | None = None
    """Rotations per minute that the guest is told; 1 for a solid state disk. Not on bus virtio."""
    iotune: IoTune | None = None
    """All 0 when read where there is none."""
    secret: str | None = None
    """UUID of the secret that opens a source which is encrypted with LUKS."""
    remote: RemoteSource | None = None
    """Where ``source`` is, of one in a Ceph cluster."""


OPEN_VSWITCH = "openvswitch"
"""Type of the virtual port that a NIC has there."""


@dataclass(frozen=True)
class Nic:
    """``<interface>``: ``mac`` is its identity."""

    mac: str
    type: str = "network"
    """network, bridge, direct or user; other kinds found on a host are kept as they are."""
    source: str | None = None
    """The network's, the bridge's or the host's NIC's name; None for user."""
    portgroup: str | None = None
    model: str | None = None
    mtu: int | None = None
    boot_order: int | None = None
    link_state: str | None = None
    """up or down."""
    mode: str | None = None
    """For direct: vepa, bridge, private or passthrough."""
    queues: int | None = None
    vlan: int | None = None
    """The one VLAN tag; None for none as for several."""
    filter: str | None = None
    """Name of a network filter; "" to have none."""
    filter_ip: str | None = None
    """The IP addresses that the filter is told of, with spaces between them; "" for none."""
    isolated: bool | None = None
    """Whether the bridge keeps it apart from other isolated ports."""
    virtualport: str | None = None
    """Type of the virtual port, such as openvswitch."""
    inbound: Rate | None = None
    """All 0 when read where there is none, as ``outbound``."""
    outbound: Rate | None = None


@dataclass(frozen=True)
class Graphics:
    """``<graphics>``: vnc or spice; a fixed ``port`` needs ``autoport`` False."""

    type: str = "vnc"
    listen: str | None = None
    port: int | None = None
    autoport: bool | None = None
    keymap: str | None = None
    tls_port: int | None = None
    """Spice's; chosen by libvirt under autoport."""


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
    """``<channel>`` on virtio: ``name`` such as org.qemu.guest_agent.0 is its identity."""

    name: str
    type: str = "unix"
    """unix, or spicevmc for the agent of Spice."""


@dataclass(frozen=True)
class Watchdog:
    """``<watchdog>``: its model, such as i6300esb, is its identity."""

    model: str = "i6300esb"
    action: str | None = None
    """reset, shutdown, poweroff, pause, none, dump or inject-nmi."""


@dataclass(frozen=True)
class Hostdev:
    """``<hostdev>``: a device of the host, by its ``address``: a PCI address (0000:3b:00.1) or an mdev's UUID."""

    address: str
    type: str = "pci"
    """pci or mdev; other kinds found on a host are kept as they are and not read."""
    managed: bool | None = None
    """Of PCI: libvirt takes it from the host's driver and gives it back."""
    model: str | None = None
    """Of an mdev, which needs it: vfio-pci, vfio-ccw or vfio-ap."""


@dataclass(frozen=True)
class Filesystem:
    """``<filesystem>``: a directory of the host; ``target``, the tag that the guest mounts, is its identity."""

    target: str
    source: str | None = None
    driver: str | None = None
    """virtiofs, or path for 9p."""
    readonly: bool | None = None


@dataclass(frozen=True)
class Tpm:
    """``<tpm>`` that is emulated (swtpm): model tpm-crb, tpm-tis or tpm-spapr. Libvirt keeps its state.

    One of another kind found on a host is kept as it is and not read.
    """

    model: str | None = None
    version: str | None = None
    """1.2 or 2.0."""


@dataclass(frozen=True)
class Vsock:
    """``<vsock>``: ``auto`` lets libvirt choose ``cid``."""

    auto: bool | None = None
    cid: int | None = None


@dataclass(frozen=True)
class Sev:
    """``<launchSecurity type='sev'>``: memory encrypted by an AMD processor."""

    policy: int
    cbitpos: int | None = None
    reduced_phys_bits: int | None = None
    kernel_hashes: bool | None = None


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
    """Most memory the balloon can leave to the guest; of a running one with the modules that were plugged in."""
    current_memory_kib: int | None = None
    vcpus: int = 1
    """Most vCPUs until the next boot."""
    current_vcpus: int | None = None
    max_memory_kib: int | None = None
    """Up to where memory can be plugged in; needs ``memory_slots`` and NUMA cells. 0 takes the slots away."""
    memory_slots: int | None = None
    memory_modules_kib: tuple[int, ...] = ()
    """Sizes of the modules in the slots, which count in ``memory_kib``; one value."""
    memory_backing: MemoryBacking = ANY_MEMORY
    cpu_tune: CpuTune = FREE_CPUS
    numa_tune: NumaTune = FREE_CELLS
    iothreads: int | None = None
    """How many I/O threads; 0 when read where there is none."""
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
    suspend_to_memory: bool | None = None
    """Whether the firmware offers the guest to sleep."""
    suspend_to_disk: bool | None = None
    emulator: str | None = None
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    graphics: tuple[Graphics, ...] = ()
    serials: tuple[Serial, ...] = ()
    channels: tuple[Channel, ...] = ()
    watchdogs: tuple[Watchdog, ...] = ()
    hostdevs: tuple[Hostdev, ...] = ()
    filesystems: tuple[Filesystem, ...] = ()
    tpm: Tpm | None = None
    vsock: Vsock | None = None
    scsi_model: str | None = None
    """Model of the first SCSI controller, such as virtio-scsi; libvirt's own choice is an old card."""
    scsi_queues: int | None = None
    scsi_iothread: int | None = None
    pcie_ports: int | None = None
    """At least how many PCI Express root ports; each takes one device, and a device plugged in later needs a free one."""
    video: str | None = None
    """Model: virtio, vga, qxl, cirrus, bochs or none."""
    video_vram_kib: int | None = None
    video_heads: int | None = None
    sound: str | None = None
    """Model of the first sound card, such as ich9."""
    tablet: str | None = None
    """Bus of a tablet, an absolute pointer: usb or virtio."""
    rng: str | None = None
    """Back end such as /dev/urandom; the device is virtio."""
    rng_rate_bytes: int | None = None
    """What the guest may take per ``rng_rate_period_ms``."""
    rng_rate_period_ms: int | None = None
    balloon: str | None = None
    """virtio or none."""
    balloon_stats_seconds: int | None = None
    launch_security: Sev | None = None
