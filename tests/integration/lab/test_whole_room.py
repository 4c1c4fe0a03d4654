# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Pools that run full, on small file systems of their own, which takes root to mount: one sentence, and nothing stays."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import LAB, Hypervisor, Result, lab_tool, run_module
from .test_image import MIB, record_volume
from .test_whole_pool import LOOP_DEVICES

KIB = 1024
POOL = "small"
PLACE = f"/srv/{POOL}"
SYSTEMS = {
    "tmpfs": f"mount -t tmpfs -o size=8m small {PLACE}-system",
    "ext4": f"truncate -s 16M /srv/small.img; mkfs.ext4 -q -O bigalloc,^has_journal -b 4096 -C 65536 -m 0 /srv/small.img;"
    f" mount $(losetup --find --show /srv/small.img) {PLACE}-system; rmdir {PLACE}-system/lost+found",
}
RACE = """
import importlib, json, subprocess, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._driver import sparse_upload
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import Pool
sparse_upload.STALL_SECONDS = 2
order = json.loads(sys.stdin.read())
add = Pool.add
def race(pool, definition):
    if definition.name.startswith(order["before"]):
        subprocess.run(order["command"], check=True)
    volume = add(pool, definition)
    if definition.name.startswith(order["after"]):
        subprocess.run(order["command"], check=True)
    return volume
Pool.add = race
with patch_module_args(order["arguments"]):
    importlib.import_module("ansible_collections.kilonova.compute.plugins.modules." + order["module"]).main()
"""
"""Runs a module while someone else takes the room, right before or after it makes a volume."""


@dataclass(frozen=True)
class Room:
    """A host with a pool on a file system of its own."""

    host: Hypervisor
    directory: str
    system: str

    def inside(self, script: str) -> str:
        """Run a script on the host."""
        return lab_tool("exec", "--dir", self.directory, "host1", "--", "sh", "-ec", script)

    def leave(self, free: int) -> None:
        """Take room away until so many bytes are left, or give all back."""
        self.inside(_leaving(free))

    def available(self) -> int:
        """Return how many bytes are free."""
        blocks, size = self.inside(f"stat -f -c '%f %S' {PLACE}-system").split()
        return int(blocks) * int(size)

    def allocated(self, volume: str) -> int:
        """Return how many bytes a volume takes."""
        return int(self.inside(f"stat -c %b {PLACE}-system/pool/{volume}")) * 512

    def image(self, name: str, **options: t.Any) -> Result:
        """Run compute_image."""
        return run_module("compute_image", uri=self.host.uri, name=name, pool=POOL, **options)

    def raced(self, module: str, free: int, before: str = "-", after: str = "-", **arguments: t.Any) -> Result:
        """Run a module while someone else leaves no more than so many bytes."""
        command = [
            sys.executable,
            str(LAB),
            "exec",
            "--dir",
            self.directory,
            "host1",
            "--",
            "sh",
            "-ec",
            _leaving(free),
        ]
        options = {"uri": self.host.uri, "pool": POOL, **arguments}
        order = {"module": module, "command": command, "before": before, "after": after, "arguments": options}
        done = subprocess.run(
            [sys.executable, "-c", RACE],
            input=json.dumps(order),
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )
        data = json.loads(done.stdout.strip().splitlines()[-1])
        return Result(bool(data.get("failed")), data)

    def refused(self, result: Result, *words: str) -> None:
        """Assert that a run failed in one sentence and left nothing."""
        assert result.failed
        assert "\n" not in result.message
        for word in words:
            assert word in result.message
        assert self.inside(f"ls {PLACE}-system/pool") == ""
        assert self.host.volumes(POOL) == set()


