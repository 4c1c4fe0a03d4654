# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Backups: every point in time comes back as its guest saw it, and nothing that fails leaves anything."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, wait_until
from .killing import Runs
from .subjects import BOOTING, LIMITS, SWITCHED_OFF, Subject, removed_after, said

MIB = 1024**2
SIZE = 8 * MIB


class Guest(Subject):
    """An instance with a small second disk, and what its guest writes to both."""

    def __init__(self, host: Hypervisor, name: str, runs: Runs, **declared: t.Any) -> None:
        """Begin with a declaration that boots."""
        super().__init__(host, name, **{**BOOTING, "volumes": [{"name": f"{name}-data"}], **declared})
        self.runs = runs

    def module(self, module: str, check: bool = False, **options: t.Any) -> Result:
        """Run a module in a process that takes no time to start."""
        result = self.runs.run(module, check=check, uri=self.host.uri, **options).result
        assert result is not None
        return result

    def attempt(self, check: bool = False, **changes: t.Any) -> Result:
        """Run compute_instance so."""
        return self.module("compute_instance", check, name=self.name, **{**self.declared, **changes})

    def make(self) -> None:
        """Make the volume and the instance."""
        made = self.module("compute_volume", name=f"{self.name}-data", pool="default", size=f"{SIZE}B", format="qcow2")
        assert not made.failed, made.message
        said(self.attempt())

    def backup(self, backup: str, check: bool = False, **options: t.Any) -> Result:
        """Run the module."""
        return self.module("compute_backup", check, name=self.name, backup=backup, **options)

    def take(self, backup: str, **options: t.Any) -> Result:
        """Take a backup, or bring another state about; check mode foretells it, and a second run does nothing."""
        foretold = self.backup(backup, check=True, **options)
        before = self.files(), self.checkpoints()
        done = self.backup(backup, **options)
        for result in (foretold, done):
            assert not result.failed, result.message
            assert result.changed
        assert foretold.data["backups"] != done.data["backups"] or options.get("state") == "restored"
        for key in ("changes", "actions"):
            assert foretold.data[key] == done.data[key]
        assert before != (self.files(), self.checkpoints()) or options.get("state") == "restored"
        again = self.backup(backup, **options)
        assert (again.failed, again.data.get("actions")) == (False, []), again.message
        return done

    def killed(self, begin: t.Callable[[], Result], backup: str, **options: t.Any) -> t.Iterator[str]:
        """Run the module again and again, each time from a beginning that does not fail, killed one call later each time."""

        def succeed() -> None:
            result = begin()
            assert not result.failed, result.message

        yield from self.runs.killed_everywhere(
            "compute_backup", succeed, uri=self.host.uri, name=self.name, backup=backup, **options
        )

    def files(self) -> set[str]:
        """Return the volumes of its backups."""
        return {name for name in self.host.volumes() if name.startswith(f"kilonova-backup-{self.name}@")}

    def checkpoints(self) -> list[str]:
        """Return the checkpoints that virsh knows of."""
        return self.host.virsh("checkpoint-list", self.name, "--name", check=False).split()

    def write(self, word: str) -> str:
        """Have the guest write a word to the one disk, and some of the other; return the checksum of that, as the guest sees it."""
        script = f"echo {word} >/data/word; sync; n=$(cat /tmp/n 2>/dev/null || echo 0); echo $((n + 1)) >/tmp/n"
        self.inside(f"{script}; dd if=/dev/urandom of=/dev/vdb bs=64k count=3 seek=$((n * 2)) conv=fsync,notrunc")
        return self.checksum()

    def checksum(self) -> str:
        """Return the checksum of the second disk, past all caches of the guest."""
        return self.inside("echo 3 >/proc/sys/vm/drop_caches; sha256sum /dev/vdb").split()[0]

    def restored(self, backup: str, name: str, **options: t.Any) -> Guest:
        """Make an instance of a backup, off, with other addresses and none of the volumes of this one."""
        self.take(backup, state="restored", restore_as=name, limits=LIMITS, **options)
        volumes = [{"name": f"{name}-vdb.qcow2", "serial": f"{self.name}-data"}]
        other = Guest(self.host, name, self.runs, **{**self.declared, "volumes": volumes, "power_state": "stopped"})
        assert other.state == "shut off"
        assert all(Path(path).name.startswith(name) for path in other.disks("--inactive").values() if path != "-")
        if self.name in self.host.domains():
            assert not set(other.macs("--inactive")) & set(self.macs("--inactive"))
        foretold = other.run(check=True)
        assert foretold["changes"] == []
        return other

    def sum_of(self, target: str) -> str:
        """Return the checksum of a disk of an instance that is off, as qemu-img reads it."""
        path = self.disks("--inactive")[target]
        raw = Path(f"{path}.raw")
        subprocess.run(["qemu-img", "convert", "-O", "raw", path, str(raw)], check=True, capture_output=True)
        found = hashlib.sha256(raw.read_bytes()).hexdigest()
        raw.unlink()
        return found

    def remove(self) -> None:
        """Remove it with its backups."""
        super().remove()
        for volume in self.files():
            self.host.virsh("vol-delete", volume, "default")


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    modules = ("backup", "backup_info", "instance", "instance_action", "snapshot", "volume")
    with Runs(*(f"compute_{module}" for module in modules)) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(shared_host: Hypervisor, runs: Runs) -> t.Iterator[Guest]:
    """Return a guest for the tests to share."""
    guest = Guest(shared_host, "t-backed", runs)
    with removed_after(guest):
        guest.make()
        yield guest


