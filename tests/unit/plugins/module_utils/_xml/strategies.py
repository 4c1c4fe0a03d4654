# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Strategies that make machines: any that libvirt's schema allows, XML's own characters everywhere they may be."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Channel,
    Cpu,
    Disk,
    Features,
    Graphics,
    Machine,
    Nic,
    OsBoot,
    Serial,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    InstanceRecord,
    OwnedDisk,
    Rescue,
)
from hypothesis import strategies as st

_Drawn = t.TypeVar("_Drawn")
_BUSES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "ide": "hd"}
_SYSTEM_ENTRIES = ("family", "manufacturer", "product", "serial", "sku", "version")

texts = st.text(st.characters(exclude_categories=("Cc", "Cn", "Cs", "Zl", "Zp")), min_size=1, max_size=20)
"""Anything without line breaks and control characters."""
words = st.text("abcXYZ019_-.", min_size=1, max_size=12)
paths = texts.map(lambda text: "/" + text.strip() + "x")
flags = st.none() | st.booleans()
small = st.integers(1, 64)


def maybe(strategy: st.SearchStrategy[_Drawn]) -> st.SearchStrategy[_Drawn | None]:
    """Return a strategy that also leaves the field out."""
    return st.none() | strategy


def several(parts: st.SearchStrategy[_Drawn], key: str) -> st.SearchStrategy[tuple[_Drawn, ...]]:
    """Return a strategy of up to three ``parts`` with different values of ``key``."""
    return st.lists(parts, max_size=3, unique_by=lambda part: getattr(part, key)).map(tuple)


@st.composite
def disks(draw: st.DrawFn, ordered: bool = False) -> Disk:
    """Draw a disk; ``ordered`` ones have their own boot order."""
    bus = draw(st.sampled_from(sorted(_BUSES)))
    return Disk(
        target=_BUSES[bus] + draw(st.sampled_from("abcdefgh")),
        bus=bus,
        device=draw(st.sampled_from(("disk", "cdrom"))),
        source=draw(maybe(paths)),
        format=draw(maybe(st.sampled_from(("raw", "qcow2")))),
        readonly=draw(flags),
        shareable=draw(flags),
        cache=draw(maybe(st.sampled_from(("none", "writeback", "writethrough", "directsync", "unsafe")))),
        io=draw(maybe(st.sampled_from(("native", "threads", "io_uring")))),
        discard=draw(maybe(st.sampled_from(("unmap", "ignore")))),
        serial=draw(maybe(words)),
        boot_order=draw(maybe(small)) if ordered else None,
        type=draw(st.sampled_from(("file", "block"))),
    )


@st.composite
def nics(draw: st.DrawFn, ordered: bool = False) -> Nic:
    """Draw a NIC; ``ordered`` ones have their own boot order."""
    kind = draw(st.sampled_from(("network", "bridge", "user")))
    return Nic(
        mac=f"52:54:00:00:00:{draw(st.integers(0, 8)):02x}",
        type=kind,
        source=None if kind == "user" else draw(words),
        portgroup=draw(maybe(words)) if kind == "network" else None,
        model=draw(maybe(st.sampled_from(("virtio", "e1000", "rtl8139")))),
        mtu=draw(maybe(st.integers(68, 9000))),
        boot_order=draw(maybe(small)) if ordered else None,
        link_state=draw(maybe(st.sampled_from(("up", "down")))),
    )


graphics = st.builds(
    Graphics,
    type=st.sampled_from(("vnc", "spice")),
    listen=maybe(st.sampled_from(("127.0.0.1", "0.0.0.0", "::1"))),
    port=maybe(st.integers(5900, 65535)),
    autoport=flags,
    keymap=maybe(words),
)


@st.composite
def serials(draw: st.DrawFn) -> Serial:
    """Draw a serial port."""
    kind = draw(st.sampled_from(("pty", "file")))
    log = draw(maybe(paths))
    return Serial(
        type=kind,
        port=draw(st.integers(0, 3)),
        log=log,
        log_append=draw(flags) if log else None,
        path=draw(paths) if kind == "file" else None,
    )


