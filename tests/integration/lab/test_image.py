# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image against a real daemon: what is in the pool is read with virsh, what is fetched is seen by the server."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result, run_module, start_module, wait_until
from .image_servers import PASSWORD, USER, ImageServer, StallingProxy
from .killing import BRIEFLY, Runs

MIB = 1024 * 1024
VIRTUAL_MIB = 24


def qcow2(path: Path, seed: int, *options: str) -> bytes:
    """Make a qcow2 image with content of its own and return its bytes."""
    raw = path.with_suffix(".content")
    raw.write_bytes(random.Random(seed).randbytes(MIB))
    raw_size = str(VIRTUAL_MIB * MIB)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), raw_size], check=True)
    command = f"write -q -s {raw} 0 {MIB}"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, str(path)], check=True)
    return path.read_bytes()


def sha256(content: bytes) -> str:
    """Return a checksum as a user declares it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def data_volume(content: bytes, image_format: str = "qcow2") -> str:
    """Return the volume that holds ``content``."""
    return f"kilonova-{sha256(content).replace(':', '-')}.{image_format}"


def record_volume(name: str) -> str:
    """Return the volume that says what ``name`` stands for."""
    return f"kilonova-image-{name}.json"


def image(host: Hypervisor, name: str, *, check: bool = False, **options: t.Any) -> Result:
    """Run compute_image."""
    return run_module("compute_image", check=check, diff=True, uri=host.uri, name=name, **options)


def made(result: Result) -> Result:
    """Return a result that must not have failed."""
    assert not result.failed, result.message
    return result


def content_of(host: Hypervisor, volume: str, path: Path) -> bytes:
    """Return the bytes of a volume, fetched by virsh."""
    host.virsh("vol-download", volume, str(path), "default")
    return path.read_bytes()


@pytest.fixture
def server() -> t.Iterator[ImageServer]:
    """Return a server of images that counts requests."""
    running = ImageServer()
    yield running
    running.close()


@pytest.fixture
def content(tmp_path: Path, server: ImageServer) -> bytes:
    """Return an image's bytes, served as a.qcow2."""
    server.files["a.qcow2"] = qcow2(tmp_path / "a.qcow2", 1)
    return server.files["a.qcow2"]


def test_is_fetched_once(
    hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes, tmp_path: Path
) -> None:
    """Check mode fetches and makes nothing; one run publishes; the next asks the server for nothing at all."""
    declared: dict[str, t.Any] = {"url": server.url("a.qcow2"), "checksum": sha256(content)}
    foretold = made(image(hypervisor, name, check=True, **declared))
    assert foretold.changed
    assert foretold.data["image"] is None
    assert hypervisor.volumes() == set()
    assert server.requests == []

    published = made(image(hypervisor, name, **declared))
    assert published.changed
    assert published.data["actions"] == foretold.data["actions"]
    assert published.data["changes"] == foretold.data["changes"]
    assert f"image.checksum: {sha256(content)}" in published.data["diff"]["after"]
    assert hypervisor.volumes() == {record_volume(name), data_volume(content)}
    assert content_of(hypervisor, data_volume(content), tmp_path / "out") == content
    shown = published.data["image"]
    assert shown["digest"] == sha256(content)
    assert shown["virtual_size_bytes"] == VIRTUAL_MIB * MIB
    assert shown["size_bytes"] == len(content)
    assert shown["path"] == hypervisor.virsh("vol-path", data_volume(content), "default")
    assert "<format type='qcow2'/>" in hypervisor.virsh("vol-dumpxml", data_volume(content), "default")
    assert len(server.requests) == 1

    again = made(image(hypervisor, name, **declared))
    assert not again.changed
    assert again.data["actions"] == []
    assert again.data["image"] == shown
    assert not made(image(hypervisor, name, url=server.url("moved.qcow2"), checksum=sha256(content))).changed
    assert not made(image(hypervisor, name, url=server.url("a.qcow2"))).changed
    assert len(server.requests) == 1