@pytest.fixture
def guest(shared: Guest) -> t.Iterator[Guest]:
    """Return the guest as it runs, without backups."""
    if shared.state != "running":
        shared.declare(power_state="running")
    yield shared
    for row in reversed(listed(shared)):
        assert not shared.backup(row["backup"], state="absent").failed
    assert shared.files() == set()


def listed(guest: Guest) -> list[dict[str, t.Any]]:
    """Return its backups as the module tells of them."""
    found = guest.module("compute_backup_info", name=guest.name)
    assert not found.failed, found.message
    return t.cast("list[dict[str, t.Any]]", found.data["backups"])


def test_every_point_in_time(guest: Guest, name: str) -> None:
    """Full and two incremental ones of a guest that goes on: each holds what the guest saw then, and no more is written than that."""
    number, sums = guest.number, {}
    for backup in ("b1", "b2", "b3"):
        sums[backup] = guest.write(backup)
        guest.take(backup, full_every=3)
        assert len(guest.checkpoints()) == 1
    assert guest.number == number
    rows = listed(guest)
    assert [(row["type"], row["parent"]) for row in rows] == [
        ("full", None),
        ("incremental", "b1"),
        ("incremental", "b2"),
    ]
    assert all(row["damage"] is None for row in rows)
    assert max(disk["stored_bytes"] for row in rows[1:] for disk in row["disks"]) < 4 * MIB
    for backup, row in zip(sums, rows):
        other = guest.restored(backup, f"{name}-{backup}")
        with removed_after(other):
            assert other.sum_of("vdb") == sums[row["backup"]]
            if backup == "b2":
                other.declare(power_state="running")
                assert other.inside("cat /data/word") == backup
                assert other.checksum() == sums[backup]
                assert other.inside("cat /sys/class/net/eth0/address") != guest.inside(
                    "cat /sys/class/net/eth0/address"
                )
                assert other.absent(**SWITCHED_OFF).changed
    guest.take("b4", full_every=3)
    assert listed(guest)[-1]["type"] == "full"
    refused = guest.backup("b2", state="absent")
    assert "b3 holds only what was written since" in refused.message
    kept = {"prefix": "b", "keep": 2}
    guest.take("b5", retention=kept)
    assert [row["backup"] for row in listed(guest)] == ["b4", "b5"]


def test_an_instance_that_is_off(guest: Guest, name: str) -> None:
    """It goes on incrementally, nothing runs meanwhile, and it stays off; its backup is there when it is gone."""
    guest.take("b1")
    checksum = guest.write("off")
    boots = guest.boots()
    guest.declare(power_state="stopped")
    done = guest.take("b2", type="incremental")
    assert done.data["actions"][0].startswith("start_held")
    assert guest.state == "shut off"
    assert listed(guest)[-1]["powered_off"]
    other = guest.restored("b2", name)
    with removed_after(other):
        assert other.sum_of("vdb") == checksum
        refused = guest.backup("b1", state="restored", restore_as=name, limits=LIMITS)
        assert "is an instance" in refused.message
    guest.declare(power_state="running")
    assert guest.boots() == boots + 1


