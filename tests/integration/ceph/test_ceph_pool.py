# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Pools of type rbd: with a key, with a secret that somebody else made, without either; read with virsh and Ceph's own tools."""

from __future__ import annotations

import json
import os
import signal
import typing as t
import uuid
from pathlib import Path

import pytest

from ..lab.conftest import Hypervisor, lab_tool, run_module, wait_until
from ..lab.killing import Runs
from .cluster import CEPH_POOL, Cluster
from .conftest import CephPool

MIB = 1024**2
KEPT = "kept"
OF_CEPH = "<secret ephemeral='no' private='yes'><usage type='ceph'><name>{}</name></usage></secret>"


@pytest.fixture
def name(host: Hypervisor) -> t.Iterator[str]:
    """Return a name that no earlier test used; no pool has it afterwards, and libvirt no secret."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    yield name
    host.virsh("pool-destroy", name, check=False)
    host.virsh("pool-undefine", name, check=False)
    for secret in secrets(host):
        host.virsh("secret-undefine", secret)


@pytest.fixture
def kept(cluster: Cluster) -> t.Iterator[str]:
    """Return an image that somebody else made."""
    cluster.run("rbd", "create", "--size", "8M", f"{CEPH_POOL}/{KEPT}")
    yield KEPT
    cluster.remove(KEPT)


def secrets(host: Hypervisor) -> dict[str, str]:
    """Return libvirt's secrets by UUID: what each is for."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in host.virsh("secret-list").splitlines() if line}


def test_a_ceph_pool_is_made_looked_at_and_kept(host: Hypervisor, cluster: Cluster, name: str, kept: str) -> None:
    """With its key, which nothing shows; started with its host; gone, its images and nothing else are still there."""
    key = cluster.key()
    pool = CephPool(host, name, cluster, key=key)
    made = pool.made()
    assert made.data["actions"] == [
        f"set_key {name}",
        f"define_pool {name}",
        f"start_pool {name}",
        f"set_autostart {name}",
    ]
    assert key not in json.dumps(made.data)
    assert pool.facts().items() >= {"State": "running", "Persistent": "yes", "Autostart": "yes"}.items()
    assert key not in host.virsh("pool-dumpxml", name)
    assert pool.volumes() == {kept}
    ((secret, what),) = secrets(host).items()
    assert what == f"ceph kilonova.compute pool {name}"
    assert host.virsh("secret-get-value", secret, check=False) == ""

    cluster.run("rbd", "create", "--size", "4M", f"{CEPH_POOL}/by-hand")
    assert pool.volumes() == {kept}
    assert not pool.attempt(refresh=True).changed
    assert pool.volumes() == {kept, "by-hand"}
    cluster.remove("by-hand")
    # That libvirt does not know yet, and everything that looks at all volumes goes on.
    pool.with_volume("other", size="4M")
    pool.with_volume("other", state="absent")
    assert pool.volumes() == {kept, "by-hand"}
    assert pool.with_volume("by-hand", size="4M").data["actions"] == ["create_volume by-hand"]
    cluster.remove("by-hand")
    assert not pool.with_volume("by-hand", state="absent").changed
    assert pool.volumes() == {kept}

    pool.made(active=False, autostart=False)
    assert pool.facts().items() >= {"State": "inactive", "Autostart": "no"}.items()
    pool.made()
    refused = pool.attempt(source={**pool.source, "name": "other"})
    assert refused.failed
    assert "a pool that is there is not moved" in refused.message

    foretold, gone = pool.absent(check=True), pool.absent()
    assert (
        gone.data["actions"]
        == foretold.data["actions"]
        == [f"stop_pool {name}", f"undefine_pool {name}", f"forget_key {name}"]
    )
    assert not pool.absent().changed
    assert secrets(host) == {}
    assert cluster.images() == {kept}
    pool.made()
    assert pool.volumes() == {kept}


def test_a_pool_starts_with_its_host(host_directory: str, host: Hypervisor, cluster: Cluster, name: str) -> None:
    """As libvirt does it then, with the key. A daemon that is only started anew leaves such a pool stopped; a run starts it again."""
    pool = CephPool(host, name, cluster, key=cluster.key())
    pool.made()
    socket = Path(host.uri.partition("socket=")[2])

    def start_anew(as_host: bool) -> None:
        os.kill(int((socket.parents[2] / "libvirtd.pid").read_text()), signal.SIGTERM)
        wait_until(lambda: not host.virsh("version", check=False), "libvirt is gone")
        # What says that pools were started since the host booted is gone once it boots again.
        for note in (socket.parent / "storage").rglob("autostarted") if as_host else ():
            note.unlink()
        lab_tool("up", "--hosts", "1", "--dir", host_directory)

    start_anew(as_host=False)
    assert pool.made().data["actions"] == [f"start_pool {name}"]
    start_anew(as_host=True)
    assert pool.facts()["State"] == "running"
    assert not pool.attempt(refresh=True).changed