def test_second_name_takes_the_same_data(
    hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes
) -> None:
    """With the digest known, another name needs no fetch; the data goes with the last name."""
    declared: dict[str, t.Any] = {"url": server.url("a.qcow2"), "checksum": sha256(content)}
    made(image(hypervisor, name, **declared))
    assert made(image(hypervisor, "other", **declared)).changed
    assert len(server.requests) == 1
    assert hypervisor.volumes() == {record_volume(name), record_volume("other"), data_volume(content)}

    assert made(image(hypervisor, name, state="absent", check=True)).changed
    assert made(image(hypervisor, name, state="absent")).changed
    assert hypervisor.volumes() == {record_volume("other"), data_volume(content)}
    assert made(image(hypervisor, "other", state="absent")).changed
    assert hypervisor.volumes() == set()
    assert not made(image(hypervisor, "other", state="absent")).changed


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_digests(hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes, algorithm: str) -> None:
    """Longer digests are verified and remembered as well."""
    checksum = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest().upper()}"
    assert made(image(hypervisor, name, url=server.url("a.qcow2"), checksum=checksum)).changed
    assert not made(image(hypervisor, name, url=server.url("a.qcow2"), checksum=checksum)).changed
    assert len(server.requests) == 1


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_wrong_checksum_publishes_nothing(
    hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes, algorithm: str
) -> None:
    """Both digests are named, and the pool stays empty.

    virt_cloud_instance of community.libvirt puts a download into its cache before it is verified, where it stays and is
    used by whoever gives no checksum; terraform-provider-libvirt#494 asks for any checksum at all.
    """
    wrong = f"{algorithm}:{hashlib.new(algorithm, b'other').hexdigest()}"
    result = image(hypervisor, name, url=server.url("a.qcow2"), checksum=wrong)
    assert result.failed
    assert wrong in result.message
    assert f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}" in result.message
    assert hypervisor.volumes() == set()


@pytest.mark.parametrize(
    ("path", "expected"),
    [("none.qcow2", "the server answered 404"), ("break/a.qcow2", "the body broke off after")],
)
@pytest.mark.usefixtures("content")
def test_failed_fetch_leaves_nothing(hypervisor: Hypervisor, server: ImageServer, path: str, expected: str) -> None:
    """A page that is not there and a body that breaks off are told in one sentence.

    terraform-provider-libvirt#494 is of a part of an image that is left behind and used the next time.
    """
    result = image(hypervisor, "fetched", url=server.url(path), retries=0)
    assert result.failed
    assert result.message.startswith(f"Cannot fetch the image {server.url(path)}: ")
    assert expected in result.message
    assert hypervisor.volumes() == set()


def test_refused_connection_leaves_nothing(hypervisor: Hypervisor, name: str, server: ImageServer) -> None:
    """A server that is not there is told in one sentence."""
    server.close()
    result = image(hypervisor, name, url=server.url("a.qcow2"), retries=0)
    assert result.failed
    assert "Connection refused" in result.message
    assert hypervisor.volumes() == set()


@pytest.mark.usefixtures("content")
def test_slow_server_is_given_up(hypervisor: Hypervisor, name: str, server: ImageServer) -> None:
    """A server that says nothing for the time allowed is told in one sentence."""
    server.gate.clear()
    result = image(hypervisor, name, url=server.url("a.qcow2"), timeout=1)
    assert result.failed
    assert "the server was silent for too long" in result.message
    assert hypervisor.volumes() == set()


def test_concurrent_runs_fetch_once(hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes) -> None:
    """Of two runs at once, one publishes and the other waits and finds nothing to do."""
    server.gate.clear()
    runs = [
        start_module("compute_image", uri=hypervisor.uri, name=name, url=server.url("a.qcow2")) for _run in range(2)
    ]
    wait_until(lambda: server.requests, "a request")
    server.gate.set()
    results = [json.loads(run.communicate(timeout=300)[0]) for run in runs]
    assert sorted(result["changed"] for result in results) == [False, True]
    assert results[0]["image"] == results[1]["image"]
    assert len(server.requests) == 1
    assert hypervisor.volumes() == {record_volume(name), data_volume(content)}


def test_concurrent_names_store_once(hypervisor: Hypervisor, server: ImageServer, content: bytes) -> None:
    """Four names with the same content at once, its digest unknown: one data volume."""
    names = [f"n{number}" for number in range(4)]
    server.gate.clear()
    runs = [start_module("compute_image", uri=hypervisor.uri, name=one, url=server.url("a.qcow2")) for one in names]
    wait_until(lambda: len(server.requests) == len(names), "all requests")
    server.gate.set()
    results = [json.loads(run.communicate(timeout=300)[0]) for run in runs]
    assert [result.get("changed") for result in results] == [True] * len(names), results
    assert hypervisor.volumes() == {*map(record_volume, names), data_volume(content)}


