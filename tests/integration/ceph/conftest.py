# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Fixtures: a rootless hypervisor of the lab beside a Ceph cluster, and a pool of the one in the other."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ..lab.conftest import Hypervisor, Result, collections_path, guest_image, lab_tool, run_module
from .cluster import USER, Cluster

__all__ = ["collections_path", "guest_image"]

POOL = "ceph"


class CephPool:
    """A libvirt pool with its declaration."""

    def __init__(self, host: Hypervisor, name: str, cluster: Cluster, **auth: str) -> None:
        """Think of it; ``auth`` is how it logs in, but for who."""
        self.host, self.name, self.cluster = host, name, cluster
        self.source: dict[str, t.Any] = dict(cluster.source)
        if auth:
            self.source["auth"] = {"username": USER, **auth}

    def attempt(self, check: bool = False, **declared: t.Any) -> Result:
        """Declare it."""
        declared = {"type": "rbd", "source": self.source, **declared}
        return run_module("compute_pool", check=check, diff=True, uri=self.host.uri, name=self.name, **declared)

    def made(self, **declared: t.Any) -> Result:
        """Declare it, foretold by check mode; a second run does nothing, and none fails."""
        foretold, first, again = self.attempt(True, **declared), self.attempt(**declared), self.attempt(**declared)
        for result in (foretold, first, again):
            assert not result.failed, result.message
        assert foretold.data["actions"] == first.data["actions"]
        assert (again.changed, again.data["actions"]) == (False, [])
        return first

    def absent(self, check: bool = False) -> Result:
        """Have libvirt forget it."""
        return run_module("compute_pool", check=check, uri=self.host.uri, name=self.name, state="absent")

    def facts(self) -> dict[str, str]:
        """Return what virsh says of it."""
        lines = self.host.virsh("pool-info", self.name).splitlines()
        return {key.strip(): value.strip() for key, _colon, value in (line.partition(":") for line in lines)}

    def volumes(self) -> set[str]:
        """Return the volumes that virsh lists."""
        return {line.split()[0] for line in self.host.virsh("vol-list", self.name).splitlines() if line.strip()}

    def volume(self, name: str, check: bool = False, **declared: t.Any) -> Result:
        """Declare a volume."""
        declared = {"pool": self.name, **declared}
        return run_module("compute_volume", check=check, uri=self.host.uri, name=name, **declared)

    def with_volume(self, name: str, **declared: t.Any) -> Result:
        """Declare a volume, foretold by check mode; a second run does nothing, and none fails."""
        foretold, first, again = (self.volume(name, check, **declared) for check in (True, False, False))
        for result in (foretold, first, again):
            assert not result.failed, result.message
        assert foretold.data["actions"] == first.data["actions"]
        assert (again.changed, again.data["actions"]) == (False, [])
        return first

    def refusal(self, name: str, **declared: t.Any) -> str:
        """Return why a volume is refused, in check mode too."""
        foretold, refused = self.volume(name, True, **declared), self.volume(name, **declared)
        assert (foretold.failed, foretold.message) == (True, refused.message)
        return refused.message

    def forget(self) -> None:
        """Remove it behind our back."""
        self.host.virsh("pool-destroy", self.name, check=False)
        self.host.virsh("pool-undefine", self.name, check=False)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """Return a cluster that wants its users' keys."""
    with Cluster(tmp_path_factory.mktemp("ceph"), cephx=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def host_directory(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab with one hypervisor."""
    directory = str(tmp_path_factory.mktemp("lab"))
    try:
        lab_tool("up", "--hosts", "1", "--dir", directory)
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


@pytest.fixture(scope="session")
def host(host_directory: str) -> Hypervisor:
    """Return the hypervisor."""
    return Hypervisor("host1", lab_tool("uri", "host1", "--dir", host_directory))


@pytest.fixture(scope="module")
def pool(host: Hypervisor, cluster: Cluster) -> t.Iterator[CephPool]:
    """Return a pool that runs, with its key, for a file's tests to share; without its images afterwards."""
    pool = CephPool(host, POOL, cluster, key=cluster.key())
    made = pool.attempt()
    assert not made.failed, made.message
    yield pool
    host.clear()
    assert not pool.absent().failed
    for image in sorted(cluster.images()):
        cluster.remove(image)


@pytest.fixture(scope="session")
def raw_guest(guest_image: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Path:
    """Return the test guest's image as rbd import takes it."""
    raw = tmp_path_factory.mktemp("guest") / "guest.raw"
    cluster.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(guest_image), str(raw))
    return raw
