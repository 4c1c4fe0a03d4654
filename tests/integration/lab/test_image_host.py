# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image from another hypervisor's pool: what lies in both pools is read with virsh."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, start_module, wait_until
from .image_servers import ImageServer, StallingProxy
from .killing import BRIEFLY, Runs
from .test_image import MIB, content_of, data_volume, image, made, qcow2, record_volume, sha256


@pytest.fixture
def other(lab: list[Hypervisor]) -> t.Iterator[Hypervisor]:
    """Return the second hypervisor, empty before and after."""
    lab[1].clear()
    yield lab[1]
    lab[1].clear()


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """Return an image's bytes, which lie in a.qcow2."""
    return qcow2(tmp_path / "a.qcow2", 1)


@pytest.fixture
def there(other: Hypervisor, tmp_path: Path, content: bytes) -> Hypervisor:
    """Return the second hypervisor with the image "one" published."""
    declared: dict[str, t.Any] = {"src": str(tmp_path / "a.qcow2"), "checksum": sha256(content)}
    made(image(other, "one", metadata={"os": "Debian 12", "min_disk_gb": 2}, **declared))
    return other


def test_is_taken_from_there(hypervisor: Hypervisor, there: Hypervisor, content: bytes, tmp_path: Path) -> None:
    """Check mode tells it all and moves nothing; then it is here as it is there, once, with what is known of it."""
    source = {"uri": there.uri}
    foretold = made(image(hypervisor, "one", check=True, source_host=source))
    assert hypervisor.volumes() == set()
    assert sha256(content) in foretold.data["diff"]["after"]

    published = made(image(hypervisor, "one", source_host=source))
    assert published.data["actions"] == foretold.data["actions"]
    assert published.data["changes"] == foretold.data["changes"]
    assert hypervisor.volumes() == {record_volume("one"), data_volume(content)} == there.volumes()
    assert content_of(hypervisor, data_volume(content), tmp_path / "out") == content
    known = published.data["image"]
    assert (known["metadata"]["os"], known["metadata"]["min_disk_gb"]) == ("Debian 12", 2)
    assert known["checksum"] == sha256(content)
    assert known["source"] == f"image one of pool default at {there.uri}"
    assert not made(image(hypervisor, "one", source_host=source)).changed

    renamed = made(image(hypervisor, "two", source_host={**source, "image": "one"}, metadata={"os": "mine"}))
    assert renamed.data["actions"] == ["publish_image two"]
    assert renamed.data["image"]["metadata"]["os"] == "mine"
    assert hypervisor.volumes() == {record_volume("one"), record_volume("two"), data_volume(content)}


def test_follows_what_is_published_there(
    hypervisor: Hypervisor, there: Hypervisor, content: bytes, tmp_path: Path
) -> None:
    """New content there is taken; with a checksum that is here already, the other hypervisor is not even asked."""
    made(image(hypervisor, "one", source_host={"uri": there.uri}))
    newer = qcow2(tmp_path / "b.qcow2", 2)
    made(image(there, "one", src=str(tmp_path / "b.qcow2")))
    nowhere = {"uri": "qemu:///session?socket=/nowhere"}
    assert not made(image(hypervisor, "one", source_host=nowhere, checksum=sha256(content))).changed
    assert made(image(hypervisor, "one", source_host={"uri": there.uri})).changed
    assert hypervisor.volumes() == {record_volume("one"), data_volume(newer)}


def test_checksum_of_what_it_was_made_from(hypervisor: Hypervisor, other: Hypervisor, tmp_path: Path) -> None:
    """What was converted there has the vendor's checksum here too, and another is refused before anything moves."""
    qcow2(tmp_path / "a.qcow2", 3)
    vendors = tmp_path / "a.vhdx"
    subprocess.run(["qemu-img", "convert", "-O", "vhdx", str(tmp_path / "a.qcow2"), str(vendors)], check=True)
    checksum = sha256(vendors.read_bytes())
    made(image(other, "one", src=str(vendors)))
    wrong = image(hypervisor, "one", source_host={"uri": other.uri}, checksum=sha256(b"other"))
    assert wrong.failed
    assert f"and not {sha256(b'other')}" in wrong.message
    assert hypervisor.volumes() == set()
    assert made(image(hypervisor, "one", source_host={"uri": other.uri}, checksum=checksum)).changed
    assert not made(image(hypervisor, "one", src=str(vendors), checksum=checksum)).changed
    as_raw: dict[str, t.Any] = {"source_host": {"uri": other.uri, "image": "one"}, "convert_to": "raw"}
    raw = made(image(hypervisor, "raw", **as_raw)).data["image"]
    subprocess.run(["qemu-img", "compare", raw["path"], str(vendors)], check=True)
    assert not made(image(hypervisor, "raw", **as_raw)).changed


def peak_kib(run: subprocess.Popen[str]) -> int:
    """Wait for a process to end and return the most memory that it had; what the kernel counts at its end is also ours."""
    peak = 0
    while run.poll() is None:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{run.pid}/status").read_text(encoding="ascii").splitlines()
            peak = max([peak, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))])
        time.sleep(0.02)
    return peak


