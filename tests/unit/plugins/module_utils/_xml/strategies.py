# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Strategies that make machines: any that libvirt's schema allows, XML's own characters everywhere they may be."""

from __future__ import annotations

import typing as t
from dataclasses import fields, is_dataclass, replace

from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    DEVICE_KEYS,
    Channel,
    Cpu,
    Disk,
    Features,
    Filesystem,
    Graphics,
    Hostdev,
    Machine,
    Nic,
    OsBoot,
    Serial,
    Sev,
    Tpm,
    Vsock,
    Watchdog,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    FixedIp,
    InstanceRecord,
    OwnedDisk,
    Rescue,
    SeedRecord,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import (
    CpuPin,
    CpuTune,
    IoTune,
    MemoryBacking,
    MemoryNode,
    NumaCell,
    NumaTune,
    Pages,
    Rate,
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


id_sets = st.sets(st.integers(0, 20), min_size=1, max_size=4).map(lambda numbers: tuple(sorted(numbers)))
limits = st.integers(0, 10**12)


def by_id(parts: st.SearchStrategy[_Drawn], key: str = "id") -> st.SearchStrategy[tuple[_Drawn, ...] | None]:
    """Return a strategy of one value made of parts in the order of ``key``, of none, or of nothing set."""
    ordered = several(parts, key).map(lambda found: tuple(sorted(found, key=lambda part: getattr(part, key))))
    return maybe(ordered)


@st.composite
def iotunes(draw: st.DrawFn) -> IoTune:
    """Draw a disk's limits: a total, or reads and writes apart."""
    drawn: dict[str, int | None] = {}
    for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
        directions = draw(st.sampled_from(((), ("total",), ("read", "write"), ("read",))))
        drawn.update({f"{direction}_{what}": draw(limits) for direction in directions})
    return IoTune(**drawn)


rates = st.builds(
    Rate, average=maybe(st.integers(0, 2**31)), peak=maybe(st.integers(0, 2**31)), burst=maybe(st.integers(0, 2**31))
)


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
        detect_zeroes=draw(maybe(st.sampled_from(("off", "on", "unmap")))),
        iothread=draw(maybe(small)),
        queues=draw(maybe(small)),
        rotation_rate=draw(maybe(st.integers(1, 15000))),
        iotune=draw(maybe(iotunes())),
    )


@st.composite
def nics(draw: st.DrawFn, ordered: bool = False) -> Nic:
    """Draw a NIC; ``ordered`` ones have their own boot order."""
    kind = draw(st.sampled_from(("network", "bridge", "direct", "user")))
    name = draw(maybe(words.map(lambda word: f"f{word}")))
    return Nic(
        mac=f"52:54:00:00:00:{draw(st.integers(0, 8)):02x}",
        type=kind,
        source=None if kind == "user" else draw(words),
        portgroup=draw(maybe(words)) if kind == "network" else None,
        model=draw(maybe(st.sampled_from(("virtio", "e1000", "rtl8139")))),
        mtu=draw(maybe(st.integers(68, 9000))),
        boot_order=draw(maybe(small)) if ordered else None,
        link_state=draw(maybe(st.sampled_from(("up", "down")))),
        mode=draw(maybe(st.sampled_from(("vepa", "bridge", "private", "passthrough")))) if kind == "direct" else None,
        queues=draw(maybe(small)),
        vlan=draw(maybe(st.integers(0, 4095))),
        filter=name,
        filter_ip=draw(maybe(st.sampled_from(("192.0.2.7", "192.0.2.7 2001:db8::7")))) if name else None,
        isolated=draw(flags),
        virtualport=None if kind == "user" else draw(maybe(st.just("openvswitch"))),
        inbound=draw(maybe(rates)),
        outbound=draw(maybe(rates)),
    )


