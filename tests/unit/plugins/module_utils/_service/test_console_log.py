# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of reading a console's log, on libvirt's test driver; it keeps no data, so the bytes come from a table."""

from __future__ import annotations

import io
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.console_log import LogTail, read_log

NODE = "<node><pool type='dir'><name>default</name><target><path>/pool</path></target></pool></node>"
LOG = "/pool/web.console.log"
MUCH = 10_000


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own, which is gone with it."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


class Files:
    """What the pool's volumes hold."""

    def __init__(self, connection: Connection) -> None:
        """Put them into the host's one pool."""
        self._pool = find_pool(connection, "default")
        self._data: dict[str, bytes] = {}
        self._reading = io.BytesIO()

    def add(self, name: str, data: bytes) -> None:
        """Make a volume."""
        self._pool.create(name, len(data), "raw")
        self._data[name] = data

    def download(self, volume: t.Any, offset: int, length: int) -> None:
        """Begin to give a part of a volume; no length means the rest."""
        self._reading = io.BytesIO(self._data[volume.name()][offset : offset + length if length else None])

    def receive(self, size: int) -> bytes:
        """Give the next bytes."""
        return self._reading.read(size)


@pytest.fixture
def files(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Return what libvirt's streams give."""
    kept = Files(connection)
    monkeypatch.setattr(
        libvirt.virStorageVol,
        "download",
        lambda volume, unused_stream, offset, length, unused_flags: kept.download(volume, offset, length),
    )
    monkeypatch.setattr(libvirt.virStream, "recv", lambda unused_stream, size: kept.receive(size))
    monkeypatch.setattr(libvirt.virStream, "finish", lambda unused_stream: 0)
    return kept


def test_a_log_that_is_not_there_yet(connection: Connection) -> None:
    """It is empty, and nothing is missing."""
    assert read_log(connection, LOG, 5, MUCH) == LogTail((), False)


def test_the_last_lines(connection: Connection, files: Files) -> None:
    """As many as asked for, and whether there are more."""
    files.add("web.console.log", b"one\ntwo\nthree\n")
    assert read_log(connection, LOG, 2, MUCH) == LogTail(("two", "three"), True)
    assert read_log(connection, LOG, 3, MUCH) == LogTail(("one", "two", "three"), False)


def test_the_last_bytes(connection: Connection, files: Files) -> None:
    """The line that they begin in the middle of is left out."""
    files.add("web.console.log", b"one\ntwo\nthree\n")
    assert read_log(connection, LOG, 5, 8) == LogTail(("three",), True)


def test_rotated_logs_go_on_backwards(connection: Connection, files: Files) -> None:
    """A line that was rotated in its middle is whole again; a gap in the numbers ends it."""
    files.add("web.console.log", b"d\nfive\n")
    files.add("web.console.log.0", b"three\nfour an")
    files.add("web.console.log.1", b"one\ntwo\n")
    files.add("web.console.log.3", b"no\n")
    assert read_log(connection, LOG, 9, MUCH) == LogTail(("one", "two", "three", "four and", "five"), False)


@pytest.mark.parametrize(
    ("most_bytes", "lines", "is_cut"),
    [(3, ("b2",), True), (6, ("b2",), True), (8, ("b1", "b2"), True), (12, ("a1", "a2", "b1", "b2"), False)],
)
def test_bytes_are_counted_over_all_files(
    connection: Connection, files: Files, most_bytes: int, lines: tuple[str, ...], is_cut: bool
) -> None:
    """Also where they end just between two files."""
    files.add("web.console.log", b"b1\nb2\n")
    files.add("web.console.log.0", b"a1\na2\n")
    assert read_log(connection, LOG, 9, most_bytes) == LogTail(lines, is_cut)


def test_a_log_in_no_pool(connection: Connection) -> None:
    """It can't be read, and what would help is said."""
    with pytest.raises(
        SpecError, match=r"Option log: the log /var/log/web.log lies in no running storage pool"
    ) as caught:
        read_log(connection, "/var/log/web.log", 5, MUCH)
    assert "pool of type dir for /var/log" in caught.value.message
