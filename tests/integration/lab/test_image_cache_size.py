# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image with a limit for all images of the pool: what is there before and after is read with virsh."""

from __future__ import annotations

import random
import threading
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, Result
from .image_servers import ImageServer
from .killing import BRIEFLY, Runs
from .test_image import MIB, data_volume, image, made, qcow2, record_volume
from .test_image_cache import Cache

LIMIT = "3500K"
"""Room for three images of 1 MiB each, and not for four."""


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return runs of the modules in processes that take no time to start."""
    with Runs("compute_image", "compute_image_cache", "compute_image_info", constants=BRIEFLY) as loaded:
        yield loaded


@pytest.fixture
def cache(hypervisor: Hypervisor, runs: Runs, tmp_path: Path) -> Cache:
    """Return a cache with the images old, older and used, each 1 MiB."""
    found = Cache(hypervisor, runs, tmp_path)
    found.publish("old", "older", "used")
    found.overlay("disk", "used")
    found.run("compute_image_cache")
    for name, year in (("old", 2021), ("older", 2020)):
        found.note(name, f"{year}-01-01T00:00:00Z")
    return found


@pytest.fixture
def server() -> t.Iterator[ImageServer]:
    """Return a server of images that counts requests."""
    running = ImageServer()
    yield running
    running.close()


def source(cache: Cache, name: str) -> str:
    """Return the path of a new image's file."""
    path = cache.directory / name
    path.write_bytes(random.Random(name).randbytes(MIB))
    cache.data[name] = data_volume(path.read_bytes(), "raw")
    return str(path)


def test_the_longest_unused_goes(cache: Cache, lab: list[Hypervisor]) -> None:
    """Check mode foretells it where the size is known; what is in use, and to be kept, stays; a second run does nothing."""
    other = lab[1]
    other.clear()
    path = source(cache, "new")
    made(image(other, "new", src=path))
    declared: dict[str, t.Any] = {
        "name": "new",
        "source_host": {"uri": other.uri},
        "cache_max_size": LIMIT,
        "cache_keep": ["older"],
    }
    before = cache.host.volumes()
    foretold = cache.run("compute_image", check=True, **declared)
    assert cache.host.volumes() == before
    done = cache.run("compute_image", **declared)
    assert done["actions"] == foretold["actions"]
    assert done["actions"][1:] == ["unpublish_image old", f"remove_volume {cache.data['old']}", "publish_image new"]
    assert "image_cache.old.volume" in str(done["changes"])
    assert cache.published() == {"older", "used", "new"}
    assert not cache.run("compute_image", **declared)["changed"]
    other.clear()

    # What replaces an image of the same name needs no room beside it, and the same data under two names takes it once.
    source(cache, "newer")
    replaced = cache.run("compute_image", name="new", src=str(cache.directory / "newer"), cache_max_size=LIMIT)
    assert replaced["actions"][1:] == [
        "publish_image new",
        f"remove_volume {data_volume(Path(path).read_bytes(), 'raw')}",
    ]
    twice = cache.run("compute_image", name="twice", src=str(cache.directory / "newer"), cache_max_size=LIMIT)
    assert twice["actions"][1:] == ["publish_image twice"]
    assert {"older", "used", "newer"} <= {name for name, data in cache.data.items() if data in cache.host.volumes()}


def test_no_room(cache: Cache, server: ImageServer, tmp_path: Path) -> None:
    """It is refused with who takes the room, before the server sends a byte of it; nothing that is there goes."""
    server.files["a.qcow2"] = qcow2(tmp_path / "a.qcow2", 1)
    before = cache.host.volumes()
    server.gate.clear()
    declared: dict[str, t.Any] = {"name": "a", "cache_max_size": "1500K", "timeout": 30, "retries": 0}
    # With the first byte it is known to be qcow2, and so how much room it takes.
    head = server.files["a.qcow2"]
    refused = cache.attempt(
        "compute_image", check=True, url=server.url("a.qcow2"), **{**declared, "cache_max_size": "1M"}
    )
    assert refused.failed
    assert "used (in use by volume disk of pool default)" in refused.message
    assert server.requests == []
    server.gate.set()
    refused = cache.attempt("compute_image", url=server.url("a.qcow2"), **declared)
    assert refused.failed
    assert refused.message.startswith("Option cache_max_size: all images of pool default may take 1500 KiB, of which")
    assert f"needs up to {len(head)} bytes" in refused.message
    assert cache.host.volumes() == before
    # Of raw data it is known only when it is here.
    refused = cache.attempt("compute_image", src=source(cache, "b"), **declared)
    assert f"needs up to {MIB} bytes" in refused.message
    assert cache.host.volumes() == before
    # What can't be looked into may lie on any of them.
    cache.host.virsh("pool-define-as", "elsewhere", "dir", "--target", str(tmp_path))
    refused = cache.attempt("compute_image", **{**declared, "src": source(cache, "b"), "cache_max_size": LIMIT})
    cache.host.virsh("pool-undefine", "elsewhere")
    assert "older (perhaps in use by storage pool elsewhere, which is not running)" in refused.message
    assert cache.host.volumes() == before


def test_two_at_once(cache: Cache) -> None:
    """Two runs do not take the same room: each makes its own, and the limit holds."""
    results: list[Result] = []

    def publish(name: str) -> None:
        results.append(image(cache.host, name, src=str(cache.directory / name), cache_max_size=LIMIT))

    threads = []
    for name in ("first", "second"):
        source(cache, name)
        threads.append(threading.Thread(target=publish, args=(name,)))
        threads[-1].start()
    for thread in threads:
        thread.join(600)
    assert [made(result).changed for result in results] == [True, True]
    assert cache.published() == {"first", "second", "used"}


def test_killed_anywhere_it_is_finished(cache: Cache, runs: Runs) -> None:
    """Wherever it is killed, what is there is whole, and the next run ends with just what has room."""
    path = source(cache, "new")
    declared: dict[str, t.Any] = {"name": "new", "src": path, "cache_max_size": LIMIT}
    cache.run("compute_image", name="old", state="absent")

    def begin() -> None:
        cache.run("compute_image", name="new", state="absent")
        cache.publish("older", "old")

    for _call in runs.killed_everywhere("compute_image", begin, uri=cache.host.uri, **declared):
        assert "used" in cache.published()
        cache.run("compute_image", **declared)
        assert {"used", "new"} <= cache.published()
        assert len(cache.published()) <= 3
        left = {volume for volume in cache.host.volumes() if volume.startswith("kilonova-sha256-")}
        assert left == {cache.data[name] for name in cache.published()}
    assert record_volume("new") in cache.host.volumes()
