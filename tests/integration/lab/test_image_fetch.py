# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""compute_image from a server that does wrong: what is in the pool is whole, or there is nothing."""

from __future__ import annotations

import gzip
import json
import lzma
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils import disk_images
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.faulty_server import (
    PASSWORD,
    USER,
    FaultyServer,
)

from .conftest import Hypervisor, Result, run_module
from .test_image import content_of, data_volume, made, record_volume, sha256


@pytest.fixture
def server() -> t.Iterator[FaultyServer]:
    """Return a server with an image and its tag."""
    running = FaultyServer({"a.qcow2": disk_images.qcow2()}, tags={"a.qcow2": '"one"'})
    yield running
    running.close()


def image(host: Hypervisor, **options: t.Any) -> Result:
    """Run compute_image."""
    return run_module("compute_image", uri=host.uri, name="fetched", **options)


def test_bears_a_bad_line(hypervisor: Hypervisor, server: FaultyServer, tmp_path: Path) -> None:
    """A break, an overloaded server and a stall: what comes in the end is the image, and only the rest is fetched."""
    server.faults["a.qcow2"] = ["break", "503", "stall"]
    checksum = sha256(disk_images.qcow2())
    made(image(hypervisor, url=server.url("a.qcow2"), checksum=checksum, stall_timeout=2))
    assert content_of(hypervisor, data_volume(disk_images.qcow2()), tmp_path / "out") == disk_images.qcow2()
    assert None not in server.asked("Range")[1:]


@pytest.mark.parametrize("fault", ["longer", "500", "break"])
def test_leaves_nothing_of_what_never_comes(hypervisor: Hypervisor, server: FaultyServer, fault: str) -> None:
    """With retries over, the pool is as it was."""
    server.tags.clear()
    server.faults["a.qcow2"] = [fault] * 9
    result = image(hypervisor, url=server.url("a.qcow2"), retries=1)
    assert result.failed
    assert "(2 times in a row)" in result.message
    assert hypervisor.volumes() == set()


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, "gz"), (lzma.compress, "xz")])
def test_is_unpacked_and_looked_up(
    hypervisor: Hypervisor, server: FaultyServer, tmp_path: Path, pack: t.Callable[[bytes], bytes], ending: str
) -> None:
    """The checksum is found by name, and is of what was packed; the next run asks for it alone."""
    name, packed = f"a.qcow2.{ending}", pack(disk_images.qcow2())
    server.files[name] = packed
    server.files["SHA256SUMS"] = f"{sha256(packed)[7:]}  {name}\n{sha256(b'')[7:]}  a.qcow2\n".encode()
    declared: dict[str, t.Any] = {"url": server.url(name), "checksum": server.url("SHA256SUMS")}
    foretold = made(run_module("compute_image", check=True, uri=hypervisor.uri, name="fetched", **declared))
    published = made(image(hypervisor, **declared))
    assert published.data["changes"] == foretold.data["changes"]
    assert published.data["image"]["source_digest"] == sha256(packed)
    assert published.data["image"]["digest"] == sha256(disk_images.qcow2())
    assert hypervisor.volumes() == {record_volume("fetched"), data_volume(disk_images.qcow2())}
    assert content_of(hypervisor, data_volume(disk_images.qcow2()), tmp_path / "out") == disk_images.qcow2()
    before = len(server.requests)
    assert not made(image(hypervisor, **declared)).changed
    assert [request.path for request in server.requests[before:]] == ["/SHA256SUMS"]

    source = tmp_path / name
    source.write_bytes(packed)
    assert made(image(hypervisor, src=str(source))).data["image"]["source_digest"] == sha256(packed)


def test_secrets_stay_secret(hypervisor: Hypervisor, server: FaultyServer, tmp_path: Path) -> None:
    """User and password as options, and those of a proxy, appear nowhere."""
    server.faults["a.qcow2"] = ["private"]
    proxy = server.url("").replace("http://", "http://me:proxy-secret@")
    published = made(image(hypervisor, url="http://h/a.qcow2", username=USER, password=PASSWORD, proxy=proxy))
    record = content_of(hypervisor, record_volume("fetched"), tmp_path / "record").decode("utf-8")
    refused = image(hypervisor, url="http://h/none", username=USER, password=PASSWORD, proxy=proxy)
    assert "404" in refused.message
    for text in (json.dumps(published.data), json.dumps(refused.data), record):
        assert PASSWORD not in text
        assert "proxy-secret" not in text
