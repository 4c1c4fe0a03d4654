# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for an upload to a daemon that may never answer."""

from __future__ import annotations

import io
import threading
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import sparse_upload
from ansible_collections.kilonova.compute.plugins.module_utils._driver.sparse_upload import upload_sparse

DATA = b"a" * 5000 + bytes(9000)


class Daemon:
    """A connection, its volume and its stream in one, which answers the end of the stream when it is let."""

    def __init__(self) -> None:
        """Answer at once."""
        self.answer = threading.Event()
        self.answer.set()
        self.asked: list[t.Any] = []
        self.content = io.BytesIO()
        self.error: Exception | None = None
        self.raw = self

    def __call__(self, uri: str) -> Daemon:
        """Be opened."""
        self.asked.append(uri)
        return self

    def __enter__(self) -> Daemon:
        """Give itself."""
        return self

    def __exit__(self, *unused: object) -> None:
        """Be closed."""

    def storageVolLookupByKey(self, key: str) -> Daemon:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Find the volume."""
        self.asked.append(key)
        return self

    def newStream(self, unused_flags: int) -> Daemon:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Open a stream."""
        return self

    def upload(self, unused_stream: t.Any, offset: int, length: int, unused_flags: int) -> None:
        """Begin."""
        self.asked.append((offset, length))

    def send(self, data: bytes) -> int:
        """Take bytes."""
        return self.content.write(data)

    def sendHole(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, length: int, unused_flags: int
    ) -> None:
        """Take a hole."""
        self.content.write(bytes(length))

    def finish(self) -> None:
        """Answer when it is time."""
        self.answer.wait(60)
        if self.error:
            raise self.error

    def abort(self) -> None:
        """Break off."""


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Daemon]:
    """Return a daemon that takes no time to be given up."""
    one = Daemon()
    monkeypatch.setattr(sparse_upload, "Connection", one)
    monkeypatch.setattr(sparse_upload, "STALL_SECONDS", 0.02)
    yield one
    one.answer.set()


def test_all_is_sent(daemon: Daemon) -> None:
    """Over a connection of its own, to the volume that was named."""
    assert upload_sparse("qemu:///x", "/pool/a", io.BytesIO(DATA), len(DATA), lambda: 0) == len(DATA)
    assert daemon.content.getvalue() == DATA
    assert daemon.asked == ["qemu:///x", "/pool/a", (0, len(DATA))]


def test_source_that_ends_is_told(daemon: Daemon) -> None:
    """By the number of bytes that there were."""
    assert upload_sparse("qemu:///x", "/pool/a", io.BytesIO(DATA), len(DATA) + 1, lambda: 0) == len(DATA)
    assert daemon.content.getvalue() == DATA


def test_daemon_that_never_answers_is_given_up(daemon: Daemon) -> None:
    """Once nothing moved twice in a row."""
    daemon.answer.clear()
    assert upload_sparse("qemu:///x", "/pool/a", io.BytesIO(DATA), len(DATA), lambda: 7) is None


def test_daemon_that_still_writes_is_waited_for(daemon: Daemon) -> None:
    """However long it is silent, as long as the volume grows."""
    daemon.answer.clear()
    looks: list[int] = []

    def written() -> int:
        looks.append(len(looks))
        if len(looks) == 6:
            daemon.answer.set()
        return len(looks)

    assert upload_sparse("qemu:///x", "/pool/a", io.BytesIO(DATA), len(DATA), written) == len(DATA)
    assert len(looks) >= 6


@pytest.mark.usefixtures("daemon")
def test_slow_source_is_waited_for() -> None:
    """It is not the daemon that stopped."""
    looks: list[int] = []

    class Slow(io.BytesIO):
        """Gives nothing for a while."""

        def read(self, size: int | None = -1, /) -> bytes:
            """Give bytes, late."""
            threading.Event().wait(0.3)
            return super().read(size)

    assert upload_sparse("qemu:///x", "/pool/a", Slow(DATA), len(DATA), lambda: looks.append(1)) == len(DATA)


@pytest.mark.parametrize("error", [ValueError("no room"), OSError(5, "broken")])
def test_error_is_raised_here(daemon: Daemon, error: Exception) -> None:
    """As if there were no thread."""
    daemon.error = error
    with pytest.raises(type(error), match=str(error.args[-1])):
        upload_sparse("qemu:///x", "/pool/a", io.BytesIO(DATA), len(DATA), lambda: 0)
