# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A Ceph cluster small enough to test with: one monitor and one daemon that keeps its objects in memory, on 127.0.0.1 alone."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import typing as t
import uuid
from pathlib import Path

import pytest

from ..lab.conftest import wait_until

CEPH_POOL = "instances"
USER = "libvirt"
_PATIENCE = 120
_CONFIG = """
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{port}
auth_cluster_required = {auth}
auth_service_required = {auth}
auth_client_required = {auth}
auth_allow_insecure_global_id_reclaim = false
mon_data = {directory}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 1
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
paxos_propose_interval = 0.05
osd_data = {directory}/osd
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = {directory}
keyring = {directory}/$name.keyring
log_file = {directory}/$name.log
pid_file = {directory}/$name.pid
admin_socket = {directory}/$name.$pid.asok
"""


class Cluster:
    """One cluster with a Ceph pool for images, and a user for libvirt; without a manager, so nothing tells how full it is."""

    def __init__(self, directory: Path, cephx: bool) -> None:
        """Choose where it is; nothing runs yet."""
        self.cephx = cephx
        self.port = _free_port()
        self._directory = directory
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        """Start it."""
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *unused_error: object) -> None:
        """End it; what it held is gone."""
        self._stop()

    @property
    def source(self) -> dict[str, t.Any]:
        """Return how a pool says where it is, without a login."""
        return {"name": CEPH_POOL, "hosts": [{"name": "127.0.0.1", "port": self.port}]}

    def run(self, *command: str) -> str:
        """Return what one of Ceph's own tools prints."""
        done = self.attempt(*command)
        if done.returncode:
            pytest.fail(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of Ceph's own tools, whatever comes of it."""
        environment = {**os.environ, "CEPH_CONF": str(self._directory / "ceph.conf")}
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            env=environment,
            cwd=self._directory,
        )

    def images(self) -> set[str]:
        """Return the names of all images, as Ceph says."""
        return set(self.run("rbd", "ls", CEPH_POOL).split())

    def size(self, image: str) -> int:
        """Return an image's size in bytes."""
        told = self.run("rbd", "info", "--format", "json", f"{CEPH_POOL}/{image}")
        return int(told.partition('"size":')[2].partition(",")[0])

    def content(self, image: str) -> bytes:
        """Return what an image holds."""
        target = self._directory / "exported"
        target.unlink(missing_ok=True)
        self.run("rbd", "export", "--no-progress", f"{CEPH_POOL}/{image}", str(target))
        return target.read_bytes()

    def import_raw(self, path: Path, image: str) -> None:
        """Make an image of a file."""
        self.run("rbd", "import", "--no-progress", str(path), f"{CEPH_POOL}/{image}")

    def is_open(self, image: str) -> bool:
        """Tell whether somebody has an image open."""
        return "watcher=" in self.run("rbd", "status", f"{CEPH_POOL}/{image}")

    def let_go(self, image: str) -> None:
        """Take away what keeps an image that was copied: its copies are whole, and its snapshots are gone."""
        for copy in self.run("rbd", "children", "--all", f"{CEPH_POOL}/{image}").split():
            self.run("rbd", "flatten", "--no-progress", copy)
        for line in self.run("rbd", "snap", "ls", f"{CEPH_POOL}/{image}").splitlines()[1:]:
            self.run("rbd", "snap", "unprotect", f"{CEPH_POOL}/{image}@{line.split()[1]}")
        self.run("rbd", "snap", "purge", "--no-progress", f"{CEPH_POOL}/{image}")

    def remove(self, image: str) -> None:
        """Remove an image behind libvirt's back, if it is there."""
        if image in self.images():
            self.let_go(image)
            self.run("rbd", "rm", "--no-progress", f"{CEPH_POOL}/{image}")

    def key(self) -> str:
        """Return the key of libvirt's user."""
        return self.run("ceph", "auth", "get-key", f"client.{USER}")

    def renew_key(self) -> None:
        """Give libvirt's user another key."""
        self.attempt("ceph", "auth", "rm", f"client.{USER}")
        self.run("ceph", "auth", "add", f"client.{USER}", "mon", "profile rbd", "osd", f"profile rbd pool={CEPH_POOL}")

    def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        config = _CONFIG.format(
            fsid=fsid, port=self.port, auth="cephx" if self.cephx else "none", directory=self._directory
        )
        (self._directory / "ceph.conf").write_text(config)
        keys, admin, everything = "mon.keyring", "client.admin.keyring", ("allow *",)
        self.run("ceph-authtool", "--create-keyring", keys, "--gen-key", "--name", "mon.", "--cap", "mon", *everything)
        caps = [word for service in ("mon", "osd") for word in ("--cap", service, *everything)]
        self.run("ceph-authtool", "--create-keyring", admin, "--gen-key", "--name", "client.admin", *caps)
        self.run("ceph-authtool", keys, "--import-keyring", admin)
        address = f"[v2:127.0.0.1:{self.port}]"
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, "monmap")
        self.run("ceph-mon", "--mkfs", "--id", "a", "--monmap", "monmap", "--keyring", keys)
        self._begin("ceph-mon", "a")
        (self._directory / "osd").mkdir()
        self.run("ceph", "osd", "new", osd)
        caps = ["mon", "allow profile osd", "osd", *everything]
        self.run("ceph", "auth", "get-or-create", "osd.0", *caps, "-o", "osd.0.keyring")
        self.run("ceph-osd", "--mkfs", "--id", "0", "--osd-uuid", osd)
        self._begin("ceph-osd", "0")
        wait_until(lambda: "1 up" in self.run("ceph", "osd", "stat"), "Ceph's one OSD is up")
        self.run("ceph", "osd", "pool", "create", CEPH_POOL, "8")
        self.run("rbd", "pool", "init", CEPH_POOL)
        self.renew_key()

    def _begin(self, program: str, number: str) -> None:
        """Start a daemon, which ends with this process, whatever ends it."""
        command = ["setpriv", "--pdeathsig", "KILL", program, "--foreground", "--id", number]
        environment = {**os.environ, "CEPH_CONF": str(self._directory / "ceph.conf")}
        daemon = subprocess.Popen(
            command,
            env=environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._daemons.append(daemon)

    def _stop(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(timeout=_PATIENCE)
        self._daemons.clear()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
