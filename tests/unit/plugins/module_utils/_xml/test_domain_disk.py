# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what an edit of disks takes away, and what it keeps."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.remote import PoolAuth, PoolHost, RemoteSource
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import IoTune
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import parse, to_text
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain_disk import put_disks, read_disks
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.strategies import read_disk

DISK = (
    "<domain type='kvm'><name>m</name><devices><disk type='file' device='disk' snapshot='no'>"
    "<driver name='qemu' type='qcow2' queues='4'/>"
    "<source file='/old.qcow2' startupPolicy='optional'><seclabel model='dac' relabel='no'/></source>"
    "<backingStore type='file'><format type='qcow2'/><source file='/base.qcow2'/></backingStore>"
    "<target dev='vda' bus='virtio' rotation_rate='1'/><readonly/><wwn>5000c50015ea71aa</wwn>"
    "<address type='pci' domain='0x0000' bus='0x04' slot='0x00' function='0x0'/></disk></devices></domain>"
)


def _edited(disk: Disk, text: str = DISK) -> str:
    return edit(text, Machine("kvm", "m", disks=(disk,)))


def test_another_source_takes_the_old_chain_away() -> None:
    """The backing files of the old source are not those of the new one; everything else stays."""
    edited = _edited(Disk("vda", source="/new.raw", format="raw"))
    assert read(edited).disks == (
        read_disk(Disk("vda", "virtio", source="/new.raw", format="raw", readonly=True, queues=4, rotation_rate=1)),
    )
    assert "/base.qcow2" not in edited
    for kept in ("snapshot=", "queues=", "startupPolicy=", "<seclabel", "rotation_rate=", "<wwn>", "<address"):
        assert kept in edited


def test_the_same_source_keeps_its_chain() -> None:
    """Nothing changes, nothing goes."""
    assert "/base.qcow2" in _edited(Disk("vda", source="/old.qcow2"))
    assert "/base.qcow2" in _edited(Disk("vda"))


def test_another_bus_needs_another_address() -> None:
    """A PCI address is none for a SATA disk; the same bus keeps its own."""
    assert "<address" not in _edited(Disk("vda", bus="sata"))
    assert "<address" in _edited(Disk("vda", bus="virtio"))
    assert "<address" in _edited(Disk("vda"))


def test_a_file_becomes_a_block_device() -> None:
    """The path moves to the attribute of the new type."""
    edited = _edited(Disk("vda", source="/dev/vg/new", type="block"))
    assert read(edited).disks[0].source == "/dev/vg/new"
    assert "file='/old" not in edited.replace('"', "'")
    assert read(_edited(Disk("vda", type="block"))).disks[0].source == "/old.qcow2"


@pytest.mark.parametrize(("readonly", "expected"), [(None, True), (True, True), (False, False)])
def test_sets_and_clears_the_read_only_flag(readonly: bool | None, expected: bool) -> None:
    """None leaves the flag."""
    assert read(_edited(Disk("vda", readonly=readonly))).disks[0].readonly is expected
    assert read(_edited(Disk("vda", shareable=not readonly))).disks[0].shareable is not readonly


def test_a_new_disk_comes_after_those_that_are_there() -> None:
    """Only the named disk is added."""
    machine = read(_edited(Disk("vdb", bus="virtio", source="/more.raw", format="raw")))
    assert [disk.target for disk in machine.disks] == ["vda", "vdb"]
    assert machine.disks[0] == read(DISK).disks[0]


def test_a_disk_without_a_type_is_a_file() -> None:
    """Libvirt's own default when reading."""
    text = "<domain><devices><disk><source file='/a'/><target dev='hda'/></disk></devices></domain>"
    assert read(text).disks == (read_disk(Disk("hda", source="/a")),)


def test_an_empty_drive_stays_empty_until_it_gets_a_source() -> None:
    """A CD-ROM drive without a medium has no source element."""
    empty = edit("<domain/>", Machine("qemu", "m", disks=(Disk("sda", "sata", device="cdrom", type="block"),)))
    assert "<source" not in empty
    filled = _edited(Disk("sda", source="/install.iso", device="cdrom"), empty)
    assert (read(filled).disks[0].source, read(filled).disks[0].type) == ("/install.iso", "file")


