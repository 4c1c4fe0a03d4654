# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Snapshots: what the guest wrote comes back or stays, as the guest itself sees it, and no volume is left over."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module
from .killing import Runs
from .subjects import BOOTING, FLAVOR, SWITCHED_OFF, Subject, removed_after, said

DATA: dict[str, t.Any] = {"format": "qcow2", "size_gb": 1}


class Guest(Subject):
    """An instance with a second disk, and words that its guest writes to both."""

    def __init__(self, host: Hypervisor, name: str, runs: Runs, **declared: t.Any) -> None:
        """Begin with a declaration that boots."""
        super().__init__(host, name, **{**BOOTING, "volumes": [{"name": f"{name}-data", **DATA}], **declared})
        self._runs = runs

    def attempt(self, check: bool = False, **changes: t.Any) -> Result:
        """Run compute_instance in a process that takes no time to start."""
        declared = {"uri": self.host.uri, "name": self.name, **self.declared, **changes}
        return self._ended("compute_instance", check, declared)

    def _ended(self, module: str, check: bool, options: dict[str, t.Any]) -> Result:
        result = self._runs.run(module, check=check, **options).result
        assert result is not None
        return result

    def snapshot(self, snapshot: str, check: bool = False, **options: t.Any) -> Result:
        """Run the module."""
        declared = {"uri": self.host.uri, "name": self.name, "snapshot": snapshot, **options}
        return self._ended("compute_snapshot", check, declared)

    def take(self, snapshot: str, **options: t.Any) -> Result:
        """Take a snapshot or delete one; check mode foretells it, a second run and the instance's own do nothing."""
        foretold = self.snapshot(snapshot, check=True, **options)
        done = self.snapshot(snapshot, **options)
        for result in (foretold, done):
            assert not result.failed, result.message
            assert result.changed
        for key in ("changes", "actions"):
            assert foretold.data[key] == done.data[key]
        again = self.snapshot(snapshot, **options)
        assert (again.failed, again.data.get("actions")) == (False, []), again.message
        self.is_as_declared()
        return done

    def drop(self, snapshot: str) -> Result:
        """Delete a snapshot."""
        return self.take(snapshot, state="absent")

    def go_back(self, snapshot: str) -> Result:
        """Go back to a snapshot."""
        done = self.snapshot(snapshot, state="reverted", discard_changes=True)
        assert not done.failed, done.message
        assert done.changed
        return done

    def is_as_declared(self) -> None:
        """See that the declaration finds nothing to do."""
        again = self.run(check=True)
        assert (again["actions"], again["changes"]) == ([], [])

    def write(self, word: str) -> None:
        """Have the guest write a word to both disks, through to the host."""
        self.inside(
            f"echo {word} >/data/word; sync; echo {word} >/tmp/w; dd if=/tmp/w of=/dev/vdb bs=512 count=1 conv=notrunc,fsync"
        )
        assert self.read() == [word, word]

    def read(self) -> list[str]:
        """Return the word on each disk, past all caches."""
        script = (
            "echo 3 >/proc/sys/vm/drop_caches; cat /data/word; dd if=/dev/vdb bs=512 count=1 2>/dev/null | head -n 1"
        )
        return self.inside(script).split()

    def files(self) -> set[str]:
        """Return the volumes of the instance, without its console's log."""
        return {name for name in self.host.volumes() if name.startswith(f"{self.name}-")}

    def chain(self, target: str) -> list[str]:
        """Return what a disk lies on, from the top down to its own volume, as qemu-img reads it."""
        path = self.disks("--inactive")[target]
        line = ["qemu-img", "info", "-U", "--backing-chain", "--output", "json", path]
        found = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
        names = [Path(entry["filename"]).name for entry in found]
        return [name for name in names if not name.startswith("kilonova-")]

    def listed(self) -> list[str]:
        """Return what virsh knows of snapshots."""
        return self.host.virsh("snapshot-list", self.name, "--name").split()


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    with Runs("compute_instance", "compute_snapshot") as opened:
        yield opened


@pytest.fixture(scope="module")
def guests() -> t.Iterator[list[Guest]]:
    """Return where a guest waits for the next test."""
    waiting: list[Guest] = []
    yield waiting
    for one in waiting:
        one.remove()


@pytest.fixture
def guest(shared_host: Hypervisor, guests: list[Guest], name: str, runs: Runs) -> Guest:
    """Return a guest that runs, with its own two disks and nothing else: the last test's, where that left it so."""
    if guests and (guests[0].name not in shared_host.domains() or guests[0].listed() or guests[0].state != "running"):
        guests.pop().remove()
    if not guests:
        guests.append(Guest(shared_host, name, runs))
        said(guests[0].attempt())
    guests[0].write("first")
    assert guests[0].files() == own(guests[0])
    return guests[0]


