# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Machines whose definitions are the golden files ``data/machine-<name>.xml``, by that name."""

from __future__ import annotations

import typing as t

from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
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
from ansible_collections.kilonova.compute.plugins.module_utils._spec.remote import PoolAuth, PoolHost, RemoteSource
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

UUID = "a6c7e0b6-1f8d-4a52-8c3d-0c8c19cf8c01"
IMAGES = "/var/lib/libvirt/images"
ROOT_DISK = Disk(target="vda", bus="virtio", source=f"{IMAGES}/root.qcow2", format="qcow2")
RECORD = InstanceRecord(
    fleet="demo",
    flavor="m1.small",
    vcpus=2,
    memory_mb=128,
    disk_gb=1,
    image="tiny & <small>",
    image_digest="sha256:" + "0" * 64,
    spec_digest="1" * 64,
    group="web",
    group_policy="anti-affinity",
    protected=True,
    created_at="2026-11-23T05:00:00Z",
    labels=(("owner", 'Zoë "Q" <q@example.org>'), ("tier", "front\tend\n")),
    disks=(OwnedDisk("vda", "default", "root.qcow2"), OwnedDisk("vdb", "fast", "data.raw")),
    attached=(OwnedDisk("vdc", "fast", "shared.raw"),),
    layers=(OwnedDisk("vda", "default", "web-1-vda.s1.qcow2"),),
    nics=("52:54:00:00:00:01", "52:54:00:00:00:02"),
    fixed_ips=(FixedIp("52:54:00:00:00:01", "192.0.2.7", "lan & more"), FixedIp("52:54:00:00:00:02", "192.0.2.8")),
    drives=("sda", "hdc"),
    hostdevs=("0000:3b:00.1", "4b20d080-1b54-4048-85b3-a6a62d165c01"),
    shares=("srv",),
    isolated=True,
    restored="web-0@nightly & <more> 2026-11-22T05:00:00Z",
    adopted=True,
    patches=("2" * 64,),
    seed=SeedRecord("vdz", "default", "classic-seed-0123456789ab.iso", "3" * 64, 1),
    schema=2,
)
IN_ACTION = InstanceRecord(
    shelved=True,
    begun=Begun(
        "rescue", running=True, image="rescue & <repair>", image_digest="sha256:" + "1" * 64, target="vdc", shared=True
    ),
    rescue=Rescue("vdc", "rescue & <repair>", "sha256:" + "1" * 64, ("hd", "network"), ("pci:0", "sata:0")),
)
CLASSIC = Machine(
    type="kvm",
    name="classic",
    uuid=UUID,
    title="A classic definition",
    record=RECORD,
    memory_kib=2097152,
    current_memory_kib=1048576,
    vcpus=4,
    current_vcpus=2,
    sysinfo=(("manufacturer", "Kilonova"), ("serial", "ds=nocloud;h=classic")),
    os=OsBoot(
        arch="x86_64",
        machine="pc-i440fx-7.2",
        boot_devices=("cdrom", "hd", "network"),
        boot_menu=True,
        smbios_sysinfo=True,
    ),
    features=Features(acpi=True, apic=True, pae=True),
    cpu=Cpu(mode="host-model", sockets=1, cores=4, threads=1),
    clock_offset="localtime",
    on_poweroff="destroy",
    on_reboot="restart",
    on_crash="preserve",
    emulator="/usr/bin/qemu-system-x86_64",
    disks=(
        ROOT_DISK,
        Disk(target="sda", bus="scsi", source=f"{IMAGES}/data.raw", format="raw"),
        Disk(target="sdb", bus="sata", source=f"{IMAGES}/more.qcow2", format="qcow2"),
        Disk(target="hda", bus="ide", source=f"{IMAGES}/old.raw", format="raw"),
        Disk(target="hdc", bus="ide", device="cdrom", source=f"{IMAGES}/install.iso", format="raw", readonly=True),
    ),
    scsi_model="virtio-scsi",
    nics=(
        Nic("52:54:00:00:00:01", "bridge", "br0", model="virtio"),
        Nic("52:54:00:00:00:02", "network", "default", model="e1000"),
        Nic("52:54:00:00:00:03", "user", model="virtio"),
    ),
    graphics=(Graphics("vnc", listen="127.0.0.1", autoport=True, keymap="de"),),
    serials=(Serial("pty", log="/var/log/libvirt/classic.log", log_append=True),),
    channels=(Channel("org.qemu.guest_agent.0"),),
    video="vga",
    rng="/dev/urandom",
    balloon="virtio",
    balloon_stats_seconds=10,
)


