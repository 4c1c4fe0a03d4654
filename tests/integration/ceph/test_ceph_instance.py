# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""An instance all of whose disks are in a Ceph cluster: what its guest sees of them, and what is left of them after it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ..lab.conftest import Hypervisor, run_module, wait_until
from ..lab.subjects import BOOTING, FLAVOR, SWITCHED_OFF, Subject, effects
from .cluster import CEPH_POOL, Cluster
from .conftest import POOL, CephPool

MIB, GIB = 1024**2, 1024**3
ROOT: dict[str, t.Any] = {"name": "root", "pool": POOL, "serial": "root"}
OWN: dict[str, t.Any] = {"pool": POOL, "serial": "own", "size_gb": 1}
DISKLESS: dict[str, t.Any] = {"image": None, "flavor": {**FLAVOR, "memory_mb": 128, "disk_gb": 0}}


@pytest.fixture(scope="module")
def guest(host: Hypervisor, pool: CephPool, cluster: Cluster, raw_guest: Path) -> t.Iterator[Subject]:
    """Return a guest that boots from a copy of an image which is in the cluster itself."""
    cluster.import_raw(raw_guest, "golden")
    assert not pool.attempt(refresh=True).changed
    pool.with_volume("root", source={"name": "golden"})
    guest = Subject(host, "afloat", **{**BOOTING, **DISKLESS, "volumes": [ROOT, OWN]})
    guest.declare()
    try:
        yield guest
    finally:
        guest.remove()


def device(guest: Subject, serial: str) -> str:
    """Return how the guest calls the disk with that serial number; nothing while it sees none."""
    found = guest.inside(f"grep -l '^{serial}$' /sys/block/vd?/serial")
    return found.split("/")[3] if found else ""


def test_a_guest_boots_from_ceph(guest: Subject, cluster: Cluster) -> None:
    """From a copy of an image; a second disk was made for it."""
    assert guest.disks() == {"vda": f"{CEPH_POOL}/root", "vdb": f"{CEPH_POOL}/afloat-own"}
    assert cluster.size("afloat-own") == GIB
    assert cluster.is_open("root")
    guest.wait_for_boot()
    assert guest.boots() == 1
    assert guest.inside(f"cat /sys/block/{device(guest, 'own')}/size") == str(GIB // 512)


def test_a_volume_is_attached_written_grown_and_detached(guest: Subject, pool: CephPool, cluster: Cluster) -> None:
    """While the guest runs, by its serial number; what it writes is in the cluster, and is there again the next time."""
    guest.wait_for_boot()
    pool.with_volume("data", size="16M")
    number = guest.number
    pool.with_volume("data", attached_to=guest.name, serial="data")
    disk = wait_until(lambda: device(guest, "data"), "the guest sees the disk")
    guest.inside(f"printf written > /dev/{disk}; sync")
    assert cluster.content("data").startswith(b"written")
    for refused in (pool.refusal("data", state="absent"), pool.absent(check=True).message, pool.absent().message):
        assert f"domain {guest.name}" in refused
    assert f"domain {guest.name}" in pool.attempt(active=False).message

    pool.with_volume("data", size="48M")
    assert cluster.size("data") == 48 * MIB
    wait_until(lambda: guest.inside(f"cat /sys/block/{disk}/size") == str(48 * MIB // 512), "the guest sees it grow")
    assert not guest.run()["changed"]

    pool.with_volume("data", attached_to="")
    wait_until(lambda: not device(guest, "data"), "the guest does not see the disk")
    assert not cluster.is_open("data")
    pool.with_volume("data", attached_to=guest.name, bus="virtio", serial="again")
    disk = wait_until(lambda: device(guest, "again"), "the guest sees the disk again")
    assert guest.inside(f"head -c 7 /dev/{disk}") == "written"
    assert guest.number == number
    pool.with_volume("data", attached_to="")


def test_the_declaration_of_a_running_instance_changes(guest: Subject, pool: CephPool, cluster: Cluster) -> None:
    """Its volumes come, grow and go without another QEMU."""
    guest.wait_for_boot()
    pool.with_volume("more", size="16M")
    number, more = guest.number, {"name": "more", "pool": POOL, "serial": "more"}
    done = guest.declare(volumes=[ROOT, {**OWN, "size_gb": 2}, more])
    assert set(effects(done).values()) == {"live"}
    assert cluster.size("afloat-own") == 2 * GIB
    wait_until(lambda: device(guest, "more"), "the guest sees the disk")
    done = guest.declare(volumes=[ROOT, {**OWN, "size_gb": 2}])
    assert set(effects(done).values()) == {"live"}
    assert guest.number == number
    assert cluster.images() >= {"more", "afloat-own"}


def test_two_instances_never_share_a_volume(guest: Subject, host: Hypervisor, cluster: Cluster) -> None:
    """Nor is the pool a place for images, seeds and logs; both are refused before anything is made."""
    before = cluster.images()
    other = Subject(host, "aground", **{**BOOTING, **DISKLESS, "volumes": [ROOT]})
    refused = other.attempt()
    assert refused.failed
    assert f"is a disk of {guest.name}" in refused.message
    at_home = Subject(host, "aground", pool=POOL).attempt()
    assert at_home.failed
    assert at_home.message.startswith("Option pool")
    assert "among the instance's volumes" in at_home.message
    assert "aground" not in host.domains()
    assert cluster.images() == before


@pytest.mark.parametrize(("module", "named"), [("compute_snapshot", "snapshot"), ("compute_backup", "backup")])
def test_snapshots_and_backups_are_refused(guest: Subject, host: Hypervisor, module: str, named: str) -> None:
    """They are Ceph's own business."""
    wanted: dict[str, t.Any] = {"uri": host.uri, "name": guest.name, named: "first"}
    refused = run_module(module, **wanted)
    assert refused.failed
    assert "lies on no file" in refused.message


def test_facts_know_a_pool_that_has_no_path(guest: Subject, host: Hypervisor) -> None:
    """And count no disk of the instance among those of the hypervisor."""
    told = run_module("compute_facts", uri=host.uri)
    assert not told.failed, told.message
    node = told.data["ansible_facts"]["compute_node"]
    assert {key: node["storage_pools"][POOL][key] for key in ("type", "active", "path")} == {
        "type": "rbd",
        "active": True,
        "path": None,
    }
    assert guest.name in [instance["name"] for instance in node["instances"]]


def test_what_was_made_for_an_instance_goes_with_it(guest: Subject, cluster: Cluster) -> None:
    """And nothing else, so that another instance boots from what it left."""
    assert guest.absent(**SWITCHED_OFF).changed
    assert cluster.images() >= {"golden", "root", "data", "more"}
    assert "afloat-own" not in cluster.images()
    assert not guest.absent().changed
    guest.declare(volumes=[ROOT])
    wait_until(lambda: guest.state == "running", "it runs")
    assert guest.disks() == {"vda": f"{CEPH_POOL}/root"}
