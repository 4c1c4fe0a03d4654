# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image from an instance: what its guest wrote is in the image, the guest goes on, and nothing else is left."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, wait_until
from .killing import Runs
from .subjects import BOOTING, SWITCHED_OFF, Subject, removed_after, said
from .test_image import made, record_volume

DATA: dict[str, t.Any] = {"format": "qcow2", "size_gb": 1}


class Golden(Subject):
    """A guest that images are made of; its second disk has a filesystem that can be frozen."""

    def __init__(self, host: Hypervisor, runs: Runs) -> None:
        """Begin with a declaration that boots."""
        super().__init__(host, "golden", **{**BOOTING, "volumes": [{"name": "golden-data", **DATA}]})
        self._runs = runs

    def publish(self, image: str, check: bool = False, **options: t.Any) -> Result:
        """Run compute_image in a process that takes no time to start."""
        result = self._runs.run("compute_image", check=check, uri=self.host.uri, name=image, **options).result
        assert result is not None
        return result

    def take(self, published: str, check: bool = False, options: t.Any = None, **source: t.Any) -> Result:
        """Make an image of a disk."""
        return self.publish(published, check, source_instance={"name": self.name, **source}, **(options or {}))

    def drop(self, name: str) -> None:
        """Remove an image."""
        made(self.publish(name, state="absent"))

    def is_untouched(self, number: str, disks: dict[str, str]) -> None:
        """See that the same guest runs on the same disks, with nothing frozen and no job."""
        assert (self.number, self.state, self.disks()) == (number, "running", disks)
        assert self.host.agent(self.name, "guest-fsfreeze-status") == "thawed"
        assert self.host.virsh("backup-dumpxml", self.name, check=False) == ""
        assert "<mirror" not in self.xml()


@pytest.fixture(scope="module")
def golden(shared_host: Hypervisor) -> t.Iterator[Golden]:
    """Return a guest that runs."""
    with Runs("compute_image") as runs, removed_after(subject := Golden(shared_host, runs)):
        said(subject.attempt())
        subject.inside("mke2fs /dev/vdb >/dev/null 2>&1 && mkdir -p /mnt && mount -t ext4 /dev/vdb /mnt")
        yield subject


def facts(path: str) -> dict[str, t.Any]:
    """Return what QEMU says of an image."""
    printed = subprocess.run(
        ["qemu-img", "info", "--output=json", path], check=True, capture_output=True, text=True
    ).stdout
    return t.cast("dict[str, t.Any]", json.loads(printed))


def content(path: str, scratch: Path) -> bytes:
    """Return the beginning of the disk that is in an image."""
    raw = scratch / "content.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, str(raw)], check=True)
    with open(raw, "rb") as file:
        return file.read(64 * 1024**2)


def test_running_guest_and_another_from_it(golden: Golden, name: str) -> None:
    """The image holds what was written before, is complete by itself, and boots; the guest never stops."""
    host, number, disks = golden.host, golden.number, golden.disks()
    golden.inside("echo before >/data/word; sync")
    volumes = host.volumes()
    foretold = made(golden.take("gold", check=True))
    assert (foretold.changed, host.volumes()) == (True, volumes)
    published = made(golden.take("gold", options={"metadata": {"version": "7"}}))
    assert (
        published.data["actions"]
        == foretold.data["actions"]
        == [
            "fetch_image root disk of instance golden",
            "publish_image gold",
        ]
    )
    golden.is_untouched(number, disks)
    known = published.data["image"]
    assert host.volumes() == {*volumes, record_volume("gold"), known["volume"]}
    assert "backing-filename" not in facts(known["path"])
    subprocess.run(["qemu-img", "check", "-q", known["path"]], check=True)
    assert (known["source"], known["virtual_size_bytes"]) == ("root disk of instance golden", 1024**3)
    assert known["metadata"] == {
        "version": "7",
        "os": None,
        "architecture": "x86_64",
        "firmware": None,
        "min_disk_gb": 1,
        "min_memory_mb": None,
    }
    golden.inside("echo after >/data/word; sync")
    assert not made(golden.take("gold")).changed
    with removed_after(Subject(host, name, **{**BOOTING, "image": "gold"})) as child:
        said(child.attempt())
        assert child.inside("cat /data/word") == "before"
        assert golden.inside("cat /data/word") == "after"
    golden.drop("gold")
    assert host.volumes() == volumes


def test_quiesced_disk_has_what_was_only_in_memory(golden: Golden, tmp_path: Path) -> None:
    """What a program wrote and nobody synced is in the image, since the guest's agent froze its filesystem."""
    number, disks = golden.number, golden.disks()
    golden.inside("echo 360000 >/proc/sys/vm/dirty_expire_centisecs; printf only-in-%s memory >/mnt/word")
    published = made(golden.take("data", disk="vdb", quiesce=True))
    golden.is_untouched(number, disks)
    assert "warnings" not in published.data
    assert b"only-in-memory" in content(published.data["image"]["path"], tmp_path)
    assert published.data["image"]["source"] == "disk vdb of instance golden"
    assert published.data["image"]["metadata"]["architecture"] is None
    golden.inside("echo more >/mnt/more; sync")
    other = made(golden.take("data", disk="vda"))
    assert other.changed
    assert other.data["image"]["source"] == "disk vda of instance golden"
    golden.drop("data")


