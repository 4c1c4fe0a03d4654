# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Volumes on a real daemon: read with virsh, and their content with qemu-img."""

from __future__ import annotations

import json
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, start_module, wait_until
from .killing import Runs
from .subjects import Subject

MIB = 1024**2
SECRET = b"what the guest wrote"


def volume(host: Hypervisor, name: str, **declared: t.Any) -> Result:
    """Declare a volume."""
    return run_module("compute_volume", uri=host.uri, name=name, **declared)


def made(result: Result) -> Result:
    """Return the result of a run that did not fail."""
    assert not result.failed, result.message
    return result


def capacity(host: Hypervisor, name: str) -> int:
    """Return the size that libvirt sees."""
    line = next(line for line in host.virsh("vol-info", "--bytes", name, "default").splitlines() if "Capacity" in line)
    return int(line.split()[1])


def qemu_img(*arguments: str) -> str:
    """Run qemu-img and return what it prints."""
    return subprocess.run(["qemu-img", *arguments], check=True, capture_output=True, text=True, timeout=120).stdout


def disk(path: Path, size: int = 8 * MIB) -> Path:
    """Make a raw disk with something at its begin and end, and a hole between."""
    with path.open("wb") as file:
        file.write(SECRET)
        file.seek(size - len(SECRET))
        file.write(SECRET)
    return path


def same(left: Path, right: Path) -> None:
    """Fail unless both hold the same for a guest; the longer one may end with zeros."""
    qemu_img("compare", str(left), str(right))


def test_a_volume_is_made_and_grown(hypervisor: Hypervisor, name: str) -> None:
    """Nothing in check mode, the declared size otherwise, nothing in a second run, and never smaller."""
    assert made(volume(hypervisor, name, size="10M", check=True)).changed
    assert hypervisor.volumes() == set()
    assert made(volume(hypervisor, name, size="10M")).data["volume"]["format"] == "qcow2"
    assert capacity(hypervisor, name) == 10 * MIB
    assert not made(volume(hypervisor, name, size="10240 KiB")).changed
    assert made(volume(hypervisor, name, size="20M")).changed
    assert capacity(hypervisor, name) == 20 * MIB
    refused = volume(hypervisor, name, size="10M")
    assert refused.failed
    assert "declare at least 20 MiB" in refused.message
    assert made(volume(hypervisor, name, state="absent", wipe=True)).changed
    assert not made(volume(hypervisor, name, state="absent")).changed
    assert hypervisor.volumes() == set()


@pytest.mark.parametrize("image_format", ["raw", "qcow2"])
def test_content_is_uploaded_and_copied(hypervisor: Hypervisor, name: str, tmp_path: Path, image_format: str) -> None:
    """What a guest would read is the same, converted and grown, holes stay holes, and it is never written again."""
    raw, source = disk(tmp_path / "disk.raw"), tmp_path / "source"
    qemu_img("convert", "-O", image_format, str(raw), str(source))
    first = made(volume(hypervisor, name, src=str(source), size="16M"))
    assert first.data["volume"]["format"] == image_format
    assert first.data["volume"]["allocation_bytes"] < 4 * MIB
    assert capacity(hypervisor, name) == 16 * MIB
    same(raw, hypervisor.pool_path() / name)

    for copied, copy_format in (("copy-raw", "raw"), ("copy-qcow2", "qcow2")):
        declared = {"source": {"name": name}, "format": copy_format, "size": "24M"}
        assert made(volume(hypervisor, copied, **declared)).data["volume"]["format"] == copy_format
        assert capacity(hypervisor, copied) == 24 * MIB
        same(raw, hypervisor.pool_path() / copied)
        assert not made(volume(hypervisor, copied, **declared)).changed
    raw.write_bytes(b"\0" * MIB)
    source.write_bytes(raw.read_bytes())
    assert not made(volume(hypervisor, name, src=str(source))).changed
    assert hypervisor.volumes() == {name, "copy-raw", "copy-qcow2"}