def test_a_crash_and_growth(guest: Guest) -> None:
    """QEMU ends and forgets what was written: the next one is full, or refused where that is not wanted, and disks grow then."""
    guest.take("b1")
    crash(guest)
    guest.declare(power_state="running")
    refused = guest.backup("b2", type="incremental")
    assert "remembers" in refused.message
    guest.take("b2")
    assert listed(guest)[-1]["type"] == "full"
    checksum = guest.write("after")
    disk_gb = guest.declared["flavor"]["disk_gb"] + 1
    guest.declare(flavor={**guest.declared["flavor"], "disk_gb": disk_gb})
    guest.take("b3")
    disks = {disk["target"]: disk for disk in listed(guest)[-1]["disks"]}
    assert (disks["vda"]["incremental"], disks["vda"]["capacity_bytes"]) == (False, disk_gb * 1024**3)
    assert disks["vdb"]["incremental"]
    other = guest.restored("b3", f"{guest.name}-3")
    with removed_after(other):
        assert other.sum_of("vdb") == checksum


def test_a_disk_that_is_another_now(guest: Guest) -> None:
    """Where a disk was replaced, the others stay incremental, and what is remembered of them does not pile up."""
    guest.take("b1")
    action = guest.module("compute_instance_action", name=guest.name, action="rebuild", force=True, limits=LIMITS)
    assert not action.failed, action.message
    guest.take("b2")
    row = listed(guest)[-1]
    assert {disk["target"]: disk["incremental"] for disk in row["disks"]} == {"vda": False, "vdb": True}
    path = guest.disks()["vdb"]
    assert guest.checkpoints()[0].endswith("b2")
    guest.declare(power_state="stopped")
    told = subprocess.run(["qemu-img", "info", "-U", path], check=True, capture_output=True, text=True).stdout
    assert told.count("granularity") == 1


def crash(guest: Guest) -> None:
    """End the guest's QEMU as a power cut does."""
    line = f"guest={guest.name},"
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        # Other processes end meanwhile.
        with contextlib.suppress(OSError):
            if line in entry.read_text(errors="replace"):
                os.kill(int(entry.parent.name), signal.SIGKILL)
    wait_until(lambda: guest.state == "shut off", f"the end of {guest.name}")


def snapshot(guest: Guest, snapshot: str, **options: t.Any) -> Result:
    """Run compute_snapshot, which must not fail."""
    done = guest.module("compute_snapshot", name=guest.name, snapshot=snapshot, **options)
    assert not done.failed, done.message
    return done


def test_with_snapshots(guest: Guest, name: str) -> None:
    """Taken, merged and gone back to between backups: the guest lives, what is remembered stays where it can, and all of it is true."""
    guest.take("b1")
    guest.write("one")
    snapshot(guest, "s1")
    checksum = guest.write("two")
    guest.take("b2", type="incremental")
    snapshot(guest, "s1", state="absent")
    other = guest.restored("b2", f"{name}-2")
    with removed_after(other):
        assert other.sum_of("vdb") == checksum
    checksum = guest.write("three")
    guest.take("b3", type="incremental")
    for number, kind in enumerate(("external", "internal"), start=4):
        snapshot(guest, "s2", type=kind)
        guest.write("lost")
        done = snapshot(guest, "s2", state="reverted", discard_changes=True)
        assert any(action.startswith("delete_checkpoint") for action in done.data["actions"])
        assert guest.checksum() == checksum
        assert guest.checkpoints() == []
        snapshot(guest, "s2", state="absent")
        guest.take(f"b{number}")
        assert listed(guest)[-1]["type"] == "full"
        guest.take(f"b{number}-on", type="incremental")
        other = guest.restored(f"b{number}-on", f"{name}-{number}")
        with removed_after(other):
            assert other.sum_of("vdb") == checksum
    guest.declare(power_state="stopped")
    snapshot(guest, "s3")
    assert guest.state == "shut off"
    snapshot(guest, "s3", state="absent")
    guest.take("b6")
    assert listed(guest)[-1]["type"] == "full"