def test_plain_volume(hypervisor: Hypervisor, other: Hypervisor, tmp_path: Path) -> None:
    """A volume that nobody published: its holes stay holes, memory stays flat, a change is seen."""
    length = 400 * MIB
    path = tmp_path / "disk.raw"
    with open(path, "wb") as file:
        file.write(random.Random(1).randbytes(3 * MIB))
        file.seek(200 * MIB)
        file.write(random.Random(2).randbytes(MIB))
        file.truncate(length)
    other.virsh("vol-create-as", "default", "disk.raw", str(length), "--format", "raw", "--allocation", "0")
    other.virsh("vol-upload", "--sparse", "disk.raw", str(path), "default")
    source = {"uri": other.uri, "volume": "disk.raw"}
    printed = subprocess.run(["sha256sum", str(path)], check=True, capture_output=True, text=True).stdout
    checksum = f"sha256:{printed.split()[0]}"
    run = start_module("compute_image", uri=hypervisor.uri, name="disk", source_host=source, checksum=checksum)
    peak = peak_kib(run)
    published = json.loads(run.communicate(timeout=60)[0])["image"]
    assert 0 < peak < 200 * 1024
    assert published["format"] == "raw"
    subprocess.run(["cmp", published["path"], str(path)], check=True)
    assert Path(published["path"]).stat().st_blocks * 512 < 8 * MIB

    made(image(hypervisor, "seen", source_host=source))
    assert not made(image(hypervisor, "seen", source_host=source)).changed
    (other.pool_path() / "disk.raw").write_bytes(random.Random(4).randbytes(MIB))
    assert made(image(hypervisor, "seen", source_host=source)).changed


def test_bad_sources(hypervisor: Hypervisor, there: Hypervisor, content: bytes) -> None:
    """Every one is told by its option, and nothing comes into the pool."""
    there.virsh(
        "vol-create-as", "default", "overlay.qcow2", "24M", "--format", "qcow2",
        "--backing-vol", data_volume(content), "--backing-vol-format", "qcow2",
    )  # fmt: skip
    for source, words in (
        ({"uri": "qemu:///session?socket=/nowhere"}, "check option source_host.uri"),
        ({"uri": there.uri, "pool": "fast"}, "Option source_host.pool: there is no storage pool named fast"),
        ({"uri": there.uri, "image": "none"}, "Option source_host.image: no image named none is published"),
        ({"uri": there.uri, "volume": "none"}, "Option source_host.volume: volume none of pool default"),
        ({"uri": there.uri, "volume": "overlay.qcow2"}, "it has a backing file"),
        ({"uri": there.uri, "volume": "a", "image": "b"}, "Option source_host.volume: image is given as well"),
        ({"uri": ""}, "Option source_host.uri"),
    ):
        result = image(hypervisor, "one", source_host=source)
        assert result.failed
        assert words in result.message
    assert hypervisor.volumes() == set()


def test_damage_there_is_not_taken_over(hypervisor: Hypervisor, there: Hypervisor, content: bytes) -> None:
    """Data that is not what its name says there is not published here."""
    data = there.pool_path() / data_volume(content)
    data.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    result = image(hypervisor, "one", source_host={"uri": there.uri})
    assert result.failed
    assert f"is not what its digest {sha256(content)} says" in result.message
    assert hypervisor.volumes() == set()


def test_killed_anywhere_is_finished(hypervisor: Hypervisor, there: Hypervisor, content: bytes, tmp_path: Path) -> None:
    """Killed before any call that moves or makes something, the next run ends with one whole image."""
    source = {"uri": there.uri}
    with Runs("compute_image", constants=BRIEFLY) as runs:
        arguments: dict[str, t.Any] = {"uri": hypervisor.uri, "name": "one", "source_host": source}
        for call in runs.killed_everywhere("compute_image", hypervisor.clear, **arguments):
            done = runs.run("compute_image", **arguments).done
            assert done.changed == bool(call)
            assert hypervisor.volumes() == {record_volume("one"), data_volume(content)}
            assert content_of(hypervisor, data_volume(content), tmp_path / "out") == content
            assert not runs.run("compute_image", **arguments).done.changed
    assert content_of(there, data_volume(content), tmp_path / "out") == content


def test_twenty_at_once_on_two_hosts(hypervisor: Hypervisor, other: Hypervisor, content: bytes, tmp_path: Path) -> None:
    """Ten runs on each host ask for the same image: each host fetches it once, and both have it whole."""
    hosts, server = (hypervisor, other), ImageServer()
    server.files["a.qcow2"] = content
    server.gate.clear()
    declared: dict[str, t.Any] = {"name": "one", "url": server.url("a.qcow2")}
    runs = [start_module("compute_image", uri=host.uri, **declared) for host in hosts * 10]
    wait_until(lambda: len(server.requests) == len(hosts), "a request of each host")
    server.gate.set()
    results = [json.loads(run.communicate(timeout=300)[0]) for run in runs]
    server.close()
    assert sorted(result.get("changed", result) for result in results) == [False] * 18 + [True] * 2
    assert server.requests == ["a.qcow2"] * 2
    for host in hosts:
        assert host.volumes() == {record_volume("one"), data_volume(content)}
        assert content_of(host, data_volume(content), tmp_path / "out") == content


def test_other_hypervisor_that_falls_silent(hypervisor: Hypervisor, other: Hypervisor, tmp_path: Path) -> None:
    """In the middle of a stream, a connection that says nothing any more is given up, and nothing stays."""
    path = tmp_path / "large.raw"
    path.write_bytes(random.Random(5).randbytes(8 * MIB))
    made(image(other, "large", src=str(path)))
    proxy = StallingProxy(other.uri.split("socket=")[1], tmp_path / "socket", MIB, answers=True)
    result = image(hypervisor, "large", source_host={"uri": proxy.uri}, stall_timeout=5)
    proxy.close()
    assert proxy.stalled.is_set()
    assert result.failed
    assert f"Cannot read volume {data_volume(path.read_bytes(), 'raw')} of storage pool default at " in result.message
    assert hypervisor.volumes() == set()