def test_killed_upload_is_repaired(hypervisor: Hypervisor, name: str, tmp_path: Path) -> None:
    """A run killed amid its upload leaves a part that nobody takes for an image; the next run puts it right."""
    content = random.Random(2).randbytes(8 * MIB)
    source = tmp_path / "image.raw"
    source.write_bytes(content)
    proxy = StallingProxy(hypervisor.uri.split("socket=")[1], tmp_path / "socket", 3 * MIB)
    run = start_module("compute_image", uri=proxy.uri, name=name, src=str(source))
    assert proxy.stalled.wait(120)
    run.kill()
    run.communicate(timeout=60)
    proxy.close()
    assert hypervisor.volumes() == {data_volume(content, "raw")}
    assert content_of(hypervisor, data_volume(content, "raw"), tmp_path / "part") != content

    assert made(image(hypervisor, name, src=str(source))).changed
    assert hypervisor.volumes() == {data_volume(content, "raw"), record_volume(name)}
    assert content_of(hypervisor, data_volume(content, "raw"), tmp_path / "whole") == content
    assert not made(image(hypervisor, name, src=str(source))).changed


def test_killed_anywhere_is_finished(hypervisor: Hypervisor, tmp_path: Path) -> None:
    """Wherever the run was when it was killed, the next one ends with one record and one whole data volume."""
    with Runs("compute_image", constants=BRIEFLY) as runs:
        for seed, limit in enumerate((800, 100_000, 2 * MIB, 2 * MIB + 6000, 2 * MIB + 18_000)):
            source = tmp_path / f"{seed}.raw"
            content = random.Random(seed).randbytes(2 * MIB)
            source.write_bytes(content)
            wanted: dict[str, t.Any] = {"name": f"n{seed}", "src": str(source)}
            proxy = StallingProxy(hypervisor.uri.split("socket=")[1], tmp_path / f"socket{seed}", limit)
            run = start_module("compute_image", uri=proxy.uri, **wanted)
            assert proxy.stalled.wait(120), limit
            run.kill()
            run.communicate(timeout=60)
            proxy.close()
            assert not runs.run("compute_image", uri=hypervisor.uri, **wanted).done.failed
            assert hypervisor.volumes() == {data_volume(content, "raw"), record_volume(wanted["name"])}, limit
            assert content_of(hypervisor, data_volume(content, "raw"), tmp_path / "whole") == content, limit
            assert not runs.run("compute_image", uri=hypervisor.uri, **wanted).done.changed
            gone = runs.run("compute_image", uri=hypervisor.uri, name=wanted["name"], state="absent")
            assert gone.done.changed
            assert hypervisor.volumes() == set()


def test_data_that_another_machine_writes_is_waited_for(hypervisor: Hypervisor, name: str, tmp_path: Path) -> None:
    """As long as a data volume grows it is not taken away, though no lock of this machine tells of its writer."""
    content = random.Random(7).randbytes(16 * MIB)
    source, pipe = tmp_path / "image.raw", tmp_path / "pipe"
    source.write_bytes(content)
    volume = data_volume(content, "raw")
    hypervisor.virsh("vol-create-as", "default", volume, str(len(content)), "--format", "raw", "--allocation", "0")
    os.mkfifo(pipe)
    writer = subprocess.Popen(["virsh", "-q", "-c", hypervisor.uri, "vol-upload", volume, str(pipe), "default"])
    with open(pipe, "wb", buffering=0) as feed:
        run = start_module("compute_image", uri=hypervisor.uri, name=name, src=str(source))
        inode = (hypervisor.pool_path() / volume).stat().st_ino
        for place in range(0, len(content) // 2, MIB // 4):
            feed.write(content[place : place + MIB // 4])
            time.sleep(0.3)
        assert run.poll() is None
        assert (hypervisor.pool_path() / volume).stat().st_ino == inode
    assert writer.wait(60) == 0
    result = json.loads(run.communicate(timeout=120)[0])
    assert result.get("changed"), result
    assert content_of(hypervisor, volume, tmp_path / "whole") == content
    assert hypervisor.volumes() == {volume, record_volume(name)}


def test_leftover_goes_with_the_next_change(
    hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes
) -> None:
    """What a killed run left of another image is removed; volumes that are not of our making stay."""
    leftover = data_volume(b"never finished")
    hypervisor.virsh("vol-create-as", "default", leftover, "1M", "--format", "raw")
    hypervisor.virsh("vol-create-as", "default", "mine.qcow2", "1M", "--format", "qcow2")
    result = made(image(hypervisor, name, url=server.url("a.qcow2")))
    assert f"remove_volume {leftover}" in result.data["actions"]
    assert hypervisor.volumes() == {record_volume(name), data_volume(content), "mine.qcow2"}


@pytest.mark.parametrize("damaged", ["record", "data"])
def test_damage_is_repaired(
    hypervisor: Hypervisor, server: ImageServer, content: bytes, tmp_path: Path, damaged: str
) -> None:
    """A record that can't be read and data that is gone both mean: not published."""
    name = f"with-damaged-{damaged}"
    declared: dict[str, t.Any] = {"url": server.url("a.qcow2"), "checksum": sha256(content)}
    made(image(hypervisor, name, **declared))
    if damaged == "record":
        (tmp_path / "zeros").write_bytes(bytes(100))
        hypervisor.virsh("vol-upload", record_volume(name), str(tmp_path / "zeros"), "default")
    else:
        hypervisor.virsh("vol-delete", data_volume(content), "default")
    assert made(image(hypervisor, name, **declared)).changed
    assert hypervisor.volumes() == {record_volume(name), data_volume(content)}
    assert content_of(hypervisor, data_volume(content), tmp_path / "out") == content
    assert not made(image(hypervisor, name, **declared)).changed


def test_hostile_images_are_refused(hypervisor: Hypervisor, name: str, tmp_path: Path) -> None:
    """A backing file, data in another file, and a qcow2 declared raw never come near the pool."""
    plain = tmp_path / "plain.qcow2"
    qcow2(plain, 3)
    backed = tmp_path / "backed.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(plain), "-F", "qcow2", str(backed)], check=True
    )
    apart = tmp_path / "apart.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={tmp_path / 'data'}", str(apart), "1M"],
        check=True,
    )
    refused = [
        (image(hypervisor, name, src=str(backed)), "it has a backing file"),
        (image(hypervisor, name, src=str(apart)), "it keeps its data in another file"),
        (image(hypervisor, name, src=str(plain), format="raw"), "declared raw but is of format qcow2"),
    ]
    for result, expected in refused:
        assert result.failed
        assert expected in result.message
    assert hypervisor.volumes() == set()