def test_a_volume_is_downloaded_once(hypervisor: Hypervisor, name: str, tmp_path: Path) -> None:
    """Byte by byte, with its holes, for its owner alone; killed anywhere, the file is whole or not there."""
    raw, copy = disk(tmp_path / "disk.raw"), tmp_path / "copy"
    with raw.open("ab") as file:
        file.truncate(16 * MIB)
    declared: dict[str, t.Any] = {"uri": hypervisor.uri, "name": name, "dest": str(copy)}
    made(volume(hypervisor, name, src=str(raw)))
    assert made(volume(hypervisor, name, dest=str(copy), check=True)).changed
    assert not copy.exists()

    def begin() -> None:
        copy.unlink(missing_ok=True)

    with Runs("compute_volume") as runs:
        for _death in runs.killed_everywhere("compute_volume", begin, every_call=True, **declared):
            assert not copy.exists() or copy.read_bytes() == raw.read_bytes()
    assert copy.read_bytes() == raw.read_bytes()
    assert copy.stat().st_blocks * 512 < 4 * MIB
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not made(volume(hypervisor, name, dest=str(copy))).changed
    failed = volume(hypervisor, name, dest=str(tmp_path / "nosuch" / "copy"))
    assert failed.failed
    assert "cannot write" in failed.message
    hypervisor.virsh(
        "vol-create-as", "default", "top", "16M", "--format", "qcow2",
        "--backing-vol", name, "--backing-vol-format", "raw",
    )  # fmt: skip
    refused = volume(hypervisor, "top", dest=str(tmp_path / "top"))
    assert "holds only what differs" in refused.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "disk.raw"]


def test_an_image_becomes_a_volume(shared_host: Hypervisor, name: str, guest_image: Path) -> None:
    """Complete by itself, so that the image can go."""
    made(volume(shared_host, name, image={"name": "guest"}))
    path = shared_host.pool_path() / name
    same(guest_image, path)
    assert "backing-filename" not in json.loads(qemu_img("info", "--output=json", str(path)))
    missing = volume(shared_host, "other", image={"name": "nosuch"})
    assert missing.failed
    assert "there are: guest" in missing.message


def test_a_disguised_disk_is_neither_copied_nor_attached(hypervisor: Hypervisor, name: str, tmp_path: Path) -> None:
    """A guest that makes its disk look like one that lies on a file of its host does not get that file."""
    victim = disk(tmp_path / "victim.raw")
    path = hypervisor.pool_path() / "disguised"
    new = Subject(hypervisor, f"{name}-new", volumes=[{"name": "disguised"}])
    there = Subject(hypervisor, f"{name}-there")
    there.run()
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(victim), "-F", "raw", str(path))
    hypervisor.virsh("pool-refresh", "default")
    refused = volume(hypervisor, name, source={"name": "disguised"})
    assert refused.failed
    assert "has a backing file" in refused.message
    for check in (True, False):
        for failed in (new.attempt(check), there.attempt(check, volumes=[{"name": "disguised"}])):
            assert "Option volumes[0].name: volume disguised" in failed.message
            assert "is not attached: it has a backing file" in failed.message
    assert new.name not in hypervisor.virsh("list", "--all", "--name").split()
    assert list(there.disks()) == list(there.disks("--inactive")) == ["vda"]
    path.unlink()
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={victim}.new,data_file_raw=on", str(path), "8M")
    hypervisor.virsh("pool-refresh", "default")
    refused = volume(hypervisor, name, source={"name": "disguised"})
    assert refused.failed
    assert "keeps its data in another file" in refused.message
    path.unlink()
    qemu_img("create", "-q", "--object", "secret,id=key,data=passphrase", "-f", "luks",
             "-o", "key-secret=key,iter-time=10", str(path), "8M")  # fmt: skip
    hypervisor.virsh("pool-refresh", "default")
    refused = volume(hypervisor, name, source={"name": "disguised"})
    assert refused.failed
    assert "is encrypted" in refused.message
    assert name not in hypervisor.volumes()