def _small(**fields: t.Any) -> Machine:
    return Machine(**{"type": "qemu", "name": "m", "memory_kib": 65536, **fields})


EXAMPLES = {
    "classic": CLASSIC,
    "minimal": _small(),
    "names": _small(name="a&<b>'\" ü", title="<title> & 'more' \"Zoë\"", uuid=UUID),
    "memory": _small(memory_kib=1048576, current_memory_kib=524288),
    "vcpus": _small(vcpus=8, current_vcpus=2),
    "record": _small(record=RECORD),
    "record-action": _small(record=IN_ACTION),
    "record-empty": _small(record=InstanceRecord()),
    "sysinfo": _small(sysinfo=(("family", "f"), ("product", "P & Q"), ("uuid", UUID)), os=OsBoot(smbios_sysinfo=True)),
    "boot": _small(os=OsBoot(arch="i686", machine="pc", boot_devices=("network", "fd"), boot_menu=False)),
    "boot-per-device": _small(
        disks=(Disk("vda", "virtio", source="/vda", format="raw", boot_order=2),),
        nics=(Nic("52:54:00:00:00:01", "user", boot_order=1),),
    ),
    "firmware": _small(
        os=OsBoot(firmware="efi", secure_boot=True, enrolled_keys=True), features=Features(acpi=True, smm=True)
    ),
    "firmware-bios": _small(os=OsBoot(firmware="bios", secure_boot=False), features=Features(pae=True, smm=False)),
    "lxc": _small(type="lxc", os=OsBoot(type="exe", arch="x86_64", init="/sbin/init")),
    "xen": _small(type="xen", os=OsBoot(machine="xenfv"), features=Features(pae=True, acpi=True, apic=True)),
    "cpu-custom": _small(cpu=Cpu(mode="custom", model="Skylake-Server")),
    "cpu-topology": _small(vcpus=8, cpu=Cpu(sockets=2, cores=2, threads=2)),
    "cpu-details": _small(
        vcpus=8,
        cpu=Cpu(
            mode="custom",
            model="Nehalem",
            vendor="Intel",
            sockets=2,
            dies=2,
            cores=1,
            threads=2,
            features=(("aes", "require"), ("vmx", "disable")),
            check="none",
        ),
        features=Features(acpi=True, pmu=False),
    ),
    "cpu-migratable": _small(cpu=Cpu(mode="host-passthrough", migratable=False)),
    "cpu-passthrough": _small(cpu=Cpu(mode="host-passthrough")),
    "clock-utc": _small(clock_offset="utc", on_poweroff="preserve", on_reboot="destroy", on_crash="coredump-destroy"),
    "numa": _small(
        memory_kib=196608,
        vcpus=4,
        max_memory_kib=1048576,
        memory_slots=4,
        memory_modules_kib=(131072,),
        cpu=Cpu(
            cells=(
                NumaCell(0, 32768, cpus=(0, 2), access="shared"),
                NumaCell(1, 32768, cpus=(1, 3), access="private"),
            )
        ),
        cpu_tune=CpuTune(
            shares=2048,
            period=100000,
            quota=50000,
            vcpu_pins=(CpuPin(0, (0,)), CpuPin(1, (1, 2, 3, 5))),
            emulator_cpus=(0, 1),
            iothread_pins=(CpuPin(1, (0,)),),
        ),
        numa_tune=NumaTune(
            mode="strict",
            host_cells=(0,),
            nodes=(MemoryNode(0, (0,)), MemoryNode(1, (0,), mode="preferred")),
        ),
        iothreads=2,
    ),
    "memory-backing": _small(
        memory_backing=MemoryBacking(
            hugepages=(Pages(2048),),
            nosharepages=True,
            locked=True,
            source="memfd",
            access="shared",
            allocation="immediate",
        ),
    ),
    "hugepages-per-cell": _small(
        memory_kib=4194304,
        vcpus=2,
        cpu=Cpu(cells=(NumaCell(0, 2097152, cpus=(0,)), NumaCell(1, 2097152, cpus=(1,)))),
        memory_backing=MemoryBacking(hugepages=(Pages(2048, (0,)), Pages(1048576, (1,)))),
    ),
    "suspend": _small(suspend_to_memory=True, suspend_to_disk=False),
    "emulator": _small(emulator="/opt/qemu 7/bin/qemu-system-x86_64"),
    "disks-file": _small(
        disks=(
            Disk("vda", "virtio", source="/a & <b>.qcow2", format="qcow2", cache="none", io="native", discard="unmap"),
            Disk("sda", "scsi", source="/sda.raw", format="raw", serial="WD-1 2.3", shareable=True),
            Disk("sdb", "sata", source="/sdb.raw", format="raw", cache="writeback", io="threads"),
            Disk("hda", "ide", source="/hda.qcow2", format="qcow2", readonly=True),
            Disk("fda", "fdc", device="floppy", source="/floppy.img", format="raw"),
        ),
    ),
    "disks-encrypted": _small(
        disks=(
            Disk("vda", "virtio", source="/vda.raw", format="raw", secret="86856312-8f70-5740-a102-117e4bae2e22"),
            Disk(
                "vdb",
                "virtio",
                source="/dev/vg/b",
                format="raw",
                type="block",
                serial="b",
                secret="86856312-8f70-5740-a102-117e4bae2e23",
            ),
        ),
    ),
    "disks-tuned": _small(
        iothreads=1,
        disks=(
            Disk(
                "vda",
                "virtio",
                source="/vda",
                format="raw",
                detect_zeroes="unmap",
                discard="unmap",
                iothread=1,
                queues=4,
                iotune=IoTune(
                    total_bytes_sec=1048576,
                    total_bytes_sec_max=2097152,
                    total_iops_sec=500,
                    total_iops_sec_max=1000,
                ),
            ),
            Disk(
                "sda",
                "sata",
                source="/sda",
                format="raw",
                rotation_rate=1,
                iotune=IoTune(
                    read_bytes_sec=1048576,
                    write_bytes_sec=2097152,
                    read_iops_sec=100,
                    write_iops_sec=200,
                    read_bytes_sec_max=4194304,
                    write_bytes_sec_max=8388608,
                    read_iops_sec_max=300,
                    write_iops_sec_max=400,
                ),
            ),
        ),
    ),
    "disks-remote": _small(
        disks=(
            Disk(
                "vda",
                "virtio",
                source="instances/root",
                format="raw",
                type="network",
                serial="root",
                remote=RemoteSource(
                    (PoolHost("mon1.example.com", 6789), PoolHost("mon2.example.com")),
                    PoolAuth("libvirt", secret_usage="kilonova.compute pool ceph"),
                ),
            ),
            Disk(
                "vdb",
                "virtio",
                source="instances/data",
                format="raw",
                type="network",
                remote=RemoteSource(
                    (PoolHost("mon1.example.com"),), PoolAuth("libvirt", "86856312-8f70-5740-a102-117e4bae2e22")
                ),
            ),
            Disk(
                "vdc",
                "virtio",
                source="open/data",
                format="raw",
                type="network",
                remote=RemoteSource((PoolHost("mon"),)),
            ),
        ),
    ),
    "disks-block": _small(disks=(Disk("vda", "virtio", source="/dev/vg/root", format="raw", type="block"),)),
    "cdroms": _small(
        disks=(
            Disk("sda", "sata", device="cdrom", source="/install.iso", format="raw", readonly=True),
            Disk("sdb", "sata", device="cdrom", readonly=True),
        ),
    ),
    "scsi": _small(scsi_model="virtio-scsi", disks=(Disk("sda", "scsi", source="/sda.qcow2", format="qcow2"),)),
    "scsi-tuned": _small(iothreads=1, scsi_model="virtio-scsi", scsi_queues=2, scsi_iothread=1),
    "pcie-ports": _small(os=OsBoot(machine="q35"), pcie_ports=3),
    "nics-tuned": _small(
        nics=(
            Nic(
                "52:54:00:00:00:01",
                "bridge",
                "br0",
                model="virtio",
                queues=4,
                vlan=42,
                filter="clean-traffic",
                filter_ip="192.0.2.7",
                virtualport="openvswitch",
                inbound=Rate(average=1000, peak=2000, burst=512),
                outbound=Rate(average=500),
            ),
            Nic("52:54:00:00:00:02", "direct", "eth0", model="virtio", mode="bridge"),
            Nic("52:54:00:00:00:03", "bridge", "br0", model="virtio", isolated=True),
        ),
    ),
    "nics": _small(
        nics=(
            Nic("52:54:00:00:00:01", "network", "lan", portgroup="blue", model="virtio", mtu=1400, link_state="up"),
            Nic("52:54:00:00:00:02", "bridge", "br0", model="e1000", link_state="down"),
            Nic("52:54:00:00:00:03", "user"),
        ),
    ),
    "graphics": _small(
        graphics=(
            Graphics("vnc", listen="0.0.0.0", port=5901, autoport=False, keymap="en-us"),
            Graphics("spice", autoport=True),
        ),
    ),
    "spice": _small(
        graphics=(Graphics("spice", listen="127.0.0.1", port=5902, tls_port=5903, autoport=False),),
        channels=(Channel("com.redhat.spice.0", "spicevmc"),),
    ),
    "serials": _small(
        serials=(
            Serial("pty", log="/var/log/a & b.log", log_append=False),
            Serial("file", port=1, path="/var/log/serial.txt"),
        ),
    ),
    "serial-file": _small(serials=(Serial("file", path="/var/log/serial.txt"),)),
    "channels": _small(channels=(Channel("org.qemu.guest_agent.0"), Channel("com.example.other"))),
    "video": _small(video="none"),
    "video-card": _small(video="vga", video_vram_kib=16384, video_heads=1),
    "rng": _small(rng="/dev/random"),
    "rng-rate": _small(rng="/dev/urandom", rng_rate_bytes=1024, rng_rate_period_ms=1000),
    "balloon": _small(balloon="virtio", balloon_stats_seconds=30),
    "balloon-none": _small(balloon="none"),
    "small-devices": _small(
        watchdogs=(Watchdog("i6300esb", "poweroff"),),
        sound="ich9",
        tablet="virtio",
        vsock=Vsock(auto=False, cid=4711),
    ),
    "watchdog": _small(watchdogs=(Watchdog("ib700"),)),
    "vsock-auto": _small(vsock=Vsock(auto=True)),
    "tpm": _small(tpm=Tpm("tpm-crb", "2.0")),
    "hostdevs": _small(
        hostdevs=(
            Hostdev("0000:3b:1f.7", managed=True),
            Hostdev("4b20d080-1b54-4048-85b3-a6a62d165c01", "mdev", model="vfio-pci"),
        ),
    ),
    "filesystems": _small(
        memory_backing=MemoryBacking(source="memfd", access="shared"),
        filesystems=(
            Filesystem("share", "/srv/a & b", driver="virtiofs"),
            Filesystem("docs", "/usr/share/doc", driver="path", readonly=True),
        ),
    ),
    "sev": _small(launch_security=Sev(policy=3, cbitpos=47, reduced_phys_bits=1, kernel_hashes=True)),
}