def own(guest: Guest) -> set[str]:
    """Return the volumes of an instance without snapshots."""
    return {f"{guest.name}-vda.qcow2", f"{guest.name}-data"}


def test_external_snapshots_of_two_disks(guest: Guest) -> None:
    """Taken, gone back to, deleted from the middle and the top while the guest runs; at the end all is as at the beginning."""
    guest.take("s1", description="one")
    guest.write("second")
    guest.take("s2")
    guest.write("third")
    assert len(guest.chain("vda")) == len(guest.chain("vdb")) == 3
    before = guest.number
    guest.drop("s1")
    assert (guest.number, guest.read()) == (before, ["third", "third"])
    assert len(guest.chain("vda")) == len(guest.chain("vdb")) == 2
    guest.go_back("s2")
    assert guest.read() == ["second", "second"]
    assert guest.listed() == ["s2"]
    guest.is_as_declared()
    guest.write("fourth")
    guest.drop("s2")
    assert guest.read() == ["fourth", "fourth"]
    assert guest.chain("vda") == [f"{guest.name}-vda.qcow2"]
    assert guest.chain("vdb") == [f"{guest.name}-data"]
    assert guest.files() == own(guest)
    refused = guest.snapshot("s2", state="reverted", discard_changes=True)
    assert refused.data["error_code"] == "NOT_FOUND"


def test_an_external_snapshot_with_memory(guest: Guest) -> None:
    """The guest goes on where it was, with the process that it had then, and the disks of then."""
    guest.inside(
        "echo alive >/tmp/memory; (while :; do sleep 1; done) </dev/null >/dev/null 2>&1 & echo $! >/tmp/process"
    )
    process, boots = guest.inside("cat /tmp/process"), guest.boots()
    taken = guest.take("m1", memory=True)
    assert taken.data["snapshots"][0]["memory"] is True
    guest.write("second")
    guest.inside("rm /tmp/memory; kill $(cat /tmp/process)")
    for _twice in range(2):
        guest.go_back("m1")
        assert guest.inside(f"cat /tmp/memory; kill -0 {process} && echo there").split() == ["alive", "there"]
        assert guest.read() == ["first", "first"]
        assert guest.boots() == boots
    guest.is_as_declared()
    guest.drop("m1")
    assert guest.read() == ["first", "first"]
    assert guest.files() == own(guest)


def test_an_internal_snapshot(guest: Guest) -> None:
    """Of a running guest it has the memory; a volume that came since stays the instance's own, through the definition of then."""
    guest.inside("echo alive >/tmp/memory")
    guest.take("i1", type="internal")
    assert (
        "i1"
        in subprocess.run(
            ["qemu-img", "snapshot", "-U", "-l", guest.disks()["vda"]], check=True, capture_output=True, text=True
        ).stdout
    )
    guest.write("second")
    guest.inside("rm /tmp/memory")
    more = [*guest.declared["volumes"], {"name": f"{guest.name}-more", **DATA}]
    guest.declare(volumes=more)
    guest.go_back("i1")
    assert guest.inside("cat /tmp/memory") == "alive"
    assert guest.read() == ["first", "first"]
    assert "vdc" not in guest.disks("--inactive")
    guest.declare()
    assert "vdc" in guest.disks()
    mixed = guest.snapshot("e1")
    assert "can't have both kinds" in mixed.message
    guest.drop("i1")
    assert guest.read() == ["first", "first"]
    guest.declare(volumes=more[:1])
    guest.host.virsh("vol-delete", f"{guest.name}-more", "default", check=False)


def test_an_instance_that_is_off(guest: Guest) -> None:
    """Taken and deleted while nothing runs; the guest boots on it in between, and never runs for it."""
    guest.declare(power_state="stopped")
    guest.take("s1")
    guest.declare(power_state="running")
    guest.write("second")
    boots = guest.boots()
    guest.declare(power_state="stopped")
    guest.drop("s1")
    assert guest.state == "shut off"
    assert guest.chain("vda") == [f"{guest.name}-vda.qcow2"]
    guest.declare(power_state="running")
    assert guest.read() == ["second", "second"]
    assert guest.boots() == boots + 1


def test_branches(guest: Guest) -> None:
    """Going back to the first of two keeps the second; what several lie on is not deleted, and in another order all goes."""
    guest.take("s1")
    guest.write("second")
    guest.take("s2")
    guest.write("third")
    guest.go_back("s1")
    assert guest.read() == ["first", "first"]
    refused = guest.snapshot("s1", state="absent")
    assert "s1 can't be deleted" in refused.message
    for user in ("snapshot s2", "the present state"):
        assert user in refused.message
    guest.drop("s2")
    guest.drop("s1")
    assert guest.read() == ["first", "first"]
    assert guest.files() == own(guest)


