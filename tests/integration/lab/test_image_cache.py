# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image_cache and compute_image_info against a real daemon: what is there before and after is read with virsh."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import typing as t
import uuid
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import Pool, Volume
from ansible_collections.kilonova.compute.plugins.module_utils._service import image_cache
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_info import ImageInfoOptions, list_images
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_store import ImageStore
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_cache import CacheSpec
from ansible_collections.kilonova.compute.plugins.modules import compute_instance

from .conftest import Hypervisor, Result
from .killing import Runs
from .subjects import FLAVOR, LIMITS

MIB = 1024 * 1024
NOW = 1_800_000_000
"""The time of runs within this process."""


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return runs of the modules in processes that take no time to start."""
    with Runs(
        "compute_image", "compute_image_cache", "compute_image_info", "compute_instance", "compute_facts"
    ) as loaded:
        yield loaded


class Cache:
    """The images of a host's default pool."""

    def __init__(self, host: Hypervisor, runs: Runs, directory: Path) -> None:
        """Begin with none."""
        self.host = host
        self.runs = runs
        self.directory = directory
        self.data: dict[str, str] = {}
        """By the image's name, the volume with its data."""

    def attempt(self, module: str, check: bool = False, **arguments: t.Any) -> Result:
        """Run a module."""
        ended = self.runs.run(module, check=check, uri=self.host.uri, **arguments)
        assert ended.result is not None
        return ended.result

    def run(self, module: str, check: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        """Run a module that must not fail."""
        result = self.attempt(module, check, **arguments)
        assert not result.failed, result.message
        return result.data

    def publish(self, *names: str, size: int = MIB) -> None:
        """Publish raw images with content of their own."""
        for name in names:
            content = random.Random(name).randbytes(size)
            source = self.directory / name
            source.write_bytes(content)
            self.run("compute_image", name=name, src=str(source))
            self.data[name] = f"kilonova-sha256-{hashlib.sha256(content).hexdigest()}.raw"

    def collect(self, **options: t.Any) -> dict[str, t.Any]:
        """Run compute_image_cache: check mode changes nothing and foretells it, and a second run does nothing more."""
        before = self.host.volumes()
        foretold = self.run("compute_image_cache", check=True, **options)
        assert self.host.volumes() == before
        done = self.run("compute_image_cache", **options)
        for key in ("changed", "actions", "changes", "removed", "size_bytes"):
            assert foretold[key] == done[key]
        again = self.run("compute_image_cache", **options)
        assert (again["changed"], again["actions"]) == (False, [])
        return done

    def info(self, **options: t.Any) -> dict[str, dict[str, t.Any]]:
        """Return the images by name."""
        return {row["name"]: row for row in self.run("compute_image_info", **options)["images"]}

    def published(self) -> set[str]:
        """Return the images that have a record and data, as the pool's list of volumes tells."""
        there = self.host.volumes()
        return {name for name, data in self.data.items() if {data, f"kilonova-image-{name}.json"} <= there}

    def path(self, name: str) -> str:
        """Return where an image's data is."""
        return str(self.host.pool_path() / self.data[name])

    def overlay(self, name: str, image: str, pool: str = "default") -> str:
        """Make a volume that lies on an image, and return its path."""
        self.host.virsh(
            "vol-create-as", pool, name, "8M", "--format", "qcow2",
            "--backing-vol", self.path(image), "--backing-vol-format", "raw",
        )  # fmt: skip
        return self.host.virsh("vol-path", name, pool)

    def define(self, name: str, path: str) -> None:
        """Define a domain with one qcow2 disk, or have it defined to have another one."""
        identity = f"<name>{name}</name><uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, name)}</uuid>"
        self.host.feed(
            f"<domain type='qemu'>{identity}<memory>32768</memory><os><type>hvm</type></os><devices>"
            f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{path}'/><target dev='vda' bus='virtio'/>"
            "</disk></devices></domain>",
            "define",
        )

    def note(self, name: str, time: str) -> None:
        """Have the note on an image say another time."""
        text = self.directory / "note"
        text.write_text(f"{time}\n".ljust(512))
        volume = self.data[name].replace("kilonova-sha256-", "kilonova-unused-sha256-")
        self.host.virsh("vol-upload", volume, str(text), "default")


@pytest.fixture
def cache(hypervisor: Hypervisor, runs: Runs, tmp_path: Path) -> Cache:
    """Return the empty cache of an empty host."""
    return Cache(hypervisor, runs, tmp_path)


@pytest.fixture
def other_pool(hypervisor: Hypervisor, tmp_path: Path) -> t.Iterator[str]:
    """Return the name of a second pool."""
    tmp_path.chmod(0o777)
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool").chmod(0o777)
    hypervisor.virsh("pool-create-as", "other", "dir", "--target", str(tmp_path / "pool"))
    yield "other"
    hypervisor.virsh("pool-destroy", "other")


def test_every_kind_of_chain_keeps_its_image(cache: Cache, other_pool: str) -> None:
    """Whatever lies on an image keeps it, and is named; the image that nothing lies on is the only one that goes."""
    domains = ("off", "running", "snapshot", "memory", "remembered", "claimed")
    volumes = ("other", "behind", "clone")
    cache.publish(*domains, *volumes, "unused")
    virsh, pool = cache.host.virsh, cache.host.pool_path()
    _define_claim(cache, "claimed")
    # A domain that is off, whose overlay lies on another one.
    lower = cache.overlay("off-lower", "off")
    virsh(
        "vol-create-as", "default", "off-upper", "8M", "--format", "qcow2",
        "--backing-vol", lower, "--backing-vol-format", "qcow2",
    )  # fmt: skip
    cache.define("off", str(pool / "off-upper"))
    # One that runs, is defined to have another disk at its next boot, and whose volume is deleted under it.
    cache.define("running", cache.overlay("running-1", "running", other_pool))
    virsh("start", "running")
    cache.define("running", cache.overlay("clone-1", "clone"))
    virsh("vol-delete", "running-1", other_pool)
    # The memory is saved of a guest that is then defined to have another disk, and so is a snapshot.
    cache.define("memory", cache.overlay("memory-1", "memory", other_pool))
    virsh("start", "memory")
    virsh("managedsave", "memory")
    cache.define("memory", str(pool / "clone-1"))
    cache.define("remembered", cache.overlay("remembered-1", "remembered", other_pool))
    virsh("snapshot-create-as", "remembered", "one")
    cache.define("remembered", str(pool / "clone-1"))
    cache.overlay("other-1", "other", other_pool)
    # What is written after a snapshot lies in a file that the pool knows nothing of, as does what is made by hand.
    cache.define("snapshot", cache.overlay("snapshot-1", "snapshot"))
    virsh("snapshot-create-as", "snapshot", "one", "--disk-only", "--no-metadata")
    behind = pool / "behind-1"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", cache.path("behind"), "-F", "raw", str(behind)]
    subprocess.run(create, check=True)
    behind.chmod(0o666)
    assert "behind-1" not in virsh("vol-list", "default")

    foretold = cache.run("compute_image_cache", check=True, unused_for="0s")
    assert [image["names"] for image in foretold["removed"]] == [["unused"]]
    done = cache.collect(unused_for="0s", max_size="0")
    assert [image["names"] for image in done["removed"]] == [["unused"]]
    assert done["excess_bytes"] == done["size_bytes"] >= 9 * MIB
    assert cache.published() == {*domains, *volumes}
    shown = cache.info()
    assert all(shown[name]["used_by"]["instances"] == [name] for name in domains)
    assert all(shown[name]["in_use"] and shown[name]["unused_since"] is None for name in cache.published())
    assert shown["clone"]["used_by"]["instances"] == ["memory", "remembered", "running"]
    assert shown["other"]["used_by"] == {"instances": [], "volumes": [{"name": "other-1", "pool": "other"}]}
    assert [volume["name"] for volume in shown["off"]["used_by"]["volumes"]] == ["off-lower", "off-upper"]
    for name in cache.published():
        refused = cache.attempt("compute_image", name=name, state="absent")
        assert refused.failed
        assert "is in use by" in refused.message
    assert cache.published() == {*domains, *volumes}


def _define_claim(cache: Cache, name: str) -> None:
    """Define what a run of compute_instance leaves that is killed before it makes the disk."""
    cache.runs.run(
        "compute_instance", kill_before=2, uri=cache.host.uri, name=name, image=name, flavor=FLAVOR, limits=LIMITS,
        virt_type="qemu", power_state="stopped", graphics={"type": "none"},
    )  # fmt: skip
    assert name in cache.host.domains()
    assert not {volume for volume in cache.host.volumes() if volume.startswith(f"{name}-vda")}


def test_what_cannot_be_looked_into_keeps_all(cache: Cache, tmp_path: Path) -> None:
    """A file in no pool, below a domain or a volume, and a pool that does not run: each is told, and nothing goes."""
    cache.publish("one", "two")
    virsh, before = cache.host.virsh, cache.host.volumes()

    def refused(words: str) -> None:
        for result in (
            cache.attempt("compute_image_cache", unused_for="0s"),
            cache.attempt("compute_image", name="one", state="absent"),
        ):
            assert result.failed
            assert words in result.message
        assert cache.host.volumes() - {"over"} == before
        # As long as nothing would go, nothing need be known.
        assert not cache.run("compute_image_cache", unused_for="1w")["changed"]

    apart = tmp_path / "apart.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, "-b", cache.path("one"), "-F", "raw", str(apart)], check=True)
    cache.define("user", str(apart))
    refused(f"{apart} of domain user, which is in no running pool")
    assert cache.run("compute_image_info")["unreadable"] == [f"{apart} of domain user, which is in no running pool"]
    virsh("undefine", "user")
    subprocess.run([*create, "-b", str(apart), "-F", "qcow2", str(cache.host.pool_path() / "over")], check=True)
    (cache.host.pool_path() / "over").chmod(0o666)
    refused(f"volume over of pool default, which lies on {apart} in no running pool")
    virsh("pool-refresh", "default")
    virsh("vol-delete", "over", "default")
    virsh("pool-define-as", "asleep", "dir", "--target", str(tmp_path / "asleep"))
    try:
        refused("storage pool asleep, which is not running")
    finally:
        virsh("pool-undefine", "asleep")
    assert len(cache.collect(unused_for="0s")["removed"]) == 2


def test_age(cache: Cache) -> None:
    """What is unused is noted, and goes when it is old enough; a disk that is made on it takes the note away."""
    cache.publish("old", "young", "kept", "used")
    cache.overlay("disk", "used")
    first = cache.collect(unused_for="7d", keep=["kept"])
    assert [action.split()[0] for action in first["actions"]] == ["note_unused"] * 3
    since = cache.info()["old"]["unused_since"]
    assert since.endswith("Z")
    for name in ("old", "kept"):
        cache.note(name, "2020-02-29T12:00:00Z")
    assert cache.info()["old"]["unused_since"] == "2020-02-29T12:00:00Z"
    second = cache.collect(unused_for="7d", keep=["kept"])
    assert second["actions"] == ["unpublish_image old", f"remove_volume {cache.data['old']}"]
    assert second["removed"][0]["unused_since"] == "2020-02-29T12:00:00Z"
    assert second["freed_bytes"] >= MIB
    assert cache.published() == {"young", "kept", "used"}

    cache.note("young", "2020-02-29T12:00:00Z")
    declared: dict[str, t.Any] = {
        "name": "vm",
        "image": "young",
        "flavor": FLAVOR,
        "limits": LIMITS,
        "virt_type": "qemu",
    }
    cache.run("compute_instance", power_state="stopped", **declared)
    assert cache.info()["young"]["used_by"]["instances"] == ["vm"]
    cache.run("compute_instance", name="vm", state="absent")
    assert cache.info()["young"]["unused_since"] is None
    assert [action.split()[0] for action in cache.collect(unused_for="7d")["actions"]] == [
        "note_unused", "unpublish_image", "remove_volume",
    ]  # fmt: skip
    assert cache.published() == {"young", "used"}
    # Somebody lays a volume on it without a word: the note goes in the next run.
    cache.overlay("by-hand", "young")
    assert [action.split()[0] for action in cache.collect()["actions"]] == ["note_used"]


def test_size(cache: Cache) -> None:
    """The longest unused go first, and no more than needed; data of two names counts once and goes with both."""
    cache.publish("b", "a", "c")
    cache.run("compute_image", name="also-a", src=str(cache.directory / "a"))
    cache.collect()
    for name, year in (("a", 2020), ("b", 2021), ("c", 2022)):
        cache.note(name, f"{year}-01-01T00:00:00Z")
    assert not cache.collect(max_size="4M")["changed"]
    done = cache.collect(max_size="2500K")
    assert [image["names"] for image in done["removed"]] == [["a", "also-a"]]
    assert (done["excess_bytes"], done["size_bytes"] >= 2 * MIB) == (0, True)
    assert "kilonova-image-also-a.json" not in cache.host.volumes()
    cache.overlay("disk", "b")
    done = cache.collect(max_size="1K")
    assert cache.published() == {"b"}
    assert done["excess_bytes"] >= MIB - 1024
    assert "more than max_size allows" in str(done["warnings"])


def test_leftovers(cache: Cache, tmp_path: Path) -> None:
    """What a killed run left goes, and what somebody is at work on stays, as do volumes that are not of ours."""
    cache.publish("image")
    virsh = cache.host.virsh
    half, busy = (f"kilonova-sha256-{hashlib.sha256(word).hexdigest()}.raw" for word in (b"half", b"busy"))
    foreign = {"mine.qcow2", "kilonova-image-foreign.json", "base-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"}
    for name in (half, busy, *foreign):
        virsh("vol-create-as", "default", name, "8M", "--format", "raw", "--allocation", "0")
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen(
        ["virsh", "-q", "-c", cache.host.uri, "vol-upload", busy, str(tmp_path / "pipe"), "default"]
    )
    with open(tmp_path / "pipe", "wb", buffering=0) as feed:
        run = subprocess.Popen(["sh", "-c", "while sleep 0.3; do head -c 65536 /dev/zero; done"], stdout=feed)
        done = cache.run("compute_image_cache")
        assert [image["volume"] for image in done["removed"]] == [half]
        run.kill()
        run.wait(60)
    writer.wait(60)
    assert {busy, cache.data["image"], *foreign} <= cache.host.volumes()
    assert cache.run("compute_image_cache")["actions"] == [f"remove_volume {busy}"]
    assert {cache.data["image"], *foreign} <= cache.host.volumes()


def test_an_instance_that_comes_between(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is made after the look and before the removal keeps its image, and the others go."""
    cache.publish("wanted", "unwanted")
    before = cache.run("compute_image_info", names=["wanted"])["images"]
    original = ImageStore.remove_record

    def remove_record(store: ImageStore, name: str) -> None:
        if name == "wanted":
            cache.overlay("between", "wanted")
        original(store, name)

    monkeypatch.setattr(ImageStore, "remove_record", remove_record)
    with Connection(cache.host.uri) as connection:
        outcome = image_cache.collect(connection, CacheSpec(unused_for=0), NOW, check_mode=False)
    told = image_cache.as_result(CacheSpec(unused_for=0), outcome)
    assert [image["names"] for image in told["removed"]] == [["unwanted"]]
    assert "Image wanted of pool default stays: it is in use by volume between of pool default" in str(told["warnings"])
    assert not [action for action in told["actions"] if "wanted" in action.split()]
    assert cache.published() == {"wanted"}
    shown = cache.run("compute_image_info", names=["wanted"])["images"][0]
    assert {key: shown[key] for key in ("digest", "source", "fetched_at")} == {
        key: before[0][key] for key in ("digest", "source", "fetched_at")
    }


def test_an_instance_that_comes_too_late(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One whose image goes while its disk is made is taken back whole, though the data is still there."""
    cache.publish("image")
    original = Pool.create

    def create(pool: Pool, name: str, *arguments: t.Any, **options: t.Any) -> Volume:
        volume = original(pool, name, *arguments, **options)
        cache.host.virsh("vol-delete", "kilonova-image-image.json", "default")
        return volume

    monkeypatch.setattr(Pool, "create", create)
    declared = {
        "uri": cache.host.uri, "name": "late", "image": "image", "flavor": FLAVOR, "limits": LIMITS, "virt_type": "qemu",
        "power_state": "stopped", "graphics": {"type": "none"},
    }  # fmt: skip
    with patch_module_args(declared), pytest.raises(SystemExit):
        compute_instance.main()
    result = json.loads(capsys.readouterr().out)
    assert result["failed"]
    assert "Image image was removed or replaced while a disk of late was made on it" in result["msg"]
    assert cache.host.domains() == set()
    assert cache.host.volumes() == {cache.data["image"]}


def test_killed_anywhere_it_is_finished(cache: Cache, runs: Runs) -> None:
    """Wherever it is killed, what is in use is whole and published, and the next run ends with just that."""
    cache.publish("used")
    overlay = cache.overlay("disk", "used")
    held = cache.directory / "used"

    def begin() -> None:
        cache.publish("first", "second")

    died = []
    for call in runs.killed_everywhere("compute_image_cache", begin, uri=cache.host.uri, unused_for="0s"):
        died.append(call)
        assert "used" in cache.published()
        assert Path(cache.path("used")).read_bytes() == held.read_bytes()
        assert Path(overlay).exists()
        assert "warnings" not in cache.run("compute_image_cache", unused_for="0s")
        assert cache.host.volumes() == {"disk", cache.data["used"], "kilonova-image-used.json"}
    assert len(died) >= 5
    # With a note to be written, and one that is only half there.
    cache.publish("noted")
    for _call in runs.killed_everywhere("compute_image_cache", lambda: None, uri=cache.host.uri):
        assert cache.published() == {"used", "noted"}
    assert not cache.run("compute_image_cache")["changed"]
    assert cache.info()["noted"]["unused_since"]


def test_facts_count_what_images_take(cache: Cache) -> None:
    """Neither the scheduler nor a claim promises that room, and two names of the same data take it once."""
    before = cache.run("compute_facts")["ansible_facts"]["compute_node"]
    assert before["image_cache"] == {"images": 0, "size_gb": 0}
    cache.publish("image")
    cache.run("compute_image", name="again", src=str(cache.directory / "image"))
    node = cache.run("compute_facts")["ansible_facts"]["compute_node"]
    assert node["image_cache"] == {"images": 2, "size_gb": 1}
    assert (node["local_gb_used"], node["free_disk_gb"]) == (1, node["local_gb"] - 1)
    declared: dict[str, t.Any] = {
        "name": "large",
        "virt_type": "qemu",
        "power_state": "stopped",
        "graphics": {"type": "none"},
    }
    limits = {**LIMITS, "disk_allocation_ratio": 1.0}
    flavor = {**FLAVOR, "disk_gb": node["local_gb"]}
    result = cache.attempt("compute_instance", limits=limits, flavor=flavor, **declared)
    assert result.failed
    assert f"has {node['local_gb'] - 1} left: 1 of {node['local_gb']} promised" in result.message
    flavor = {**FLAVOR, "disk_gb": node["local_gb"] - 1}
    assert cache.run("compute_instance", check=True, limits=limits, flavor=flavor, **declared)["changed"]


def test_calls_grow_with_what_is_there_alone(cache: Cache) -> None:
    """One more image, volume or domain costs a call or two each, and no list call."""

    def calls() -> dict[str, int]:
        with Connection(cache.host.uri) as connection:
            list_images(connection, ImageInfoOptions())
            return dict(connection.calls)

    cache.publish("first")
    cache.define("user-0", cache.overlay("disk-0", "first"))
    one = calls()
    cache.publish("second")
    for number in range(1, 4):
        cache.define(f"user-{number}", cache.overlay(f"disk-{number}", "second"))
    more = calls()
    grown = {key: count - one[key] for key, count in more.items() if count != one[key]}
    # An image has two volumes, of which one is read; three domains have a volume each.
    assert grown == {"XMLDesc": 2 + 3 + 3, "download_volume": 1}
    assert {key: count for key, count in more.items() if key.startswith(("list", "getAll"))} == {
        "listAllStoragePools": 1,
        "listAllVolumes": 1,
        "listAllDomains": 2,
        "getAllDomainStats": 1,
    }
