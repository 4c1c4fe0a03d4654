# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which volumes an instance may have, on libvirt's test driver."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import Pool, Volume, find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.design_disks import VolumePlace
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import Host
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.volumes import places_of
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Lifecycle, Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import REFERRING, qcow2, reader
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.own_node import own_node

GIB = 1024**3
POOL = "default-pool"
LIFECYCLE = Lifecycle(POOL, "auto", Limits(4.0, 1.0, 1.0, 0, 512, 0), force=False, shutdown_timeout=0)
DISGUISED = REFERRING[0].make("/etc/shadow")
EMPTY = bytes(4096)


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a node of one's own."""
    with Connection(own_node(tmp_path, "vg")) as opened:
        yield opened


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Return what volumes hold by their names, which the test driver does not know; others can't be read."""
    known: dict[str, bytes] = {}
    monkeypatch.setattr(Volume, "read_at", lambda self, offset, length: reader(known[self.name])(offset, length))
    return known


@contextlib.contextmanager
def volume_in(pool: Pool, name: str, image_format: str = "raw", size: int = 2 * GIB) -> t.Iterator[Volume]:
    """Have a volume in a pool for as long as the block lasts."""
    made = pool.create(name, size, image_format)
    try:
        yield made
    finally:
        made.delete()


def places(connection: Connection, **volume: t.Any) -> list[VolumePlace]:
    """Return where instance web finds the volume that is declared."""
    return list(places_of(Host(connection, LIFECYCLE), instance_spec(None, name="web", volumes=[volume])))


@pytest.mark.parametrize(("size_gb", "is_fine"), [(None, True), (2, True), (1, False), (3, False)])
def test_a_new_disk_has_the_size_that_is_declared(
    connection: Connection, contents: dict[str, bytes], size_gb: int | None, is_fine: bool
) -> None:
    """A volume that was there before is not silently taken as what it is."""
    contents["users"] = EMPTY
    told = contextlib.nullcontext() if is_fine else pytest.raises(SpecError, match=r"size_gb: .* has 2 GiB")
    with volume_in(find_pool(connection, POOL), "users"), told:
        assert len(places(connection, name="users", size_gb=size_gb)) == 1


def test_a_disguised_volume_is_not_given_to_a_guest(connection: Connection, contents: dict[str, bytes]) -> None:
    """What another guest made of its raw disk would have the hypervisor's files read."""
    with volume_in(find_pool(connection, POOL), "users", "qcow2", GIB):
        contents["users"] = DISGUISED
        expected = (
            r"Option volumes\[0\]\.name: volume users of pool default-pool is not attached: it has a backing file"
        )
        with pytest.raises(ImageError, match=expected):
            places(connection, name="users")
        contents["users"] = qcow2()
        assert [place.format for place in places(connection, name="users")] == ["qcow2"]


def test_a_disk_that_is_there_is_not_read_again(connection: Connection, contents: dict[str, bytes]) -> None:
    """Its format stands in the instance's definition, and what the guest writes to it is its own."""
    with volume_in(find_pool(connection, POOL), "users") as volume:
        disk = Disk("vdb", bus="virtio", source=volume.path, format="raw")
        machine = Machine(
            "test", "web", record=InstanceRecord(), memory_kib=2048, vcpus=1, os=OsBoot("hvm"), disks=(disk,)
        )
        driver.define(connection, "web", render(machine))
        try:
            assert len(places(connection, name="users")) == 1
        finally:
            driver.undefine(connection, "web", connection.raw.lookupByName("web"))
    assert contents == {}


def test_a_volume_that_another_guest_encrypted(connection: Connection, contents: dict[str, bytes]) -> None:
    """Without its passphrase it is for a guest that opens it itself, and so has to be declared as raw."""
    contents["users"] = b"LUKS\xba\xbe\0\x02".ljust(4096, b"\0")
    with volume_in(find_pool(connection, POOL), "users"):
        with pytest.raises(ImageError, match=r"volumes\[0\]\.name: .* is encrypted.* declare format: raw"):
            places(connection, name="users")
        assert len(places(connection, name="users", format="raw")) == 1


def test_a_volume_of_lvm_is_its_users(connection: Connection, contents: dict[str, bytes]) -> None:
    """Libvirt tells no format of it; that of a volume which is there is never None, by which a new one is known."""
    contents["users"] = EMPTY
    with volume_in(find_pool(connection, "vg"), "users") as volume:
        assert volume.format is None
        assert [place.format for place in places(connection, name="users", pool="vg")] == ["raw"]
        with pytest.raises(SpecError, match=r"volumes\[0\]\.format: volume users holds raw"):
            places(connection, name="users", pool="vg", format="qcow2")