LIMIT = Disk("vda", iotune=IoTune(total_bytes_sec=9))
LIMITED = DISK.replace(
    "<readonly/>",
    "<iotune><total_bytes_sec>1</total_bytes_sec><write_iops_sec>2</write_iops_sec><write_iops_sec_max>3</write_iops_sec_max>"
    "<write_iops_sec_max_length>4</write_iops_sec_max_length><group_name>g</group_name></iotune>",
)


def test_a_limit_takes_away_what_it_excludes() -> None:
    """Libvirt takes a total, or reads and writes apart."""
    edited = _edited(Disk("vda", iotune=IoTune(read_bytes_sec=5, total_iops_sec=6, total_iops_sec_max=7)), LIMITED)
    wanted = IoTune(read_bytes_sec=5, total_iops_sec=6, total_iops_sec_max=7)
    assert read(edited).disks[0].iotune == read_disk(Disk("vda", iotune=wanted)).iotune
    assert "max_length" not in edited
    assert "group_name" in edited


def test_no_limit_left_takes_the_element_away() -> None:
    """0 is no limit, and None says nothing."""
    freed = _edited(Disk("vda", iotune=IoTune(total_bytes_sec=0, write_iops_sec=0, write_iops_sec_max=0)), LIMITED)
    assert read(freed).disks[0].iotune == read_disk(Disk("vda")).iotune
    assert "group_name" in freed
    assert "<iotune" not in _edited(Disk("vda", iotune=IoTune(total_bytes_sec=0)), _edited(LIMIT))
    assert "<iotune" in _edited(Disk("vda", iotune=IoTune()), _edited(LIMIT))


CEPH = RemoteSource((PoolHost("mon", 6789),), PoolAuth("libvirt", secret_usage="key"))


def test_a_disk_moves_within_a_cluster_or_to_another() -> None:
    """How to get there goes with it, wherever a login stood."""
    devices = parse(
        "<devices><disk type='network'><auth username='other'/><source protocol='rbd' name='p/old'><host name='a'/></source>"
        "<target dev='vda'/></disk></devices>"
    )
    put_disks(devices, (Disk("vda", source="p/new", type="network", remote=CEPH),))
    (moved,) = read_disks(devices)
    assert (moved.source, moved.remote) == ("p/new", CEPH)
    assert to_text(devices).count("<auth") == to_text(devices).count("<host") == 1


def test_a_disk_in_a_cluster_stays_as_it_is() -> None:
    """Where nothing is said of its source; one on another kind of network is never touched."""
    login = "<auth username='libvirt'><secret type='ceph' uuid='u'/></auth>"
    disk = "<devices><disk type='network'>{}<source protocol='{}' name='p/image'><host name='a'/></source><target dev='vda'/></disk></devices>"
    devices = parse(disk.format(login, "rbd"))
    assert read_disks(devices)[0].remote == RemoteSource((PoolHost("a"),), PoolAuth("libvirt", "u"))
    put_disks(devices, (Disk("vda", type="network", serial="x"),))
    assert read_disks(devices)[0].remote == RemoteSource((PoolHost("a"),), PoolAuth("libvirt", "u"))
    assert read_disks(devices)[0].serial == "x"
    devices = parse(disk.format("", "nbd"))
    put_disks(devices, (Disk("vda", type="network", serial="x"),))
    (foreign,) = read_disks(devices)
    assert (foreign.source, foreign.remote, foreign.serial) == (None, None, None)


_KEY = "<encryption format='luks'><secret type='passphrase' uuid='{uuid}'/></encryption>"


@pytest.mark.parametrize("inside", [True, False])
def test_the_key_of_an_encrypted_disk(inside: bool) -> None:
    """It is read wherever it stands, written below the source, kept where it is right, and goes with its source."""
    key, place = _KEY.format(uuid="old"), ("<source file='/a'>{}</source>", "<source file='/a'/>{}")[not inside]
    devices = parse(f"<devices><disk type='file'>{place.format(key)}<target dev='vda'/></disk></devices>")
    assert read_disks(devices)[0].secret == "old"
    before = to_text(devices)
    put_disks(devices, (Disk("vda", source="/a", secret="old"),))
    assert [one.secret for one in read_disks(devices)] == ["old"]
    assert before.count("<encryption") == to_text(devices).count("<encryption") == 1
    put_disks(devices, (Disk("vda", secret="new"),))
    assert devices.find("disk/source/encryption/secret").get("uuid") == "new"
    assert to_text(devices).count("<encryption") == 1
    put_disks(devices, (Disk("vda", source="/b"),))
    assert "<encryption" not in to_text(devices)