def test_a_volume_in_use_stays(shared_host: Hypervisor, name: str) -> None:
    """An instance that runs, one that does not, and a volume on top: each is named, and nothing is done."""
    made(volume(shared_host, f"{name}-data", size="10M", format="raw"))
    subject = Subject(shared_host, name, volumes=[{"name": f"{name}-data", "serial": "data"}])
    subject.run()
    refused = volume(shared_host, f"{name}-data", state="absent")
    assert refused.failed
    assert f"it is used by domain {name}" in refused.message
    refused = volume(shared_host, "copy", source={"name": f"{name}-data"})
    assert refused.failed
    assert "stop it first" in refused.message
    shared_host.virsh("destroy", name)
    refused = volume(shared_host, f"{name}-data", state="absent", wipe=True)
    assert refused.failed
    made(volume(shared_host, f"{name}-data", size="20M"))
    assert capacity(shared_host, f"{name}-data") == 20 * MIB
    assert not subject.absent(force=True).failed
    shared_host.virsh(
        "vol-create-as", "default", f"{name}-top", "20M", "--format", "qcow2",
        "--backing-vol", f"{name}-data", "--backing-vol-format", "raw",
    )  # fmt: skip
    refused = volume(shared_host, f"{name}-data", state="absent")
    assert f"volume {name}-top of pool default" in refused.message
    made(volume(shared_host, f"{name}-top", state="absent"))
    made(volume(shared_host, f"{name}-data", state="absent"))


def test_a_run_can_be_killed_anywhere(hypervisor: Hypervisor, name: str, tmp_path: Path) -> None:
    """Whatever call it dies before, the next run makes the whole volume, and removal removes all of it."""
    raw = disk(tmp_path / "disk.raw")
    path = hypervisor.pool_path() / name
    target: dict[str, t.Any] = {"uri": hypervisor.uri, "name": name}
    contents: tuple[dict[str, t.Any], ...] = ({"src": str(raw)}, {"source": {"name": "origin"}})

    with Runs("compute_volume") as runs:

        def empty() -> None:
            hypervisor.clear()
            assert not runs.run("compute_volume", uri=hypervisor.uri, name="origin", src=str(raw)).done.failed

        for content in contents:
            deaths = []
            for death in runs.killed_everywhere("compute_volume", empty, **target, **content, size="16M"):
                deaths.append(death)
                assert not runs.run("compute_volume", **target, **content, size="16M").done.failed
                same(raw, path)
                assert capacity(hypervisor, name) == 16 * MIB
                assert hypervisor.volumes() == {name, "origin"}
            assert len(deaths) >= 4
        for death in runs.killed_everywhere("compute_volume", empty, **target, size="16M"):
            assert not runs.run("compute_volume", **target, size="16M").done.failed, death
        deaths = []
        for death in runs.killed_everywhere(
            "compute_volume",
            lambda: made(volume(hypervisor, name, size="16M")),
            **target,
            state="absent",
            wipe=True,
        ):
            deaths.append(death)
            assert not runs.run("compute_volume", **target, state="absent").done.failed
            assert hypervisor.volumes() == {"origin"}
        assert {"wipe", "delete"} <= set(deaths)


def test_a_half_volume_is_given_to_nobody(shared_host: Hypervisor, name: str, tmp_path: Path) -> None:
    """An upload that was killed in the middle: no instance and no copy gets it, the next run finishes it."""
    raw = disk(tmp_path / "disk.raw", 64 * MIB)
    with raw.open("r+b") as file:
        file.write(bytes(range(256)) * (64 * 4096))
    started = start_module("compute_volume", uri=shared_host.uri, name=f"{name}-data", src=str(raw))
    wait_until(lambda: f"{name}-data" in shared_host.virsh("vol-list", "default"), "the volume is there")
    started.kill()
    started.communicate(timeout=60)
    mark = f"kilonova-unfinished-{name}-data"
    if mark not in shared_host.volumes():
        # The upload was quicker than the kill: what a slower one leaves.
        shared_host.virsh("vol-create-as", "default", mark, "4k")
    subject = Subject(shared_host, name, volumes=[{"name": f"{name}-data", "serial": "data"}])
    refused = subject.attempt()
    assert refused.failed
    assert "a run that filled it was killed" in refused.message
    refused = volume(shared_host, "copy", source={"name": f"{name}-data"})
    assert refused.failed
    assert "is not finished" in refused.message
    assert made(volume(shared_host, f"{name}-data", src=str(raw))).data["actions"][0].startswith("discard_unfinished")
    same(raw, shared_host.pool_path() / f"{name}-data")
    assert mark not in shared_host.volumes()
    made(volume(shared_host, f"{name}-data", state="absent"))