def test_killed_anywhere(guest: Guest, name: str) -> None:
    """The same task finishes it or begins anew, nothing is frozen, nothing is left over, and what it makes is right."""
    guest.take("b0")
    guest.inside("mke2fs /dev/vdb >/dev/null 2>&1; mkdir -p /mnt/x; mount -t ext4 /dev/vdb /mnt/x")
    for at in guest.killed(lambda: guest.backup("b1", state="absent"), "b1", quiesce=True):
        done = guest.backup("b1", quiesce=True)
        assert not done.failed, (at, done.message)
        assert guest.host.agent(guest.name, "guest-fsfreeze-status") == "thawed", at
        assert [row["backup"] for row in listed(guest)] == ["b0", "b1"], at
        assert len(guest.files()) == 8, at
        assert len(guest.checkpoints()) == 1, at
    for at in guest.killed(lambda: guest.backup("b1"), "b1", state="absent"):
        assert not guest.backup("b1", state="absent").failed, at
        assert len(guest.files()) == 4, at
    guest.inside("umount /mnt/x")
    checksum = guest.write("killed")
    guest.take("b1")
    other = Guest(guest.host, name, guest.runs)
    restore: dict[str, t.Any] = {"state": "restored", "restore_as": name, "limits": LIMITS}
    with removed_after(other):
        for at in guest.killed(other.absent, "b1", **restore):
            assert not guest.backup("b1", **restore).failed, at
            assert other.sum_of("vdb") == checksum, at
            assert guest.backup("b1", **restore).data["actions"] == []
        assert other.absent().changed
        assert not any(volume.startswith(name) for volume in guest.host.volumes())


def test_what_qemu_goes_on_with(shared_host: Hypervisor, name: str, runs: Runs) -> None:
    """A run is killed while QEMU still writes: no other begins meanwhile, the same one waits and completes it, or it is ended."""
    large = f"{name}-large"
    made = runs.run("compute_volume", uri=shared_host.uri, name=large, pool="default", size="250GiB", format="qcow2")
    assert not made.done.failed
    guest = Guest(shared_host, name, runs, image=None, volumes=[{"name": large}])
    with removed_after(guest):
        said(guest.attempt())
        options: dict[str, t.Any] = {"uri": shared_host.uri, "name": name, "backup": "b1", "every_call": True}
        whole = runs.run("compute_backup", **options)
        count = whole.calls.index("backupBegin") + 2
        assert not guest.backup("b1", state="absent").failed
        for left in ("finish_backup", "abort_backup"):
            assert runs.run("compute_backup", **options, kill_before=count).result is None
            assert "b1" in guest.backup("b2", check=True).message
            state = "present" if left == "finish_backup" else "absent"
            done = guest.backup("b1", state=state)
            assert not done.failed, done.message
            assert done.data["actions"][0].startswith(left)
            assert [row["damage"] for row in listed(guest)] == ([None] if state == "present" else [])
            assert not guest.backup("b1", state="absent").failed
            assert (guest.files(), guest.checkpoints()) == (set(), [])


def test_what_is_of_one_machine(shared_host: Hypervisor, name: str, runs: Runs) -> None:
    """Firmware begins anew, and drives, devices and what pins to CPUs stay with the old one; when that is gone, its name is free."""
    declared: dict[str, t.Any] = {
        "boot": {"firmware": "efi"},
        "image": None,
        "user_data": "#cloud-config\n{}\n",
        "xml_patch": [{"path": "/domain", "action": "add", "xml": "<genid/>"}],
    }
    guest = Guest(shared_host, name, runs, **declared)
    with removed_after(guest):
        guest.make()
        guest.take("b1")
        genid = guest.tree("--inactive").findtext("genid")
        assert guest.absent(**SWITCHED_OFF).changed
        refused = guest.backup("b1")
        assert refused.data["error_code"] == "NOT_FOUND"
        done = guest.backup("b1", state="restored", restore_as=name, limits=LIMITS)
        assert not done.failed, done.message
        assert guest.host.state(name) == "shut off"
        guest.host.virsh("start", name)
        tree = guest.tree()
        assert tree.findtext("genid") != genid
        assert [disk.get("dev") for disk in tree.iterfind("devices/disk/target")] == ["vda", "vdb"]
        again = guest.backup("b2")
        assert not again.failed, again.message
        assert listed(guest)[-1]["type"] == "full"
        assert "is of another instance" in guest.backup("b1").message
        assert guest.absent(**SWITCHED_OFF).changed
        for backup in ("b1", "b2"):
            assert guest.backup(backup, state="absent").changed
        assert guest.files() == set()