def test_image_in_use_stays(hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes) -> None:
    """An overlay of an overlay keeps the image, and so does a domain; both are named, in check mode as well."""
    made(image(hypervisor, name, url=server.url("a.qcow2")))
    base = hypervisor.virsh("vol-path", data_volume(content), "default")
    _overlay(hypervisor, "lower.qcow2", base)
    _overlay(hypervisor, "upper.qcow2", hypervisor.virsh("vol-path", "lower.qcow2", "default"))
    upper = hypervisor.virsh("vol-path", "upper.qcow2", "default")
    hypervisor.virsh("define", _domain_file(hypervisor, "user", upper))
    before = hypervisor.volumes()
    for check in (True, False):
        result = image(hypervisor, name, state="absent", check=check)
        assert result.failed
        assert "in use by volume lower.qcow2 of pool default, volume upper.qcow2 of pool default, domain user" in (
            result.message
        )
        assert hypervisor.volumes() == before

    hypervisor.virsh("undefine", "user")
    hypervisor.virsh("vol-delete", "upper.qcow2", "default")
    hypervisor.virsh("vol-delete", "lower.qcow2", "default")
    assert made(image(hypervisor, name, state="absent")).changed
    assert hypervisor.volumes() == set()


def test_disk_that_can_not_be_looked_into_keeps_the_image(
    hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes, tmp_path: Path
) -> None:
    """A domain's qcow2 outside of all pools may lie on the image, so the image stays and the disk is named."""
    made(image(hypervisor, name, url=server.url("a.qcow2")))
    before = hypervisor.volumes()
    base = hypervisor.virsh("vol-path", data_volume(content), "default")
    apart = tmp_path / "apart.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", str(apart)], check=True)
    hypervisor.virsh("define", _domain_file(hypervisor, "user", str(apart)))
    result = image(hypervisor, name, state="absent")
    assert result.failed
    assert f"{apart} of domain user, which is in no running pool" in result.message
    assert hypervisor.volumes() == before


def test_new_content_leaves_used_data(
    hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes, tmp_path: Path
) -> None:
    """A name that gets other content takes nothing from under what lies on the old; unused, the old goes."""
    server.files["b.qcow2"] = qcow2(tmp_path / "b.qcow2", 5)
    server.files["c.qcow2"] = qcow2(tmp_path / "c.qcow2", 6)
    made(image(hypervisor, name, url=server.url("a.qcow2")))
    _overlay(hypervisor, "overlay.qcow2", hypervisor.virsh("vol-path", data_volume(content), "default"))

    made(image(hypervisor, name, url=server.url("b.qcow2")))
    second = {record_volume(name), data_volume(server.files["b.qcow2"]), data_volume(content), "overlay.qcow2"}
    assert hypervisor.volumes() == second
    assert content_of(hypervisor, data_volume(content), tmp_path / "out") == content

    hypervisor.virsh("vol-delete", "overlay.qcow2", "default")
    made(image(hypervisor, name, url=server.url("c.qcow2")))
    assert hypervisor.volumes() == {record_volume(name), data_volume(server.files["c.qcow2"])}


