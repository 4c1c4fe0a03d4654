# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how instances are found on a host, on libvirt's test driver."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import Host
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.reconcile import reconcile
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Lifecycle, Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine, OsBoot, Tpm
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec

LIFECYCLE = Lifecycle("default-pool", "auto", Limits(4.0, 1.0, 1.0, 0, 512, 0), force=False, shutdown_timeout=0)
DISKS = (OwnedDisk("vda", "default-pool", "web-vda.qcow2"), OwnedDisk("vdb", "gone", "web-data"))
ATTACHED = (OwnedDisk("vdc", "default-pool", "users.raw"), OwnedDisk("vdd", "default-pool", "others.raw"))
RECORD = InstanceRecord(disk_gb=1, disks=DISKS, attached=ATTACHED)
UUID = "8a1f7a6e-3c4b-4a55-9d7e-5f1f0e0d3c21"
MACHINE = Machine("test", "web", UUID, record=RECORD, memory_kib=2048, vcpus=1, os=OsBoot("hvm"))


def define(connection: Connection, machine: Machine) -> None:
    """Define the domain, as often as one likes."""
    driver.define(connection, machine.name, render(machine))


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection to a node that has instance web, but one of its pools is gone."""
    with Connection("test:///default") as opened:
        define(opened, MACHINE)
        yield opened
        driver.undefine(opened, "web", opened.raw.lookupByName("web"))


def test_disks_in_a_pool_that_is_gone_are_told(connection: Connection) -> None:
    """They can't be deleted, and are not forgotten either."""
    with pytest.raises(ConflictError, match=r"vdb of instance web is in storage pool gone.*keep_disks: true"):
        Host(connection, LIFECYCLE).existing("web")


def test_a_tpm_whose_state_cannot_be_kept_is_not_let_go_of(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kept disks hold may be sealed with it."""
    define(connection, replace(MACHINE, record=replace(RECORD, disks=DISKS[:1]), tpm=Tpm("tpm-crb", "2.0")))
    for newest, refused in ((0, False), (99_000_000, True)):
        monkeypatch.setattr(driver, "_KEEPS_TPM", newest)
        for keep in (True, False):
            (job,) = reconcile(Host(connection, replace(LIFECYCLE, keep_disks=keep)), [], [("web", None)], check=True)
            assert (job.error is not None) == (keep and refused)
    assert "keep_disks" in str(
        reconcile(Host(connection, replace(LIFECYCLE, keep_disks=True)), [], [("web", None)], check=True)[0].error
    )


def test_disks_that_are_kept_need_not_be_there(connection: Connection) -> None:
    """Who lets go of them does not look into their pool."""
    existing = Host(connection, replace(LIFECYCLE, keep_disks=True)).existing("web")
    assert existing is not None
    assert [disk.target for disk in existing.disks] == ["vda"]


def test_attached_volumes_are_looked_at_where_they_are_declared(connection: Connection) -> None:
    """They are compared like those that were made, and never deleted."""
    define(connection, replace(MACHINE, record=replace(RECORD, disks=DISKS[:1])))
    spec = instance_spec(None, name="web", volumes=[{"name": "users.raw", "size_gb": 1}])
    existing = Host(connection, LIFECYCLE).existing("web", spec)
    assert existing is not None
    assert [(disk.target, disk.is_root, disk.is_ours) for disk in existing.disks] == [
        ("vda", True, True),
        ("vdc", False, False),
    ]


def test_a_disk_that_no_guest_has_yet_has_the_size_of_its_volume(connection: Connection) -> None:
    """One that waits for the next boot would not grow otherwise."""
    disk = Disk("vdc", bus="sata", source="/default-pool/users.raw", format="raw")
    define(connection, replace(MACHINE, record=replace(RECORD, disks=DISKS[:1]), disks=(disk,)))
    volume = find_pool(connection, "default-pool").create("users.raw", 2 * 1024**3, "raw")
    try:
        spec = instance_spec(None, name="web", volumes=[{"name": "users.raw", "size_gb": 2}])
        existing = Host(connection, LIFECYCLE).existing("web", spec)
    finally:
        volume.delete()
    assert existing is not None
    assert [disk.capacity_bytes for disk in existing.disks] == [None, 2 * 1024**3]