def _leaving(free: int) -> str:
    return (
        f"cd {PLACE}-system; rm -f fill; available=$(($(stat -f -c '%f * %S' .)));"
        f" if [ $available -gt {free} ]; then head -c $((available - {free})) /dev/zero > fill || true; fi"
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab with one whole host."""
    directory = str(tmp_path_factory.mktemp("room") / "lab")
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "1", "--dir", directory)
        lab_tool("exec", "--dir", directory, "host1", "--", "sh", "-ec", LOOP_DEVICES)
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


@pytest.fixture(params=SYSTEMS)
def room(whole: str, request: pytest.FixtureRequest) -> t.Iterator[Room]:
    """Return an empty pool on a small file system."""
    host = Hypervisor("host1", lab_tool("uri", "host1", "--dir", whole))
    one = Room(host, whole, request.param)
    one.inside(f"mkdir -p {PLACE}-system; {SYSTEMS[request.param]}; mkdir {PLACE}-system/pool")
    host.virsh("pool-create-as", POOL, "dir", "--target", f"{PLACE}-system/pool")
    try:
        yield one
    finally:
        host.virsh("pool-destroy", POOL)
        one.inside(
            f"device=$(findmnt -n -o SOURCE {PLACE}-system); umount {PLACE}-system;"
            " case $device in /dev/loop*) losetup --detach $device || true;; esac; rm -f /srv/small.img"
        )


def sparse_file(path: Path, *pieces: bytes | int) -> str:
    """Write data and holes, and return the path."""
    with open(path, "wb") as file:
        for piece in pieces:
            if isinstance(piece, int):
                file.seek(piece, 1)
            else:
                file.write(piece)
        file.truncate(file.tell())
    return str(path)


def test_room(room: Room, tmp_path: Path) -> None:
    """What can't fit is refused beforehand, and what turns out not to fit leaves nothing; with room again it is published."""
    data = random.Random(1).randbytes(2 * MIB)
    plain = sparse_file(tmp_path / "plain.raw", data)
    holed = sparse_file(tmp_path / "holed.raw", data[:MIB], 64 * MIB, data[MIB:], 64 * MIB)

    room.leave(MIB)
    sizes = f"Storage pool {POOL} has {room.available()} bytes free, and the image needs up to {2 * MIB + 16 * KIB};"
    refused = room.image("one", src=holed)
    room.refused(refused, sizes)
    assert refused.data["error_code"] == "NO_CAPACITY"
    volume = run_module("compute_volume", uri=room.host.uri, pool=POOL, name="v.raw", src=holed)
    room.refused(volume, f"{holed} needs up to {2 * MIB + 4 * KIB};")

    # libvirt tells it in three ways: at once, never, and never when what it lost was the end.
    for source, free in ((plain, MIB), (holed, MIB // 2), (plain, 2 * MIB - 64 * KIB)):
        room.leave(16 * MIB)
        room.refused(
            room.raced("compute_image", free, after="kilonova-sha256-", name="one", src=source), "Cannot upload volume"
        )
    room.leave(16 * MIB)
    room.refused(room.raced("compute_image", 0, before="kilonova-image-", name="one", src=holed), "No space left")
    room.leave(16 * MIB)
    room.refused(
        room.raced("compute_volume", MIB // 2, after="v.raw", name="v.raw", src=holed), "Cannot upload volume v.raw"
    )

    room.leave(3 * MIB)
    published = room.image("one", src=holed)
    assert published.changed, published.message
    volume_name = published.data["image"]["volume"]
    assert room.host.volumes(POOL) == {volume_name, record_volume("one")}
    assert 2 * MIB <= room.allocated(volume_name) <= 2 * MIB + 64 * KIB
    assert room.inside(f"sha256sum < {PLACE}-system/pool/{volume_name}").split()[0] in volume_name
    assert not room.image("one", src=holed).changed


def test_small_holes(room: Room, tmp_path: Path) -> None:
    """Holes of one page stay holes, in a raw image and in the clusters of a qcow2 that is written from it."""
    page = random.Random(2).randbytes(4096)
    pages: list[bytes | int] = [page, 4096] * 256
    raw = sparse_file(tmp_path / "pages.raw", *pages, 32 * MIB, page, 60 * KIB)
    data_length = 257 * 4096
    for convert_to in ("raw", "qcow2"):
        published = room.image(convert_to, src=raw, convert_to=convert_to)
        assert published.changed, published.message
        allocated = room.allocated(published.data["image"]["volume"])
        # A file system that keeps larger pieces keeps them whole.
        most = data_length if (room.system, convert_to) == ("tmpfs", "raw") else 2 * data_length
        assert data_length <= allocated <= most + 8 * 64 * KIB
        room.image(convert_to, state="absent")
