# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of domain XML as libvirt itself gives it back: dumps of several drivers, and libvirt's own test driver."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Channel,
    Cpu,
    Disk,
    Graphics,
    Machine,
    Nic,
    OsBoot,
    Serial,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.examples import (
    CLASSIC,
    EXAMPLES,
    RECORD,
    UUID,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.strategies import (
    read_disk,
    read_nic,
    unmet,
)
from lxml import etree

DATA = Path(__file__).parent / "data"
DUMPS = sorted(path.stem for path in DATA.glob("dump-*.xml"))
TEST_OS = OsBoot(arch="i686", boot_devices=("hd", "network"), boot_menu=True)
"""The test driver has one kind of machine."""


def _dump(name: str) -> str:
    return (DATA / f"{name}.xml").read_text(encoding="utf-8")


def _canonical(text: str) -> bytes:
    return etree.tostring(etree.fromstring(text), method="c14n")


def _subtrees(text: str) -> set[bytes]:
    return {etree.tostring(element, method="c14n", with_tail=False) for element in etree.fromstring(text).iter("*")}


@pytest.mark.parametrize("name", DUMPS)
def test_edit_with_what_was_read_changes_nothing(name: str) -> None:
    """A machine read from a definition and written back onto it leaves it as it was."""
    machine = read(_dump(name))
    edited = edit(_dump(name), replace(machine, record=None, current_vcpus=None, graphics=()))
    assert _canonical(edited) == _canonical(_dump(name))


@pytest.mark.parametrize("name", ["dump-q35-inactive", "dump-q35-live", "dump-pc-inactive"])
def test_reads_what_qemu_made_of_a_machine(name: str) -> None:
    """Implicit controllers, addresses and aliases hide nothing of what was asked for."""
    machine = read(_dump(name))
    kind = "ide" if "pc-i" in name or "pc-in" in name else "sata"
    prefix = "hd" if kind == "ide" else "sd"
    assert (machine.type, machine.uuid, machine.memory_kib, machine.vcpus) == ("qemu", UUID, 131072, 2)
    assert (machine.current_vcpus, machine.clock_offset, machine.on_crash) == (1, "localtime", "restart")
    assert machine.name == "a&<b>'\" c"
    assert machine.os.boot_devices == ("cdrom", "hd", "network")
    assert machine.os.machine in ("pc-q35-7.2", "pc-i440fx-7.2")
    assert machine.os.smbios_sysinfo
    assert machine.sysinfo == (("manufacturer", "M"), ("product", "P&"), ("serial", "ds=nocloud;h=x"))
    assert machine.record is not None
    assert machine.record.labels == (("a", "b"), ("c", " x\ty "))
    images = "/var/lib/libvirt/images"
    by_target = {disk.target: disk for disk in machine.disks}
    assert sorted(by_target) == sorted(["vda", "vdb", "sdx", f"{prefix}a", f"{prefix}b", f"{prefix}c"])
    assert by_target["vda"] == read_disk(
        Disk(
            "vda",
            "virtio",
            source=f"{images}/a.qcow2",
            format="qcow2",
            cache="none",
            io="native",
            discard="unmap",
            serial="SER1",
        )
    )
    assert by_target["vdb"].shareable
    cdrom = by_target[f"{prefix}a"]
    assert (cdrom.device, cdrom.bus, cdrom.source, cdrom.readonly) == ("cdrom", kind, f"{images}/x.iso", True)
    assert by_target[f"{prefix}c"].source is None
    assert machine.nics == (
        read_nic(Nic("52:54:00:00:00:01", "user", model="virtio", link_state="up")),
        read_nic(Nic("52:54:00:00:00:03", "user", model="e1000")),
    )
    assert machine.serials == (
        Serial("pty", 0, f"{images}/log", True),
        Serial("file", 1, path=f"{images}/ser1"),
    )
    assert machine.channels == (Channel("org.qemu.guest_agent.0"),)
    assert (machine.video, machine.rng, machine.balloon) == ("vga", "/dev/urandom", "virtio")
    assert machine.balloon_stats_seconds == 10
    live_port = machine.graphics[0].port if name == "dump-q35-live" else None
    assert machine.graphics == (Graphics("vnc", "127.0.0.1", live_port, True, "de"),)


def test_reads_a_container() -> None:
    """LXC: no disks, and a console that is no serial port."""
    machine = read(_dump("dump-lxc"))
    assert (machine.type, machine.name) == ("lxc", "container")
    assert machine.os == OsBoot(type="exe", arch="x86_64", init="/sbin/init", smbios_sysinfo=False)
    assert machine.nics == (read_nic(Nic("00:16:3e:00:00:01", "network", "default")),)
    assert (machine.disks, machine.serials, machine.video, machine.balloon) == ((), (), None, None)


def test_reads_a_paravirtual_xen_domain() -> None:
    """Xen: its own bus, bootloader and console."""
    machine = read(_dump("dump-xen"))
    assert (machine.type, machine.os.type, machine.os.machine) == ("xen", "linux", "xenpv")
    assert [(disk.target, disk.bus, disk.type, disk.source) for disk in machine.disks] == [
        ("xvda", "xen", "block", "/dev/vg/paravirtual"),
        ("xvdb", "xen", "file", "/var/lib/xen/images/data.qcow2"),
    ]
    assert machine.nics == (read_nic(Nic("00:16:3e:5d:c7:9e", "bridge", "xenbr0")),)
    assert machine.graphics == (Graphics("vnc", "127.0.0.1", 5903, True, "en-us"),)
    assert (machine.vcpus, machine.current_vcpus, machine.current_memory_kib) == (2, 1, 393216)


def test_reports_devices_of_other_kinds() -> None:
    """What this collection never writes is told by its kind; nothing unknown is an error."""
    machine = read(_dump("dump-foreign"))
    assert [(disk.target, disk.type, disk.source) for disk in machine.disks] == [
        ("vda", "network", "pool/image"),
        ("vdb", "volume", None),
        ("vdc", "file", "/var/lib/libvirt/images/overlay.qcow2"),
        ("vdd", "vhostuser", None),
    ]
    assert [(nic.mac, nic.type, nic.source) for nic in machine.nics] == [
        ("52:54:00:aa:00:01", "ethernet", None),
        ("52:54:00:aa:00:02", "network", "lan"),
        ("52:54:00:aa:00:03", "direct", "eth0"),
        ("52:54:00:aa:00:04", "hostdev", None),
    ]
    assert [graphics.type for graphics in machine.graphics] == ["spice", "vnc", "egl-headless"]
    assert [(serial.type, serial.port) for serial in machine.serials] == [("tcp", 0), ("pty", 1)]
    assert machine.channels == (Channel("com.redhat.spice.0", "spicevmc"),)
    assert (machine.video, machine.rng, machine.os.secure_boot) == ("qxl", None, True)


def test_reads_a_later_record() -> None:
    """A later version's record is read as far as it is understood, on the safe side."""
    record = read(_dump("dump-foreign")).record
    assert record is not None
    assert (record.schema, record.flavor, record.vcpus, record.memory_mb) == (9, "big", 0, 2048)
    assert record.protected
    assert record.labels == (("a", "1"),)


def test_edit_of_foreign_devices_keeps_them() -> None:
    """A whole new machine written onto a definition full of others' devices loses none of them."""
    before = _dump("dump-foreign")
    wanted = replace(CLASSIC, disks=tuple(replace(disk, target=f"{disk.target}z") for disk in CLASSIC.disks))
    edited = edit(before, wanted)
    assert unmet(wanted, read(edited)) == []
    kept = ("genid", "description", "maxMemory", "memoryBacking", "cputune", "resource", "pm", "seclabel")
    devices = ("disk", "filesystem", "interface", "tpm", "sound", "hostdev", "watchdog", "vsock", "input")
    root = etree.fromstring(before)
    expected = [root.find(tag) for tag in kept] + [found for tag in devices for found in root.iter(tag)]
    expected += [root.find("sysinfo"), root.find("{*}commandline"), root.find("metadata/{*}libosinfo")]
    trees = _subtrees(edited)
    # Boot order is of one kind: the new one is that of <os>.
    for disk in root.findall("devices/disk"):
        for order in disk.findall("boot"):
            disk.remove(order)
    found = [element for element in expected if element is not None]
    assert len(found) == len(expected)
    assert {etree.tostring(element, method="c14n", with_tail=False) for element in found} <= trees
    record = read(edited).record
    assert record == replace(RECORD, schema=9)
    assert 'later="yes"' in edited
    assert 'gpu="1"' in edited
    assert "<kilonova:thing" in edited


@pytest.mark.parametrize("disk", [Disk("vda", source="/x"), Disk("vdc", type="network"), Disk("new", type="volume")])
def test_refuses_to_turn_a_disk_into_another_kind(disk: Disk) -> None:
    """A network disk is not made a file, nor the other way round, and no other kind is made."""
    with pytest.raises(XmlError, match=rf"^Disk {disk.target} cannot go from type \w+ to {disk.type}: only file and"):
        edit(_dump("dump-foreign"), Machine("kvm", "foreign", vcpus=4, disks=(disk,)))


@pytest.mark.parametrize(
    "nic", [Nic("52:54:00:aa:00:01"), Nic("52:54:00:aa:00:02", "vdpa"), Nic("52:54:00:aa:00:09", "ethernet")]
)
def test_refuses_to_turn_a_nic_into_another_kind(nic: Nic) -> None:
    """A tap device of someone else is not made a network's, nor the other way round, and no other kind is made."""
    with pytest.raises(XmlError, match=rf"^NIC {nic.mac} cannot go from type \w+ to {nic.type}: only network, bridge"):
        edit(_dump("dump-foreign"), Machine("kvm", "foreign", vcpus=4, nics=(nic,)))


@pytest.fixture(name="connection")
def _connection() -> t.Iterator[libvirt.virConnect]:
    connection = libvirt.open("test:///default")
    there = {domain.name() for domain in connection.listAllDomains()}
    yield connection
    # All of a process share this node.
    for domain in connection.listAllDomains():
        if domain.name() not in there:
            domain.undefine()
    connection.close()


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"lxc", "xen", "firmware", "firmware-bios"}))
def test_libvirt_gives_back_what_was_defined(connection: libvirt.virConnect, name: str) -> None:
    """What libvirt's test driver makes of a definition leaves nothing to change, also after a second time."""
    example = EXAMPLES[name]
    ordered = any(disk.boot_order for disk in example.disks)
    boot = replace(TEST_OS, boot_devices=()) if ordered else TEST_OS
    cells = example.cpu.cells if example.cpu else None
    wanted = replace(example, type="test", cpu=Cpu(cells=cells) if cells else None, os=boot)
    domain = connection.defineXML(render(wanted))
    given = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert unmet(wanted, read(given)) == []
    assert read(given).record == wanted.record
    again = connection.defineXML(edit(given, wanted)).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert read(again) == read(given)
