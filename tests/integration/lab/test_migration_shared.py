# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_migration on storage that both hosts have: found out by looking, neither copied nor removed, wherever a run dies."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, run_module
from .killing import Runs
from .movers import Mover
from .subjects import BOOTING, FLAVOR, SWITCHED_OFF, removed_after, said

POOL = "t-shared"
COUNT = (
    "(i=0; while :; do i=$((i + 1)); echo $i >>/data/count; sync; sleep 0.5; done) >/dev/null 2>&1 & echo $! >/tmp/pid"
)


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    with Runs("compute_instance", "compute_migration") as opened:
        yield opened


@pytest.fixture(scope="module")
def directory(lab: list[Hypervisor], guest_image: Path) -> t.Iterator[Path]:
    """Return the directory that is a pool of both hosts, with the test guest's image."""
    path = lab[0].pool_path().parent / POOL
    path.mkdir()
    for host in lab:
        host.clear()
        host.virsh("pool-define-as", POOL, "dir", "--target", str(path))
        host.virsh("pool-start", POOL)
    published = run_module("compute_image", uri=lab[0].uri, name="guest", pool=POOL, src=str(guest_image))
    assert not published.failed, published.message
    yield path
    for host in lab:
        host.clear()
        host.virsh("pool-destroy", POOL)
        host.virsh("pool-undefine", POOL)
    shutil.rmtree(path)


def identity(path: Path) -> tuple[int, int]:
    """Return what tells a file from its copy."""
    found = path.stat()
    return found.st_dev, found.st_ino


def test_live_and_cold_with_mixed_disks(lab: list[Hypervisor], directory: Path, runs: Runs) -> None:
    """What both have stays the same file, what one has is copied; the guest never restarts, and loses no write."""
    declared = {"pool": POOL, "volumes": [{"serial": "data", "size_gb": 1, "pool": "default"}]}
    mover = Mover(lab[0], lab[1], "t-shared-guest", runs, **{**BOOTING, **declared, "user_data": "#!/bin/sh\n:\n"})
    root = directory / "t-shared-guest-vda.qcow2"
    with removed_after(mover):
        said(mover.attempt())
        mover.inside(COUNT)
        mover.inside("dd if=/dev/urandom of=/dev/vdb bs=64k count=16 conv=fsync")
        content = "dd if=/dev/vdb bs=64k count=16 2>/dev/null | sha256sum"
        written, files = mover.inside(content), {path: identity(path) for path in directory.iterdir()}
        for _way in ("there", "back"):
            figures = mover.moved(mode="live")
            assert figures["disk_bytes"] >= 16 * 64 * 1024
            disks = mover.disks()
            assert (disks["vda"], disks["vdb"].startswith(str(mover.host.pool_path()))) == (str(root), True)
            assert {path: identity(path) for path in directory.iterdir()} == files
            again = mover.run()
            assert (again["changed"], again["changes"]) == (False, [])
        assert mover.boots() == 1
        assert mover.inside(f"echo 3 >/proc/sys/vm/drop_caches; {content}") == written
        count = mover.inside("kill $(cat /tmp/pid); cat /data/count").split()
        assert count == [str(number) for number in range(1, len(count) + 1)]
        mover.moved(mode="cold", shutdown_timeout=120, force=False)
        assert (mover.boots(), mover.inside("wc -l </data/count")) == (2, str(len(count)))
        assert {path: identity(path) for path in directory.iterdir()} == files
        mover.host.virsh("destroy", mover.name)
        foretold = mover.absent(check=True).data["instance"]["actions"]
        assert {f"delete_disk {mover.name}/vda", f"delete_disk {mover.name}/vdb"} <= set(foretold)


@pytest.mark.parametrize(("mode", "since"), [("cold", "defineXMLFlags"), ("live", "migrate3")])
def test_killed_at_any_call(lab: list[Hypervisor], directory: Path, runs: Runs, mode: str, since: str) -> None:
    """The one volume that both have is never removed, not by the next run, and not by who removes what is half there."""
    small = {"flavor": {**FLAVOR, "memory_mb": 16}, "networks": [], "pool": POOL, "image": "guest"}
    mover = Mover(lab[0], lab[1], "t-shared-blank", runs, **small)
    with removed_after(mover):
        said(mover.attempt())
        files = {path.name: identity(path) for path in directory.iterdir()}
        calls = runs.run("compute_migration", **mover.arguments(mode=mode)).calls
        assert calls.index("delete") < calls.index(since)
        # The first leaves the volume that is made to see whether it is seen.
        for number in (calls.index("delete") + 1, *range(calls.index(since) + 1, len(calls) + 1)):
            mover.host, mover.other = mover.other, mover.host
            run = runs.run("compute_migration", kill_before=number, **mover.arguments(mode=mode))
            if run.result is None:
                is_disposed_of_once(mover, run.calls[-1])
            done = mover.move(mode=mode)
            assert not done.failed, f"{run.calls[-1]}: {done.message}"
            assert (mover.running(), mover.host.domains()) == ([mover.other.name], set()), run.calls
            assert {path.name: identity(path) for path in directory.iterdir()} == files, run.calls
        mover.host, mover.other = mover.other, mover.host
        by_post_copy(mover)
        removed = mover.module("compute_instance", uri=mover.host.uri, name=mover.name, state="absent", **SWITCHED_OFF)
        assert not removed.failed, removed.message
        # The log of the console is none of the instance's volumes where another host's libvirt began it.
        left = {path.name for path in directory.iterdir() if path.name.startswith(mover.name)}
        assert left <= {f"{mover.name}.console.log"}


def by_post_copy(mover: Mover) -> None:
    """Move it by post-copy, which a kernel may refuse to those who are not root."""
    late = mover.move(mode="live", post_copy=True)
    if late.failed:
        assert "by post-copy, which the kernel or QEMU of one of both hosts refuses" in late.message
        assert mover.running() == [mover.host.name]
    else:
        mover.host, mover.other = mover.other, mover.host


def is_disposed_of_once(mover: Mover, call: str) -> None:
    """See that at most the copy that counts can be removed with its disks, since they are the other's as well."""
    both = [host for host in (mover.host, mover.other) if mover.name in host.domains()]
    if len(both) > 1:
        checks = {
            host.name: mover.module("compute_instance", True, uri=host.uri, name=mover.name, state="absent")
            for host in both
        }
        free = {name for name, result in checks.items() if not result.failed}
        assert len(free) <= 1, call
        assert free <= set(mover.running()) or not mover.running(), call
    assert len(mover.running()) <= 1, call