@st.composite
def graphics(draw: st.DrawFn) -> Graphics:
    """Draw a graphical console."""
    kind = draw(st.sampled_from(("vnc", "spice")))
    return Graphics(
        type=kind,
        listen=draw(maybe(st.sampled_from(("127.0.0.1", "0.0.0.0", "::1")))),
        port=draw(maybe(st.integers(5900, 65535))),
        autoport=draw(flags),
        keymap=draw(maybe(words)),
        tls_port=draw(maybe(st.integers(5900, 65535))) if kind == "spice" else None,
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


pci_addresses = st.builds(
    lambda bus, slot, function: f"0000:{bus:02x}:{slot:02x}.{function}", small, st.integers(0, 31), st.integers(0, 7)
)


@st.composite
def hostdevs(draw: st.DrawFn) -> Hostdev:
    """Draw a device of the host."""
    if draw(st.booleans()):
        return Hostdev(draw(pci_addresses), managed=draw(flags))
    return Hostdev(draw(st.uuids().map(str)), "mdev", model=draw(st.sampled_from(("vfio-pci", "vfio-ccw", "vfio-ap"))))


filesystems = st.builds(
    Filesystem, words, source=paths, driver=maybe(st.sampled_from(("virtiofs", "path"))), readonly=flags
)
watchdogs = st.builds(
    Watchdog,
    model=st.just("i6300esb"),
    action=maybe(st.sampled_from(("reset", "poweroff", "pause", "none"))),
)
tpms = st.builds(
    Tpm, model=maybe(st.sampled_from(("tpm-crb", "tpm-tis"))), version=maybe(st.sampled_from(("1.2", "2.0")))
)
vsocks = st.builds(Vsock, auto=flags, cid=maybe(st.integers(3, 2**31)))
sevs = st.builds(
    Sev,
    policy=st.integers(0, 0xFFFF),
    cbitpos=maybe(small),
    reduced_phys_bits=maybe(small),
    kernel_hashes=flags,
)
cells = st.builds(
    NumaCell,
    id=st.integers(0, 3),
    memory_kib=st.integers(1, 2**40),
    cpus=id_sets,
    access=maybe(st.sampled_from(("shared", "private"))),
)
pins = st.builds(CpuPin, id=st.integers(1, 20), cpus=id_sets)
cpu_tunes = st.builds(
    CpuTune,
    shares=maybe(st.integers(2, 262144)),
    period=maybe(st.integers(1000, 1000000)),
    quota=maybe(st.integers(1000, 10**9)),
    vcpu_pins=by_id(pins),
    emulator_cpus=st.one_of(st.just(None), st.just(()), id_sets),
    iothread_pins=by_id(pins),
)
modes = st.sampled_from(("strict", "preferred", "interleave", "restrictive"))


@st.composite
def numa_tunes(draw: st.DrawFn) -> NumaTune:
    """Draw where memory lies; a mode goes with cells of the host."""
    host_cells = draw(maybe(id_sets | st.just(())))
    return NumaTune(
        mode=draw(modes) if host_cells else None,
        host_cells=host_cells,
        nodes=draw(by_id(st.builds(MemoryNode, st.integers(0, 3), id_sets, modes), "cell")),
    )


memory_backings = st.builds(
    MemoryBacking,
    hugepages=maybe(st.just((Pages(0),)) | several(st.builds(Pages, small, st.just(()) | id_sets), "size_kib")),
    nosharepages=flags,
    locked=flags,
    source=maybe(st.sampled_from(("file", "anonymous", "memfd"))),
    access=maybe(st.sampled_from(("shared", "private"))),
    allocation=maybe(st.sampled_from(("immediate", "ondemand"))),
)
policies = st.sampled_from(("force", "require", "optional", "disable", "forbid"))


@st.composite
def cpus(draw: st.DrawFn) -> Cpu:
    """Draw a CPU."""
    mode = draw(maybe(st.sampled_from(("custom", "host-model", "host-passthrough", "maximum"))))
    sockets, cores, threads, dies = draw(st.sampled_from(((None,) * 4, (1, 2, 1, None), (2, 4, 2, 2))))
    return Cpu(
        mode=mode,
        model=draw(words) if mode == "custom" else None,
        sockets=sockets,
        cores=cores,
        threads=threads,
        dies=dies,
        vendor=draw(maybe(st.sampled_from(("Intel", "AMD")))) if mode == "custom" else None,
        features=draw(
            maybe(st.dictionaries(words, policies, max_size=3).map(lambda found: tuple(sorted(found.items()))))
        ),
        check=draw(maybe(st.sampled_from(("none", "partial", "full")))),
        migratable=draw(flags) if mode in ("host-passthrough", "maximum") else None,
        cells=draw(by_id(cells)),
    )


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
    attached=several(st.builds(OwnedDisk, words, texts, texts), "target"),
    layers=several(st.builds(OwnedDisk, words, texts, words), "volume"),
    nics=st.lists(words, max_size=3, unique=True).map(tuple),
    fixed_ips=several(st.builds(FixedIp, words, words, st.one_of(texts, st.just(""))), "mac"),
    drives=st.lists(words, max_size=3, unique=True).map(tuple),
    hostdevs=st.lists(words, max_size=3, unique=True).map(tuple),
    shares=st.lists(words, max_size=3, unique=True).map(tuple),
    isolated=st.booleans(),
    restored=maybe(texts),
    adopted=st.booleans(),
    seed=maybe(st.builds(SeedRecord, words, texts, texts, words, small)),
    patches=st.lists(words, max_size=3, unique=True).map(tuple),
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
        enrolled_keys=draw(flags),
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
    cpu = draw(maybe(cpus()))
    slots = draw(maybe(small))
    video = draw(maybe(st.sampled_from(("virtio", "vga", "cirrus", "none"))))
    rng = draw(maybe(paths))
    rate = draw(maybe(small)) if rng else None
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
        max_memory_kib=draw(st.integers(memory, 2**41)) if slots else None,
        memory_slots=slots,
        memory_modules_kib=draw(st.lists(st.integers(1, 2**30), max_size=2).map(tuple)),
        memory_backing=draw(memory_backings),
        cpu_tune=draw(cpu_tunes),
        numa_tune=draw(numa_tunes()),
        iothreads=draw(maybe(st.integers(0, 8))),
        sysinfo=tuple(sorted(draw(st.dictionaries(st.sampled_from(_SYSTEM_ENTRIES), texts, max_size=3)).items())),
        os=draw(containers if kind == "lxc" else boots(ordered)),
        features=draw(st.builds(Features, acpi=flags, apic=flags, pae=flags, smm=flags, pmu=flags)),
        cpu=cpu if read_cpu(cpu) != Cpu(features=(), cells=()) else None,
        clock_offset=draw(maybe(st.sampled_from(("utc", "localtime")))),
        on_poweroff=draw(maybe(events)),
        on_reboot=draw(maybe(events)),
        on_crash=draw(maybe(events)),
        suspend_to_memory=draw(flags),
        suspend_to_disk=draw(flags),
        emulator=draw(maybe(paths)),
        disks=draw(several(disks(ordered), "target")),
        scsi_model=draw(maybe(st.sampled_from(("virtio-scsi", "lsilogic")))),
        nics=draw(several(nics(ordered), "mac")),
        graphics=draw(several(graphics(), "type")),
        serials=draw(several(serials(), "port")),
        channels=draw(several(st.builds(Channel, words, st.sampled_from(("unix", "spicevmc"))), "name")),
        video=video,
        video_vram_kib=draw(maybe(small)) if video else None,
        video_heads=draw(maybe(small)) if video else None,
        rng=rng,
        rng_rate_bytes=rate,
        rng_rate_period_ms=draw(maybe(small)) if rate else None,
        sound=draw(maybe(st.sampled_from(("ich9", "ac97")))),
        tablet=draw(maybe(st.sampled_from(("usb", "virtio")))),
        # Libvirt before 9.1 takes one only.
        watchdogs=draw(st.just(()) | st.tuples(watchdogs)),
        hostdevs=draw(several(hostdevs(), "address")),
        filesystems=draw(several(filesystems, "target")),
        tpm=draw(maybe(tpms)),
        vsock=draw(maybe(vsocks)),
        pcie_ports=draw(maybe(st.integers(1, 5))),
        scsi_queues=draw(maybe(small)),
        scsi_iothread=draw(maybe(small)),
        launch_security=draw(maybe(sevs)),
        balloon=balloon,
        balloon_stats_seconds=draw(maybe(small)) if balloon == "virtio" else None,
    )


