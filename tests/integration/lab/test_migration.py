# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_migration: the guest goes on, its data comes along, and what fails leaves it where it was."""

from __future__ import annotations

import typing as t

import pytest

from .conftest import Hypervisor, start_module, wait_until
from .killing import Runs
from .movers import Mover
from .subjects import BOOTING, removed_after, said

USER_DATA = "#!/bin/sh\necho hello\n"
COUNT = (
    "(i=0; while :; do i=$((i + 1)); echo $i >>/data/count; sync; sleep 0.5; done) >/dev/null 2>&1 & echo $! >/tmp/pid"
)
"""What counts in the guest, to a file on its disk."""


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    with Runs("compute_instance", "compute_migration", "compute_image") as opened:
        yield opened


@pytest.fixture(scope="module")
def other_host(lab: list[Hypervisor]) -> t.Iterator[Hypervisor]:
    """Return the second hypervisor, empty before and after."""
    lab[1].clear()
    yield lab[1]
    lab[1].clear()


@pytest.fixture(scope="module")
def guest(shared_host: Hypervisor, other_host: Hypervisor, runs: Runs) -> t.Iterator[Mover]:
    """Return an instance that counts, with a second disk and a seed."""
    declared = {"volumes": [{"serial": "data", "size_gb": 1}], "user_data": USER_DATA, "autostart": True}
    mover = Mover(shared_host, other_host, "t-mover", runs, **{**BOOTING, **declared})
    with removed_after(mover):
        said(mover.attempt())
        mover.inside(COUNT)
        yield mover


def identity(mover: Mover) -> dict[str, t.Any]:
    """Return what stays wherever it is."""
    tree = mover.tree("--inactive")
    return {
        "uuid": tree.findtext("uuid"),
        "macs": mover.macs("--inactive"),
        "autostart": "Autostart:      enable" in mover.host.virsh("dominfo", mover.name),
        "targets": set(mover.disks("--inactive")),
    }


def test_live_there_and_back(guest: Mover) -> None:
    """The guest never restarts and loses no write; a second disk, the seed and what the record says come along."""
    known, pid = identity(guest), guest.inside("cat /tmp/pid")
    guest.inside("dd if=/dev/urandom of=/dev/vdb bs=64k count=16 conv=fsync")
    content = "dd if=/dev/vdb bs=64k count=16 2>/dev/null | sha256sum"
    written = guest.inside(content)
    for options in ({}, {"parallel_connections": 2, "bandwidth_mb": 200}):
        figures = guest.moved(**options)
        assert figures["mode"] == "live"
        assert min(figures["total_ms"], figures["downtime_ms"], figures["memory_bytes"]) > 0
        assert guest.running() == [guest.host.name]
        assert identity(guest) == known
        path = str(guest.host.pool_path())
        assert all(source.startswith(path) for source in guest.disks().values())
        assert all(source.startswith(path) for source in guest.disks("--inactive").values())
        # What is declared of it is so at the new host, too.
        again = guest.run()
        assert (again["changed"], again["changes"]) == (False, [])
    assert guest.boots() == 1
    assert guest.inside("cat /tmp/pid; kill -0 $(cat /tmp/pid) && echo alive").split() == [pid, "alive"]
    assert guest.inside(f"echo 3 >/proc/sys/vm/drop_caches; {content}") == written
    count = guest.inside("cat /data/count").split()
    assert count == [str(number) for number in range(1, len(count) + 1)]


def test_cold_while_it_runs(guest: Mover) -> None:
    """It is switched off, copied and started; the disks hold what they held, byte for byte."""
    guest.inside("kill $(cat /tmp/pid); rm /data/count; echo kept >/data/word; sync")
    known = identity(guest)
    boots = guest.boots()
    figures = guest.moved(mode="cold", shutdown_timeout=120, force=False)
    assert (figures["mode"], guest.running()) == ("cold", [guest.host.name])
    assert min(figures["downtime_ms"], figures["disk_bytes"]) > 0
    assert identity(guest) == known
    assert guest.inside("cat /data/word") == "kept"
    assert guest.boots() == boots + 1
    guest.host.virsh("destroy", guest.name)
    sums = guest.sums()
    assert guest.moved()["mode"] == "cold"
    assert (guest.state, guest.sums()) == ("shut off", sums)
    said(guest.attempt(power_state="running"))


def test_broken_off(guest: Mover) -> None:
    """What takes too long leaves it running where it is, with nothing of it at the other host."""
    before, number, boots = guest.traces(), guest.number, guest.boots()
    late = guest.move(timeout=1, bandwidth_mb=1)
    assert late.failed
    assert "within 1 seconds, so the move was broken off" in late.message
    assert (guest.running(), guest.number) == ([guest.host.name], number)
    assert (guest.traces(), guest.traces(guest.other)) == (before, set())
    assert said(guest.attempt())["changes"] == []
    process = start_module("compute_migration", **guest.arguments(bandwidth_mb=1))
    wait_until(lambda: guest.other.virsh("domstate", guest.name, check=False) == "paused", "the move to begin")
    process.kill()
    process.communicate()
    refused = guest.attempt(power_state="stopped")
    assert "run compute_migration again" in refused.message
    done = guest.move()
    assert not done.failed, done.message
    assert guest.traces() == set()
    guest.host, guest.other = guest.other, guest.host
    assert (guest.running(), guest.boots()) == ([guest.host.name], boots)


def test_paused_where_it_takes_too_long(guest: Mover) -> None:
    """A guest that is held so that the move ends goes on at the destination."""
    figures = guest.moved(timeout=1, bandwidth_mb=24, on_timeout="pause", compression=True)
    assert (figures["mode"], guest.running()) == ("live", [guest.host.name])


def test_obstacles(guest: Mover, name: str) -> None:
    """They are told in one list, in check mode as well, before anything is touched."""
    before = guest.traces()
    text = guest.other.virsh("vol-list", "default")
    guest.other.virsh("vol-create-as", "default", f"{guest.name}-data", "1M")
    small = {"reserved_host_memory_mb": 10**7, "ram_allocation_ratio": 1.0}
    for check in (True, False):
        refused = guest.move(check, limits=small, mode="live")
        listed = refused.data["obstacles"]
        assert len(listed) == 2, listed
        assert f"has {guest.name}-data already" in listed[0]
        assert "MiB of memory and this host has 0 left" in listed[1]
    guest.other.virsh("vol-delete", f"{guest.name}-data", "default")
    assert (guest.traces(), guest.other.virsh("vol-list", "default")) == (before, text)
    same = guest.move(destination={"uri": f"{guest.host.uri}&no_verify=1"})
    assert "is the host that" in same.message
    nowhere = guest.move(destination={"uri": "qemu:///session?socket=/nowhere"})
    assert "check option destination.uri" in nowhere.message
    unknown = guest.module("compute_migration", **{**guest.arguments(), "name": name})
    assert f"there is no instance {name}, neither at" in unknown.message
    assert guest.running() == [guest.host.name]
