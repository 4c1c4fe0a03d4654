# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A storage pool on a file system of its own, which takes root to mount: made out of an empty disk, never over data."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, lab_tool, run_module

FILE = "/srv/disk.img"
MOUNTED = "/srv/mounted"
LOOP_DEVICES = "mknod /dev/loop-control c 10 237; for n in 0 1 2 3 4 5 6 7; do mknod /dev/loop$n b 7 $n; done"


@pytest.fixture
def directory(tmp_path: Path) -> t.Iterator[str]:
    """Return the directory of a lab with one whole host, which can mount files."""
    directory = str(tmp_path / "lab")
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        inside(directory, f"{LOOP_DEVICES}; truncate -s 16M {FILE}")
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


def inside(directory: str, script: str) -> str:
    """Run a script on the host."""
    return lab_tool("exec", "--dir", directory, "host1", "--", "sh", "-c", script)


@pytest.fixture
def disk(directory: str) -> t.Iterator[str]:
    """Return an empty disk of the host."""
    device = inside(directory, f"losetup --find --show {FILE}")
    try:
        yield device
    finally:
        inside(directory, f"umount {MOUNTED} || true; losetup --detach {device}")


def test_a_file_system_is_made_once_and_kept(directory: str, disk: str) -> None:
    """Only when asked to, only on an empty disk; stopped, started and forgotten, its volumes are still there."""
    host = Hypervisor("host1", lab_tool("uri", "host1", "--dir", directory))

    def pool(image_format: str = "ext4", **declared: t.Any) -> Result:
        source = {"devices": [disk], "format": image_format}
        return run_module("compute_pool", uri=host.uri, name="own", type="fs", path=MOUNTED, source=source, **declared)

    refused = pool()
    assert refused.failed
    assert "declare build: true" in refused.message
    assert inside(directory, f"blkid {disk} || echo empty") == "empty"

    made = pool(build=True)
    assert not made.failed, made.message
    assert made.data["pool"]["capacity_bytes"] < 16 * 1024**2
    assert f" {MOUNTED} ext4 " in inside(directory, "cat /proc/mounts")
    assert not pool(build=True).changed
    host.virsh("vol-create-as", "own", "kept.raw", "64k")
    before = inside(directory, f"blkid -o value -s UUID {disk}")

    assert pool(active=False, autostart=False).changed
    assert f" {MOUNTED} ext4 " not in inside(directory, "cat /proc/mounts")
    assert pool(state="absent").changed
    mistaken = pool("xfs", build=True)
    assert mistaken.failed
    assert "own" not in host.virsh("pool-list", "--all", "--name").split()

    again = pool(build=True)
    assert not again.failed, again.message
    assert host.virsh("vol-list", "own").split()[0] == "kept.raw"
    assert inside(directory, f"blkid -o value -s UUID {disk}") == before
    assert pool(state="absent").changed