@pytest.mark.parametrize("by", ["secret_usage", "secret_uuid"])
def test_a_secret_that_is_there_is_named(host: Hypervisor, cluster: Cluster, name: str, by: str) -> None:
    """It is its maker's, and stays."""
    host.feed(OF_CEPH.format("mine"), "secret-define")
    ((secret, _what),) = secrets(host).items()
    host.virsh("secret-set-value", secret, "--base64", cluster.key(), check=False)
    pool = CephPool(host, name, cluster, **{by: "mine" if by == "secret_usage" else secret})
    pool.made()
    assert pool.facts()["State"] == "running"
    assert pool.absent().data["actions"] == [f"stop_pool {name}", f"undefine_pool {name}"]
    assert secrets(host) == {secret: "ceph mine"}


def test_a_wrong_key_leaves_nothing_and_a_new_one_is_taken(host: Hypervisor, cluster: Cluster, name: str) -> None:
    """A pool that never ran is forgotten with the key that does not open it; one that runs gets a key that was renewed."""
    key = cluster.key()
    refused = CephPool(host, name, cluster, key="bm8gc3VjaCBrZXkgYXMgdGhpcw==").attempt()
    assert refused.failed
    assert name in refused.message
    assert name not in host.virsh("pool-list", "--all", "--name").split()
    assert secrets(host) == {}
    mistaken = CephPool(host, name, cluster, key="no key!").attempt()
    assert "ceph auth get-key" in mistaken.message

    CephPool(host, name, cluster, key=key).made()
    cluster.renew_key()
    renewed = CephPool(host, name, cluster, key=cluster.key())
    assert renewed.made().data["actions"] == [f"set_key {name}"]
    assert not renewed.attempt(refresh=True).failed
    host.virsh("secret-undefine", *secrets(host))
    assert renewed.made().data["actions"] == [f"set_key {name}"]
    renewed.made(active=False)
    renewed.made()


def test_a_cluster_that_asks_for_no_key_needs_none(host: Hypervisor, name: str, tmp_path: Path) -> None:
    """Neither to make volumes, nor for QEMU to have one as a disk."""
    with Cluster(tmp_path / "open", cephx=False) as cluster:
        pool = CephPool(host, name, cluster)
        assert pool.made().data["actions"] == [f"define_pool {name}", f"start_pool {name}", f"set_autostart {name}"]
        pool.with_volume("open", size="16M")
        assert cluster.size("open") == 16 * MIB
        disk = f"{CEPH_POOL}/open"
        definition = (
            f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os><devices>"
            f"<disk type='network'><source protocol='rbd' name='{disk}'><host name='127.0.0.1' port='{cluster.port}'/></source>"
            "<target dev='vda' bus='virtio'/></disk></devices></domain>"
        )
        host.feed(definition, "create")
        try:
            assert cluster.is_open("open")
            assert f"domain {name}" in pool.refusal("open", state="absent")
            assert f"domain {name}" in pool.absent().message
        finally:
            host.virsh("destroy", name)
        assert pool.with_volume("open", state="absent").changed
        assert pool.absent().changed


def test_a_run_can_be_killed_anywhere(host: Hypervisor, cluster: Cluster, name: str, kept: str) -> None:
    """Whatever call it dies before: the next run makes or forgets the pool with its key, and what is in it stays."""
    pool = CephPool(host, name, cluster, key=cluster.key())
    known: dict[str, t.Any] = {"uri": host.uri, "name": name}
    declared: dict[str, t.Any] = {**known, "type": "rbd", "source": pool.source}

    def forget() -> None:
        pool.forget()
        for secret in secrets(host):
            host.virsh("secret-undefine", secret)

    with Runs("compute_pool") as runs:
        deaths = []
        for death in runs.killed_everywhere("compute_pool", forget, **declared):
            deaths.append(death)
            assert not runs.run("compute_pool", **declared).done.failed
            assert pool.volumes() == {kept}
            assert not runs.run("compute_pool", **declared).done.changed
        assert {"secretDefineXML", "setValue", "storagePoolDefineXML", "create", "setAutostart"} <= set(deaths)

        deaths = []
        for death in runs.killed_everywhere("compute_pool", pool.attempt, state="absent", **known):
            deaths.append(death)
            runs.run("compute_pool", state="absent", **known)
            assert name not in host.virsh("pool-list", "--all", "--name").split()
            assert secrets(host) == {}
        assert {"destroy", "undefine"} <= set(deaths)
    assert cluster.images() == {kept}
    assert not run_module("compute_pool", state="absent", **known).changed
