# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of libvirt's XML of snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import Begun, InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot import Frozen
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot_disk import NewLayer
from ansible_collections.kilonova.compute.plugins.module_utils._xml.block_job import is_mirror_ready
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.record import NAMESPACE
from ansible_collections.kilonova.compute.plugins.module_utils._xml.snapshot import (
    move_disks,
    move_frozen,
    put_snapshot_record,
    read_snapshot,
    read_snapshot_traits,
    write_snapshot,
)
from lxml import etree

SCHEMA = Path("/usr/share/libvirt/schemas/domainsnapshot.rng")
DOMAIN = f"""<TAG type='kvm'><name>web</name>
  <metadata><k:instance xmlns:k="{NAMESPACE}"><k:begun action="snapshot" target="s1"/></k:instance></metadata>
  <os firmware='efi'><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='/p/a.raw' index='2'/>
      <backingStore type='file' index='1'><format type='raw'/><source file='/p/base'/></backingStore>
      <target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='disk'><driver type='qcow2'/><source file='/p/b'><encryption format='luks'/></source>
      <target dev='vdb'/></disk>
    <disk type='block' device='lun'><source dev='/dev/x'/><target dev='sda'/><shareable/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='p/i'/><target dev='vdc'/></disk>
    <disk type='file' device='cdrom'><source file='/p/c.iso'/><target dev='sdb'/><readonly/></disk>
    <disk type='file' device='disk'><source file='/p/seed'/><target dev='vdd'/><readonly/></disk>
  </devices></TAG>"""
SNAPSHOT = f"""<domainsnapshot><name>s1</name><description>one</description><state>running</state><parent><name>s0</name></parent>
  <creationTime>7</creationTime><memory snapshot='external' file='/p/m'/>
  <disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/p/a.1'/></disk>
    <disk name='vdb' snapshot='no'/></disks>
  {DOMAIN.replace("TAG", "domain")}{DOMAIN.replace("TAG", "inactiveDomain")}<cookie><x/></cookie></domainsnapshot>"""
LAYER = NewLayer("vda", "p", "a.1", "/p/a.1", 1, "/p/a.raw", "raw")


def test_reads_what_libvirt_tells() -> None:
    """Where the state of then lies is what the domain of then says."""
    found = read_snapshot(SNAPSHOT, current=True)
    assert (found.name, found.description, found.parent, found.created) == ("s1", "one", "s0", 7)
    assert (found.type, found.memory, found.memory_path, found.current) == ("external", True, "/p/m", True)
    assert found.frozen == (Frozen("vda", "/p/a.raw", "raw"),)
    assert found.is_ours


def test_an_internal_snapshot_has_no_places() -> None:
    """Its disks hold it themselves."""
    inside = SNAPSHOT.replace("snapshot='external'", "snapshot='internal'").replace(" file='/p/m'", "")
    found = read_snapshot(inside)
    assert (found.type, found.memory, found.memory_path, found.frozen) == ("internal", True, None, ())


def test_other_xml_is_refused() -> None:
    """A domain's is no snapshot's."""
    with pytest.raises(XmlError):
        read_snapshot("<domain/>")


@pytest.mark.parametrize("memory", [None, "/p/memory"])
@pytest.mark.parametrize("layers", [(), (LAYER,)])
def test_libvirts_schema_takes_what_is_written(layers: tuple[NewLayer, ...], memory: str | None) -> None:
    """With disks and memory, and without."""
    text = write_snapshot("s1", "what <for>", layers, ("sdb",), memory)
    schema = etree.RelaxNG(etree.parse(str(SCHEMA)))
    schema.assertValid(etree.fromstring(text))


def test_tells_which_disks_can_be_in_a_snapshot() -> None:
    """What can't be written is none of them, and each obstacle has its words."""
    traits = read_snapshot_traits(DOMAIN.replace("TAG", "domain"))
    assert traits.pflash
    assert traits.targets == ("vda", "vdb", "sda", "vdc", "sdb", "vdd")
    words = {disk.target: disk.obstacle for disk in traits.disks}
    assert sorted(words) == ["sda", "vda", "vdb", "vdc"]
    assert words["vda"] is None
    assert "encrypted" in str(words["vdb"])
    assert "passed through" in str(words["sda"])
    assert "no file" in str(words["vdc"])


def test_moves_a_disk_and_nothing_else() -> None:
    """The chain of the old place is not that of the new one."""
    record = InstanceRecord(begun=Begun("delete_snapshot", target="s1"))
    text = move_disks(DOMAIN.replace("TAG", "domain"), {"vda": Frozen("vda", "/p/new", "qcow2")}, record)
    source, driver = (etree.fromstring(text).find(f"devices/disk/{tag}") for tag in ("source", "driver"))
    assert source is not None
    assert driver is not None
    assert dict(source.items()) == {"file": "/p/new"}
    assert dict(driver.items()) == {"name": "qemu", "type": "qcow2", "cache": "none"}
    assert "/p/base" not in text
    assert 'action="delete_snapshot"' in text
    assert text.count("/p/c.iso") == 1


def test_a_snapshot_knows_its_domain_twice() -> None:
    """Both are changed, and what libvirt alone knows stays."""
    moved = move_frozen(SNAPSHOT, {"vda": Frozen("vda", "/p/low", "qcow2")})
    assert moved.count("/p/low") == 2
    assert "/p/a.raw" not in moved
    assert "<cookie><x/></cookie>" in moved
    again = put_snapshot_record(
        SNAPSHOT, InstanceRecord(begun=Begun("finish_revert_snapshot", target="s1"), protected=True)
    )
    assert again.count("finish_revert_snapshot") == 2
    assert read_snapshot(again).is_ours


@pytest.mark.parametrize(("ready", "answer"), [("yes", True), ("abort", False), (None, False)])
def test_a_job_that_has_caught_up(ready: str | None, answer: bool) -> None:
    """Only libvirt's yes counts, of that disk."""
    mirror = "" if ready is None else f"<mirror ready='{ready}'/>"
    xml = (
        f"<domain><devices><disk><target dev='vda'/>{mirror}</disk><disk><target dev='vdb'/></disk></devices></domain>"
    )
    assert is_mirror_ready(xml, "vda") == answer
    assert not is_mirror_ready(xml, "vdb")