def _filled(value: t.Any, **silent: t.Any) -> t.Any:
    """Return a dataclass with those of its fields that are None at what libvirt means by silence."""
    return replace(value, **{name: said for name, said in silent.items() if getattr(value, name) is None})


def read_disk(disk: Disk) -> Disk:
    """Return ``disk`` as it reads back."""
    limits = _filled(disk.iotune or IoTune(), **{field.name: 0 for field in fields(IoTune)})
    return replace(disk, readonly=bool(disk.readonly), shareable=bool(disk.shareable), iotune=limits)


def read_nic(nic: Nic) -> Nic:
    """Return ``nic`` as it reads back."""
    silent = {field.name: 0 for field in fields(Rate)}
    return replace(
        nic, inbound=_filled(nic.inbound or Rate(), **silent), outbound=_filled(nic.outbound or Rate(), **silent)
    )


def read_cpu(cpu: Cpu | None) -> Cpu | None:
    """Return ``cpu`` as it reads back."""
    return None if cpu is None else _filled(cpu, features=(), cells=())


def as_read(machine: Machine) -> Machine:
    """Return ``machine`` as it reads back: what libvirt says by silence is said."""
    filled = _filled(
        machine,
        current_memory_kib=machine.memory_kib,
        current_vcpus=machine.vcpus,
        iothreads=0,
    )
    return replace(
        filled,
        os=_filled(machine.os, smbios_sysinfo=False),
        features=_filled(machine.features, acpi=False, apic=False, pae=False),
        cpu=read_cpu(machine.cpu),
        memory_backing=_filled(machine.memory_backing, hugepages=(), nosharepages=False, locked=False),
        cpu_tune=_filled(machine.cpu_tune, vcpu_pins=(), emulator_cpus=(), iothread_pins=()),
        numa_tune=_filled(machine.numa_tune, host_cells=(), nodes=()),
        disks=tuple(map(read_disk, machine.disks)),
        nics=tuple(map(read_nic, machine.nics)),
        filesystems=tuple(_filled(filesystem, readonly=False) for filesystem in machine.filesystems),
    )


def unmet(wanted: t.Any, actual: t.Any) -> list[str]:
    """Return what of all that ``wanted`` sets is otherwise in ``actual``: the paths, with both values."""
    found: list[str] = []
    for field in fields(wanted):
        here, there = getattr(wanted, field.name), getattr(actual, field.name)
        key = DEVICE_KEYS.get(field.name)
        if isinstance(wanted, Machine) and key:
            present = {getattr(device, key): device for device in there}
            for device in here:
                other = present.get(getattr(device, key))
                found += [f"{field.name} lacks {device}"] if other is None else unmet(device, other)
        elif is_dataclass(here) and is_dataclass(there) and field.name != "record":
            found += unmet(here, there)
        elif field.name == "pcie_ports" and (here or 0) <= (there or 0):
            continue
        elif here not in (None, field.default, there) and field.name != "record":
            found.append(f"{type(wanted).__name__}.{field.name}: {here} and not {there}")
    return found
