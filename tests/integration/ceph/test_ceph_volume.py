# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Volumes in a Ceph cluster by themselves: made, grown, copied, wiped and removed, and what libvirt can't do there."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ..lab.conftest import Hypervisor, run_module
from ..lab.killing import Runs
from .cluster import CEPH_POOL, Cluster
from .conftest import POOL, CephPool

MIB = 1024**2


def imported(cluster: Cluster, pool: CephPool, image: str, content: bytes, directory: Path) -> None:
    """Make an image of ``content`` as a user would, and have libvirt see it."""
    file = directory / "content"
    file.write_bytes(content)
    cluster.import_raw(file, image)
    assert not pool.attempt(refresh=True).changed


def test_a_volume_is_made_grown_and_removed(pool: CephPool, cluster: Cluster) -> None:
    """It is an image by Ceph's own tools; what is smaller is refused, and of another format too."""
    made = pool.with_volume("plain", size="16M")
    volume = made.data["volume"]
    assert (volume["path"], volume["format"], volume["size_bytes"]) == (f"{CEPH_POOL}/plain", "raw", 16 * MIB)
    assert cluster.size("plain") == 16 * MIB
    pool.with_volume("plain", size="40M")
    assert cluster.size("plain") == 40 * MIB
    assert "would lose data" in pool.refusal("plain", size="1M")
    assert "hold no qcow2" in pool.refusal("other", size="16M", format="qcow2")
    assert pool.with_volume("plain", state="absent").data["actions"] == ["delete_volume plain"]
    assert cluster.images() == set()


def test_a_volume_is_copied_and_its_source_is_kept(pool: CephPool, cluster: Cluster, tmp_path: Path) -> None:
    """With its content, grown; Ceph keeps the source for the copy, and the refusal says how that ends."""
    content = b"of the source" * MIB
    imported(cluster, pool, "first", content, tmp_path)
    pool.with_volume("second", source={"name": "first"}, size="32M")
    copy = cluster.content("second")
    assert len(copy) == 32 * MIB
    assert copy.startswith(content)
    assert set(copy[len(content) :]) == {0}
    kept = pool.volume("first", state="absent")
    assert kept.failed
    assert "flatten" in kept.message
    assert cluster.content("first") == content
    cluster.let_go("first")
    pool.with_volume("first", state="absent")
    assert cluster.images() == {"second"}
    assert cluster.content("second") == copy
    pool.with_volume("second", state="absent")


def test_a_volume_is_wiped(pool: CephPool, cluster: Cluster, tmp_path: Path) -> None:
    """Before it is removed, as is seen where Ceph keeps it."""
    imported(cluster, pool, "secret", b"secret" * MIB, tmp_path)
    cluster.run("rbd", "snap", "create", "--no-progress", f"{CEPH_POOL}/secret@by-hand")
    kept = pool.volume("secret", state="absent", wipe=True)
    assert "snapshots" in kept.message
    assert set(cluster.content("secret")) == {0}
    cluster.run("rbd", "snap", "purge", "--no-progress", f"{CEPH_POOL}/secret")
    gone = pool.with_volume("secret", state="absent", wipe=True)
    assert gone.data["actions"] == ["wipe_volume secret", "delete_volume secret"]
    assert cluster.images() == set()


def test_what_libvirt_cannot_do_in_ceph_is_refused(
    pool: CephPool, host: Hypervisor, cluster: Cluster, tmp_path: Path
) -> None:
    """In one sentence that names what can; a volume of the same name in another pool is never taken for what is meant."""
    imported(cluster, pool, "same", b"in Ceph", tmp_path)
    other: dict[str, t.Any] = {"uri": host.uri, "name": "same", "pool": "default", "size": "8M"}
    assert not run_module("compute_volume", **other).failed
    file = tmp_path / "content"
    for option, words, declared in (
        ("src", "qemu-img convert", {"src": str(file)}),
        ("source", "copy between pool", {"source": {"name": "same", "pool": "default"}}),
        ("image", "copy between pool", {"image": {"name": "guest", "pool": "default"}}),
        ("encryption", "have no paths", {"size": "8M", "encryption": {"passphrase": "some words"}}),
    ):
        refused = pool.refusal("wanted", **declared)
        assert refused.startswith(f"Option {option}")
        assert words in refused
    assert "rbd export" in pool.refusal("same", dest=str(tmp_path / "copy"))
    from_ceph = run_module("compute_volume", uri=host.uri, name="wanted", source={"name": "same", "pool": POOL})
    assert "copy between pool" in from_ceph.message
    published = run_module("compute_image", uri=host.uri, name="guest", pool=POOL, src=str(file))
    assert "Option pool" in published.message
    assert "dir, fs, netfs or logical" in published.message
    assert cluster.images() == {"same"}
    assert not (tmp_path / "copy").exists()
    pool.with_volume("same", state="absent")


def test_a_copy_can_be_killed_anywhere(pool: CephPool, cluster: Cluster, tmp_path: Path) -> None:
    """The next run has it whole, and nothing else is left."""
    content = b"of the source" * 1000
    imported(cluster, pool, "first", content, tmp_path)
    declared: dict[str, t.Any] = {"uri": pool.host.uri, "name": "second", "pool": POOL, "source": {"name": "first"}}

    def begin() -> None:
        cluster.remove("second")
        assert not pool.attempt(refresh=True).failed

    with Runs("compute_volume") as runs:
        deaths = []
        for death in runs.killed_everywhere("compute_volume", begin, **declared):
            deaths.append(death)
            assert not runs.run("compute_volume", **declared).done.failed
            assert cluster.content("second") == cluster.content("first")
            assert cluster.images() == {"first", "second"}
            assert not runs.run("compute_volume", **declared).done.changed
        assert {"createXML", "createXMLFrom"} <= set(deaths)


@pytest.fixture(autouse=True)
def empty(pool: CephPool, cluster: Cluster) -> None:
    """Begin with an empty pool."""
    for image in sorted(cluster.images(), reverse=True):
        cluster.remove(image)
    assert not pool.attempt(refresh=True).failed