def test_bad_input(golden: Golden) -> None:
    """Every one is told in a sentence, before anything is made."""
    host = golden.host
    volumes = host.volumes()
    host.virsh("qemu-agent-command", "golden", '{"execute": "guest-fsfreeze-freeze"}')
    frozen = golden.take("bad", quiesce="true")
    host.virsh("qemu-agent-command", "golden", '{"execute": "guest-fsfreeze-thaw"}')
    assert frozen.failed
    host.virsh("suspend", "golden")
    paused = golden.take("bad", quiesce="true")
    host.virsh("resume", "golden")
    results = [
        (paused, "Option source_instance.quiesce: instance golden is paused"),
        (golden.take("bad", disk="vdz"), "Option source_instance.disk: instance golden has no disk vdz"),
        (golden.take("bad", disk="../x"), "Option source_instance.disk: '../x' is no name of a disk"),
        (golden.take("bad", name="none"), "Option source_instance.name: there is no instance none"),
        (golden.take("bad", fleet="other"), "belongs to no fleet"),
        (golden.take("bad", quiesce="maybe"), "quiesce must be one of: auto, true, false"),
        (golden.take("bad", options={"format": "raw"}), "Option format: it says nothing of a disk"),
        (golden.take("bad", options={"checksum": "sha256:" + "0" * 64}), "Option checksum: it says nothing of a disk"),
        (golden.take("bad", options={"src": "/a"}), "parameters are mutually exclusive"),
        (golden.take("bad", options={"pool": "none"}), "Option pool: there is no storage pool named none"),
    ]
    for result, words in results:
        assert result.failed
        assert words in result.message.replace("value of ", "")
    assert host.volumes() == volumes


def test_killed_anywhere_is_finished(golden: Golden) -> None:
    """Killed before any call that changes something, the next run ends with one image, and nothing frozen or at work."""
    host, number, disks = golden.host, golden.number, golden.disks()
    volumes = host.volumes()

    def forget() -> None:
        for volume in host.volumes() - volumes:
            host.virsh("vol-delete", volume, "default")

    with Runs("compute_image") as runs:
        source = {"name": "golden", "disk": "vdb", "quiesce": "true"}
        arguments: dict[str, t.Any] = {"uri": host.uri, "name": "killed", "source_instance": source}
        for call in runs.killed_everywhere("compute_image", forget, **arguments):
            done = runs.run("compute_image", **arguments).done
            assert done.changed == (call not in ("", "delete"))
            golden.is_untouched(number, disks)
            assert not runs.run("compute_image", **arguments).done.changed
            assert host.volumes() - volumes - {done.data["image"]["volume"]} <= {
                record_volume("killed"),
                "kilonova-work-killed.qcow2",
            }
        # A copy that was not removed at the end is, when something is done in the pool again.
        assert runs.run("compute_image", **{**arguments, "state": "absent", "source_instance": None}).done.changed
    assert host.volumes() == volumes


def test_job_that_a_killed_run_left(golden: Golden, tmp_path: Path) -> None:
    """It is ended, and the guest thawed, by the run for the same image; a run for another image leaves both alone."""
    host, number, disks = golden.host, golden.number, golden.disks()
    volumes = host.volumes()
    host.virsh("vol-create-as", "default", "kilonova-work-left.qcow2", "1G", "--format", "qcow2")
    document = tmp_path / "backup.xml"
    document.write_text(
        "<domainbackup><disks><disk name='vda' backup='no'/><disk name='vdb' type='file'><driver type='qcow2'/>"
        f"<target file='{host.pool_path()}/kilonova-work-left.qcow2'/></disk></disks></domainbackup>"
    )
    golden.inside("dd if=/dev/urandom of=/mnt/noise bs=1M count=24 2>/dev/null; sync")
    host.virsh("qemu-agent-command", "golden", '{"execute": "guest-fsfreeze-freeze"}')
    # In one go, so that little is copied before it is slowed down.
    host.virsh(f"backup-begin golden {document} --reuse-external; blockjob golden vdb --bandwidth 1")
    other = golden.take("other", disk="vdb")
    assert other.failed
    assert "A backup of instance golden to " in other.message
    assert host.agent("golden", "guest-fsfreeze-status") == "frozen"
    published = made(golden.take("left", disk="vdb", quiesce=True)).data["image"]
    golden.is_untouched(number, disks)
    assert host.volumes() == {*volumes, record_volume("left"), published["volume"]}
    golden.drop("left")
    golden.inside("rm /mnt/noise; sync")


def test_stopped_guest(golden: Golden, tmp_path: Path) -> None:
    """The disk with what is below it, as it lies there; what looks like something else than it is is not opened."""
    host = golden.host
    said(golden.attempt(power_state="stopped", **SWITCHED_OFF))
    disk = golden.disks()["vda"]
    published = made(golden.take("off", options={"convert_to": "raw"})).data["image"]
    assert "backing-filename" not in facts(published["path"])
    subprocess.run(["qemu-img", "compare", "-q", published["path"], disk], check=True)
    assert golden.state == "shut off"
    assert not made(golden.take("off", options={"convert_to": "raw"})).changed
    golden.drop("off")

    host.virsh("vol-create-as", "default", "golden-trap.raw", "1M", "--format", "raw")
    trap = host.pool_path() / "golden-trap.raw"
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(1024**2))
    host.virsh("attach-disk", "golden", str(trap), "vdc", "--driver", "qemu", "--subdriver", "raw", "--config")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(secret), str(trap)], check=True)
    host.virsh("pool-refresh", "default")
    refused = golden.take("trap", disk="vdc")
    assert refused.failed
    assert "golden-trap.raw below disk vdc of instance golden is raw and looks like qcow2" in refused.message
    host.virsh("detach-disk", "golden", "vdc", "--config")
    wait_until(lambda: "vdc" not in golden.disks(), "the trap is gone")
