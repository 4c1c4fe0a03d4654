# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how chains are read, on libvirt's test driver."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError
from ansible_collections.kilonova.compute.plugins.module_utils._service.chains import (
    DomainUse,
    Volumes,
    read_domains,
    read_volumes,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import Begun, InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import render

POOL = "/default-pool"
"""Where the test driver's pool has its volumes."""
DIGEST = "sha256:" + "ab" * 32


NODE = """<node><pool type='dir'><name>default-pool</name><target><path>/default-pool</path></target></pool></node>"""


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a node of the test's own that has a pool and nothing else."""
    node = tmp_path / "node.xml"
    node.write_text(NODE, encoding="utf-8")
    with Connection(f"test://{node}") as opened:
        yield opened


def add_volume(connection: Connection, name: str, below: str | None = None, pool: str = "default-pool") -> str:
    """Make a volume and return its path."""
    backing = f"<backingStore><path>{below}</path><format type='qcow2'/></backingStore>" if below else ""
    xml = f"<volume><name>{name}</name><capacity>1048576</capacity><target><format type='qcow2'/></target>{backing}</volume>"
    return str(connection.raw.storagePoolLookupByName(pool).createXML(xml, 0).path())


def disk(source: str, image_format: str | None = "qcow2", kind: str = "file", target: str = "vda") -> str:
    """Return a disk's XML."""
    driver = f"<driver name='qemu' type='{image_format}'/>" if image_format else ""
    return f"<disk type='{kind}'>{driver}<source {source}/><target dev='{target}' bus='virtio'/></disk>"


def define(connection: Connection, name: str, *disks: str) -> t.Any:
    """Define a domain."""
    xml = (
        f"<domain type='test'><name>{name}</name><memory>2048</memory><os><type>hvm</type></os><devices>{''.join(disks)}"
        "</devices></domain>"
    )
    return connection.raw.defineXML(xml)


def domain(connection: Connection, volumes: Volumes, name: str) -> DomainUse:
    """Return what is read of a domain."""
    (found,) = [one for one in read_domains(connection, volumes) if one.name == name]
    return found


def test_volumes(connection: Connection) -> None:
    """What they are called, lie on, and which is not to be found."""
    base = add_volume(connection, "base")
    upper = add_volume(connection, "upper", f"{POOL}/./base")
    add_volume(connection, "astray", "/elsewhere/x")
    add_volume(connection, "gone", f"{POOL}/gone-too")
    found = read_volumes(connection, thorough=True)
    assert found.backing[upper] == base == f"{POOL}/base"
    assert (found.names[upper], found.labels[upper]) == ("upper", "volume upper of pool default-pool")
    assert found.doubts == ["volume astray of pool default-pool, which lies on /elsewhere/x in no running pool"]
    assert read_volumes(connection, thorough=False).doubts == []


def test_pools_that_do_not_run(connection: Connection) -> None:
    """They are told after a thorough look alone."""
    connection.raw.storagePoolDefineXML(
        "<pool type='dir'><name>asleep</name><target><path>/asleep</path></target></pool>", 0
    )
    assert read_volumes(connection, thorough=True).doubts == ["storage pool asleep, which is not running"]
    assert read_volumes(connection, thorough=False).doubts == []


def test_what_cannot_be_read_is_told(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that can't be looked at again, and a volume that can't be read, are doubts of a thorough look."""
    add_volume(connection, "base")
    original = Connection.call

    def call(self: Connection, doing: str, function: t.Any, *arguments: t.Any) -> t.Any:
        if function.__name__ == "refresh" or doing.startswith("read volume"):
            raise DriverError(f"Cannot {doing}.")
        return original(self, doing, function, *arguments)

    monkeypatch.setattr(Connection, "call", call)
    doubts = read_volumes(connection, thorough=True).doubts
    assert [doubt.split(",")[0] for doubt in doubts] == [
        "storage pool default-pool",
        "volume base of pool default-pool",
    ]
    with pytest.raises(DriverError):
        read_volumes(connection, thorough=False)


@pytest.mark.parametrize(
    ("source", "image_format", "kind", "unreadable"),
    [
        ("file='/default-pool/base'", "qcow2", "file", ()),
        ("file='/elsewhere/x'", "raw", "file", ()),
        ("file='/elsewhere/x'", "qcow2", "file", ("/elsewhere/x",)),
        ("dev='/dev/vg/x'", "qcow2", "block", ("/dev/vg/x",)),
        ("file='/default-pool/never-made'", "qcow2", "file", ()),
        ("pool='default-pool' volume='base'", None, "volume", ()),
        ("pool='asleep' volume='v'", "qcow2", "volume", ("volume v of pool asleep",)),
        ("pool='asleep' volume='v'", "raw", "volume", ()),
    ],
)
def test_disks(
    connection: Connection, source: str, image_format: str | None, kind: str, unreadable: tuple[str, ...]
) -> None:
    """Only what has no chain, or one that can be followed, is readable."""
    base = add_volume(connection, "base")
    define(connection, "web", disk(source, image_format, kind))
    found = domain(connection, read_volumes(connection, thorough=True), "web")
    assert found.unreadable == unreadable
    assert (base in found.paths) == ("base" in source)
    assert found.pools == ({source.split("'")[1]} if kind == "volume" else frozenset())


def test_without_a_new_look_a_file_may_be_there(connection: Connection) -> None:
    """Libvirt does not know every file of its pools."""
    define(connection, "web", disk("file='/default-pool/never-made'"))
    volumes = read_volumes(connection, thorough=False)
    assert domain(connection, volumes, "web").unreadable == ("/default-pool/never-made",)


def test_snapshots_and_guests_count(connection: Connection) -> None:
    """What a snapshot remembers, and how the guest runs, count beside the definition."""
    paths = [add_volume(connection, name) for name in ("then", "running", "now")]
    handle = define(connection, "web", disk(f"file='{paths[0]}'"))
    handle.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>", 0)
    identity = f"<uuid>{handle.UUIDString()}</uuid>"
    for path in paths[1:]:
        xml = handle.XMLDesc(0)
        place = xml.index("<source file='") + len("<source file='")
        connection.raw.defineXML(xml[:place] + path + xml[xml.index("'", place) :])
        if path == paths[1]:
            handle.create()
    assert identity in handle.XMLDesc(0)
    found = domain(connection, read_volumes(connection, thorough=True), "web")
    assert found.paths == frozenset(paths)
    assert found.is_active


def test_saved_memory_that_cannot_be_read_is_told(connection: Connection) -> None:
    """The test driver saves memory and does not tell what is in it."""
    handle = define(connection, "web")
    handle.create()
    handle.managedSave(0)
    volumes = read_volumes(connection, thorough=True)
    read_domains(connection, volumes)
    assert volumes.doubts == ["the saved memory of domain web, which can't be read"]


def test_claims(connection: Connection) -> None:
    """An instance claims its image until its root disk is there, and that of an action that was begun."""

    def claims(record: InstanceRecord) -> frozenset[str]:
        machine = Machine("test", "web", record=record, memory_kib=2048, vcpus=1, os=OsBoot("hvm"))
        handle = connection.raw.defineXML(render(machine))
        found = domain(connection, read_volumes(connection, thorough=True), "web").claims
        handle.undefine()
        return found

    root = OwnedDisk("vda", "default-pool", "web-vda.qcow2")
    record = InstanceRecord(disk_gb=1, image="debian", image_digest=DIGEST, disks=(root,))
    assert claims(record) == {DIGEST}
    add_volume(connection, root.volume)
    assert claims(record) == frozenset()
    begun = Begun("rebuild", image="fedora", image_digest=DIGEST, target="vda")
    assert claims(InstanceRecord(disk_gb=1, disks=(root,), begun=begun)) == {DIGEST}