cpus = st.builds(
    lambda mode, model, topology: Cpu(mode, model if mode == "custom" else None, *topology),
    maybe(st.sampled_from(("custom", "host-model", "host-passthrough", "maximum"))),
    words,
    st.sampled_from(((None, None, None), (1, 2, 1), (2, 4, 2))),
).filter(lambda cpu: cpu != Cpu())
records = st.builds(
    InstanceRecord,
    fleet=maybe(texts),
    flavor=texts,
    vcpus=small,
    memory_mb=small,
    disk_gb=small,
    image=maybe(texts),
    image_digest=maybe(words),
    spec_digest=words,
    group=maybe(texts),
    group_policy=maybe(words),
    protected=st.booleans(),
    created_at=words,
    labels=st.dictionaries(texts, st.one_of(texts, st.just(""))).map(lambda labels: tuple(labels.items())),
    disks=several(st.builds(OwnedDisk, words, texts, texts), "target"),
    shelved=st.booleans(),
    begun=maybe(st.builds(Begun, words, st.booleans(), maybe(texts), maybe(words), maybe(words))),
    rescue=maybe(st.builds(Rescue, words, texts, words, st.lists(words).map(tuple), st.lists(words).map(tuple))),
    schema=st.integers(1, 3),
)


@st.composite
def boots(draw: st.DrawFn, ordered: bool = False) -> OsBoot:
    """Draw a full virtual machine's ``<os>``; ``ordered`` when the devices have the boot order."""
    devices = st.lists(st.sampled_from(("hd", "cdrom", "network", "fd")), max_size=3, unique=True).map(tuple)
    return OsBoot(
        arch=draw(maybe(st.sampled_from(("x86_64", "i686", "aarch64")))),
        machine=draw(maybe(words)),
        boot_devices=() if ordered else draw(devices),
        boot_menu=draw(flags),
        firmware=draw(maybe(st.sampled_from(("bios", "efi")))),
        secure_boot=draw(flags),
        smbios_sysinfo=draw(flags),
    )


containers = st.builds(OsBoot, type=st.just("exe"), arch=maybe(st.just("x86_64")), init=maybe(paths))


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Draw a machine."""
    kind = draw(st.sampled_from(("kvm", "qemu", "xen", "lxc")))
    ordered = draw(st.booleans())
    vcpus = draw(small)
    memory = draw(st.integers(1, 2**40))
    balloon = draw(maybe(st.sampled_from(("virtio", "none"))))
    events = st.sampled_from(("destroy", "restart", "preserve"))
    return Machine(
        type=kind,
        name=draw(texts),
        uuid=draw(maybe(st.uuids().map(str))),
        title=draw(maybe(texts)),
        record=draw(maybe(records)),
        memory_kib=memory,
        current_memory_kib=draw(maybe(st.integers(1, memory))),
        vcpus=vcpus,
        current_vcpus=draw(maybe(st.integers(1, vcpus))),
        sysinfo=tuple(sorted(draw(st.dictionaries(st.sampled_from(_SYSTEM_ENTRIES), texts, max_size=3)).items())),
        os=draw(containers if kind == "lxc" else boots(ordered)),
        features=draw(st.builds(Features, acpi=flags, apic=flags, pae=flags, smm=flags)),
        cpu=draw(maybe(cpus)),
        clock_offset=draw(maybe(st.sampled_from(("utc", "localtime")))),
        on_poweroff=draw(maybe(events)),
        on_reboot=draw(maybe(events)),
        on_crash=draw(maybe(events)),
        emulator=draw(maybe(paths)),
        disks=draw(several(disks(ordered), "target")),
        scsi_model=draw(maybe(st.sampled_from(("virtio-scsi", "lsilogic")))),
        nics=draw(several(nics(ordered), "mac")),
        graphics=draw(several(graphics, "type")),
        serials=draw(several(serials(), "port")),
        channels=draw(several(st.builds(Channel, words), "name")),
        video=draw(maybe(st.sampled_from(("virtio", "vga", "cirrus", "none")))),
        rng=draw(maybe(paths)),
        balloon=balloon,
        balloon_stats_seconds=draw(maybe(small)) if balloon == "virtio" else None,
    )


def as_read(machine: Machine) -> Machine:
    """Return ``machine`` as it reads back: what libvirt says by silence is said."""
    features = machine.features
    return replace(
        machine,
        current_memory_kib=machine.current_memory_kib or machine.memory_kib,
        current_vcpus=machine.current_vcpus or machine.vcpus,
        os=replace(machine.os, smbios_sysinfo=bool(machine.os.smbios_sysinfo)),
        features=replace(features, acpi=bool(features.acpi), apic=bool(features.apic), pae=bool(features.pae)),
        disks=tuple(
            replace(disk, readonly=bool(disk.readonly), shareable=bool(disk.shareable)) for disk in machine.disks
        ),
    )
