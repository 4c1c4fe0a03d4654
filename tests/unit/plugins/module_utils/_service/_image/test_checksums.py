# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for looking a checksum up where it is published."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError
from ansible_collections.kilonova.compute.plugins.module_utils._service._image.checksums import resolve_checksum
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_checksum import Checksum, ChecksumFile
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_transport import Transport
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.faulty_server import (
    PASSWORD,
    USER,
    FaultyServer,
    authorization,
)

DIGEST = "1a" * 32
FOUND = Checksum("sha256", DIGEST)
LINE = f"{DIGEST}  a.qcow2\n".encode()


@pytest.fixture
def server() -> t.Iterator[FaultyServer]:
    """Return a server with a file of checksums."""
    running = FaultyServer({"SUMS": LINE})
    yield running
    running.close()


def spec(url: str, checksum_url: str) -> ImageSpec:
    """Return a declared image with its checksum in a file."""
    transport = Transport(10, 5, 2, USER, PASSWORD)
    return ImageSpec("a", url=url, checksum_file=ChecksumFile(checksum_url, "a.qcow2"), transport=transport)


def test_is_found(server: FaultyServer, tmp_path: Path) -> None:
    """On the web and in a file; without a file of checksums there is nothing to do."""
    server.faults["SUMS"] = ["503", "break"]
    found = resolve_checksum(spec(server.url("a.qcow2"), server.url("SUMS")))
    assert (found.checksum, found.checksum_file) == (FOUND, None)
    assert len(server.requests) == 3
    path = tmp_path / "my sums"
    path.write_bytes(LINE)
    assert resolve_checksum(spec(server.url("a"), f"file://{tmp_path}/my%20sums")).checksum == FOUND
    assert resolve_checksum(found) is found


def test_password_is_for_the_images_server(server: FaultyServer) -> None:
    """Another server that asks for one does not get it, nor the same one without TLS, where others could read it."""
    server.faults["SUMS"] = ["private"]
    resolve_checksum(spec(server.url("a.qcow2"), server.url("SUMS")))
    assert server.asked("Authorization") == [None, authorization(USER, PASSWORD)]
    for other in ("http://elsewhere/a.qcow2", server.url("a.qcow2").replace("http:", "https:")):
        server.faults["SUMS"] = ["private"]
        with pytest.raises(ImageError, match=r"Cannot fetch the checksums http://.*/SUMS: the server answered 401"):
            resolve_checksum(spec(other, server.url("SUMS")))


def test_what_is_no_file_of_checksums_is_refused(server: FaultyServer) -> None:
    """Too large, without the image, and not there; the query is not shown."""
    server.files["SUMS"] = bytes(5 * 1024**2)
    with pytest.raises(ImageError, match="/SUMS is too large"):
        resolve_checksum(spec("http://h/a", server.url("SUMS?secret=1")))
    server.files["SUMS"] = b"nothing"
    with pytest.raises(ImageError, match="/SUMS has no sha256"):
        resolve_checksum(spec("http://h/a", server.url("SUMS?secret=1")))
    with pytest.raises(ImageError, match="Cannot read the checksums /nowhere"):
        resolve_checksum(replace(spec("http://h/a", "file:///nowhere")))