def test_retention(guest: Guest) -> None:
    """The newest stay; those of another name, and those that somebody took by hand, are not counted."""
    guest.take("keep-me")
    for number in range(1, 4):
        guest.write(f"n{number}")
        guest.take(f"nightly-{number}", retention={"prefix": "nightly-", "keep": 2, "older_than": "0s"})
    assert guest.listed() == ["keep-me", "nightly-2", "nightly-3"]
    guest.take("nightly-4", retention={"prefix": "nightly-", "keep": 1, "older_than": "1d"})
    assert guest.listed() == ["keep-me", "nightly-2", "nightly-3", "nightly-4"]
    guest.go_back("nightly-2")
    assert guest.read() == ["n2", "n2"]
    info = run_module("compute_snapshot_info", uri=guest.host.uri, name=guest.name)
    assert [(one["name"], one["current"], one["managed"]) for one in info.data["snapshots"]] == [
        ("keep-me", False, True),
        ("nightly-2", True, True),
        ("nightly-3", False, True),
        ("nightly-4", False, True),
    ]
    gone = guest.absent(**SWITCHED_OFF)
    assert gone.changed, gone.message
    assert guest.files() == set()
    assert guest.name not in guest.host.domains()


def test_quiesce(guest: Guest) -> None:
    """What the guest had not yet written is in the snapshot, and was not in one without; without an agent nothing is touched."""
    guest.inside(
        "echo 0 >/proc/sys/vm/dirty_writeback_centisecs; mke2fs /dev/vdb >/dev/null 2>&1; mkdir -p /mnt/x;"
        " mount -t ext4 /dev/vdb /mnt/x; sync; echo unwritten-words >/mnt/x/file"
    )
    guest.take("plain")
    guest.take("quiet", quiesce=True)
    assert guest.host.agent(guest.name, "guest-fsfreeze-status") == "thawed"
    _top, quiet, plain = guest.chain("vdb")
    for volume, is_there in ((plain, False), (quiet, True)):
        raw = guest.host.pool_path() / f"{guest.name}-{volume}.raw"
        line = ["qemu-img", "convert", "-U", "-O", "raw", str(guest.host.pool_path() / volume), str(raw)]
        subprocess.run(line, check=True, capture_output=True)
        assert (b"unwritten-words" in raw.read_bytes()) == is_there
    assert guest.inside("cat /mnt/x/file") == "unwritten-words"
    guest.declare(guest_agent=False, allow_power_cycle=True)
    files = guest.files()
    refused = guest.snapshot("more", quiesce=True)
    assert refused.data["error_code"] == "NO_AGENT"
    assert (guest.files(), guest.listed()) == (files, ["plain", "quiet"])


def test_uefi(shared_host: Hypervisor, name: str, runs: Runs) -> None:
    """Libvirt takes no internal snapshot of such a guest, which is said before it is asked; an external one is taken."""
    guest = Guest(shared_host, name, runs, boot={"firmware": "efi"}, image=None, flavor=FLAVOR)
    with removed_after(guest):
        said(guest.attempt())
        by_hand = shared_host.virsh("snapshot-create-as", name, "by-hand", check=False)
        assert by_hand == ""
        refused = guest.snapshot("i1", type="internal")
        assert (refused.data["error_code"], "take type: external" in refused.message) == ("UNSUPPORTED", True)
        assert guest.listed() == []
        guest.take("e1", memory=True)
        guest.go_back("e1")
        guest.drop("e1")
        assert guest.files() == own(guest)


def test_what_lies_below_a_snapshot_is_safe(shared_host: Hypervisor, name: str, runs: Runs) -> None:
    """It is not deleted, not detached, not given to another, and grows on top."""
    data = f"{name}-theirs"
    shared_host.virsh("vol-create-as", "default", data, "1G", "--format", "raw")
    guest = Guest(shared_host, name, runs, volumes=[{"name": data}], power_state="stopped")
    with removed_after(guest):
        said(guest.attempt())
        guest.take("s1")
        for module, what in (
            ("compute_volume", data),
            ("compute_volume", f"{name}-vda.qcow2"),
            ("compute_image", "guest"),
        ):
            refused = run_module(module, uri=shared_host.uri, name=what, state="absent")
            assert refused.failed, what
            assert name in refused.message
        assert "external snapshots" in guest.attempt(volumes=[]).message
        other = Guest(shared_host, f"{name}-other", runs, volumes=[{"name": data}], power_state="stopped")
        assert f"is a disk of {name}" in other.attempt().message
        for options in ({}, {"keep_disks": True}):
            assert "delete them first" in guest.absent(**options).message
        guest.declare(flavor={**guest.declared["flavor"], "disk_gb": 2})
        assert str(2 * 1024**3) in shared_host.virsh("domblkinfo", name, "vda")
        guest.drop("s1")
        assert guest.disks("--inactive")["vdb"].endswith(f"/{data}")
        assert str(2 * 1024**3) in shared_host.virsh("domblkinfo", name, "vda")
        assert guest.absent().changed
        assert guest.files() == {data}