def test_changed_file_is_published_anew(hypervisor: Hypervisor, name: str, tmp_path: Path) -> None:
    """Without a checksum, a file counts as changed when its time of change does."""
    source = tmp_path / "image.raw"
    source.write_bytes(b"a" * MIB)
    assert made(image(hypervisor, name, src=str(source), format="raw")).changed
    assert not made(image(hypervisor, name, url=f"file://{source}")).changed
    source.write_bytes(b"b" * MIB)
    os.utime(source, ns=(1, 1))
    assert made(image(hypervisor, name, src=str(source))).changed
    assert hypervisor.volumes() == {record_volume(name), data_volume(b"b" * MIB, "raw")}


def test_metadata_is_kept(hypervisor: Hypervisor, name: str, server: ImageServer, content: bytes) -> None:
    """It is published with the image, changed without a fetch, and stays when nothing is said of it."""
    declared: dict[str, t.Any] = {"url": server.url("a.qcow2"), "checksum": sha256(content)}
    published = made(image(hypervisor, name, metadata={"version": "1", "min_disk_gb": 2}, **declared)).data["image"]
    changed = made(image(hypervisor, name, metadata={"version": "2", "os": "Debian"}, **declared))
    assert changed.data["actions"] == [f"publish_image {name}"]
    expected = {"version": "2", "os": "Debian", "min_disk_gb": 2}
    assert {key: value for key, value in changed.data["image"]["metadata"].items() if value is not None} == expected
    again = made(image(hypervisor, name, **declared))
    assert not again.changed
    assert again.data["image"] == {**published, "metadata": changed.data["image"]["metadata"]}
    assert len(server.requests) == 1
    other = made(image(hypervisor, "other", metadata={"version": "3"}, **declared)).data["image"]
    assert (other["metadata"]["version"], other["metadata"]["os"]) == ("3", "Debian")

    small: dict[str, t.Any] = {
        "name": name,
        "image": name,
        "flavor": {"vcpus": 1, "memory_mb": 64, "disk_gb": 1},
        "virt_type": "qemu",
    }
    refused = run_module("compute_instance", uri=hypervisor.uri, **small)
    assert refused.failed
    assert f"flavor.disk_gb: 1 GiB is smaller than image {name} needs; it must be at least 2." in refused.message
    assert hypervisor.domains() == set()


@pytest.mark.usefixtures("content")
def test_secrets_stay_secret(hypervisor: Hypervisor, name: str, server: ImageServer, tmp_path: Path) -> None:
    """User, password and query of a URL are used, and appear neither in results and errors nor in the pool."""
    url = f"http://{USER}:{PASSWORD}@{server.address}/private/a.qcow2?token=very-secret"
    published = made(image(hypervisor, name, url=url))
    assert published.data["image"]["source"] == server.url("private/a.qcow2")
    record = content_of(hypervisor, record_volume(name), tmp_path / "record").decode("utf-8")
    missing = image(hypervisor, "other", url=url.replace("a.qcow2", "none.qcow2"))
    assert missing.failed
    wrong = image(hypervisor, "other", url=url.replace(PASSWORD, "not-the-password"))
    assert wrong.failed
    assert "401" in wrong.message
    for text in (json.dumps(published.data), json.dumps(missing.data), json.dumps(wrong.data), record):
        for secret in (PASSWORD, "not-the-password", "very-secret"):
            assert secret not in text
    assert not made(image(hypervisor, name, url=url)).changed


@pytest.mark.usefixtures("content")
def test_pool_must_be_there(hypervisor: Hypervisor, name: str, server: ImageServer) -> None:
    """A pool that is missing is named with those there are."""
    result = image(hypervisor, name, url=server.url("a.qcow2"), pool="fast")
    assert result.failed
    assert "there is no storage pool named fast" in result.message
    assert "there are: default" in result.message
    assert server.requests == []


def _overlay(host: Hypervisor, name: str, base: str) -> None:
    host.virsh(
        "vol-create-as", "default", name, f"{VIRTUAL_MIB}M", "--format", "qcow2",
        "--backing-vol", base, "--backing-vol-format", "qcow2",
    )  # fmt: skip


def _domain_file(host: Hypervisor, name: str, disk: str) -> str:
    path = host.pool_path().parent / f"{name}.xml"
    path.write_text(
        f"<domain type='qemu'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os><devices><disk"
        f" type='file'><driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>"
        "</devices></domain>"
    )
    return str(path)
