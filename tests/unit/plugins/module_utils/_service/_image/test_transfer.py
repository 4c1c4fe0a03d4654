# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for getting something from the web, with a real server that does all kinds of things wrong."""

from __future__ import annotations

import hashlib
import random
import time
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ImageError
from ansible_collections.kilonova.compute.plugins.module_utils._service._image.transfer import Transfer
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_transport import Transport
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.faulty_server import (
    PASSWORD,
    USER,
    FaultyServer,
    authorization,
)

CONTENT = random.Random(1).randbytes(2 * 1024**2)
SHORT = Transport(timeout=60, stall_timeout=1, retries=2)


class Sink:
    """Keeps what comes."""

    def __init__(self) -> None:
        """Begin empty."""
        self.content = bytearray()
        self.restarts = 0

    @property
    def received(self) -> int:
        """Return how much came."""
        return len(self.content)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.content += chunk

    def restart(self) -> None:
        """Forget what came."""
        self.content.clear()
        self.restarts += 1


@pytest.fixture
def server() -> t.Iterator[FaultyServer]:
    """Return a server with one file and its tag."""
    running = FaultyServer({"a": CONTENT}, tags={"a": '"one"'})
    yield running
    running.close()


def fetched(server: FaultyServer, transport: Transport = SHORT, url: str = "") -> Sink:
    """Fetch the file."""
    sink = Sink()
    Transfer(url or server.url("a"), transport, sink, "the image").run()
    assert hashlib.sha256(sink.content).digest() == hashlib.sha256(CONTENT).digest()
    return sink


def refusal(server: FaultyServer, transport: Transport = SHORT, url: str = "") -> str:
    """Return why fetching failed."""
    with pytest.raises(ImageError) as caught:
        Transfer(url or server.url("a"), transport, Sink(), "the image").run()
    assert caught.value.message.startswith("Cannot fetch the image http://127.0.0.1:")
    assert caught.value.message.endswith(".")
    return caught.value.message


def test_one_request_is_enough(server: FaultyServer) -> None:
    """When nothing goes wrong, nothing is asked twice."""
    fetched(server)
    assert len(server.requests) == 1
    assert server.asked("Range") == [None]


def test_goes_on_where_it_broke_off(server: FaultyServer) -> None:
    """What came is not fetched again, as long as it is the same content."""
    server.faults["a"] = ["break", "503", "break"]
    assert fetched(server).restarts == 0
    half = len(CONTENT) // 2
    assert server.asked("Range") == [None, f"bytes={half}-", f"bytes={half}-", f"bytes={half + half // 2}-"]
    assert server.asked("If-Range")[1:] == ['"one"'] * 3


def test_goes_on_after_silence(server: FaultyServer) -> None:
    """A server that sends nothing any more is left, and asked for the rest."""
    server.faults["a"] = ["stall"]
    fetched(server)
    assert server.asked("Range") == [None, f"bytes={len(CONTENT) // 2}-"]


def test_breaks_that_get_further_do_not_count(server: FaultyServer) -> None:
    """Of a line that breaks often, only failures in a row are counted."""
    server.faults["a"] = ["break"] * 5
    fetched(server, replace(SHORT, retries=1))


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_begins_anew_without_a_tag(server: FaultyServer, tag: str) -> None:
    """What can't be told apart from other content is not put together from pieces."""
    server.tags["a"] = tag
    server.faults["a"] = ["break"]
    assert fetched(server).restarts == 1
    assert server.asked("Range") == [None, None]


def test_begins_anew_with_other_content(server: FaultyServer) -> None:
    """A file that was replaced meanwhile is fetched from its beginning, though it was asked for the rest."""
    sink = Sink()
    server.files["a"] = bytes(len(CONTENT))
    server.faults["a"] = ["break"]

    class Replacing(Sink):
        """Replaces the file as soon as something of the old came."""

        def update(self, chunk: bytes) -> None:
            """Take the next bytes."""
            super().update(chunk)
            server.files["a"], server.tags["a"] = CONTENT, '"two"'

    sink = Replacing()
    Transfer(server.url("a"), SHORT, sink, "the image").run()
    assert sink.content == CONTENT
    assert sink.restarts == 1
    assert server.asked("If-Range") == [None, '"one"']


@pytest.mark.parametrize("fault", ["416", "other-part"])
def test_begins_anew_when_the_server_has_another_part(server: FaultyServer, fault: str) -> None:
    """Nothing is put together of what does not fit."""
    server.faults["a"] = ["break", fault]
    assert fetched(server).restarts == 1


@pytest.mark.parametrize("status", ["404", "403", "410"])
def test_final_answers_are_believed(server: FaultyServer, status: str) -> None:
    """What will not change is not asked again."""
    server.faults["a"] = [status] * 9
    assert f"the server answered {status}" in refusal(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("500", "the server answered 500"),
        ("longer", f"the body broke off after {len(CONTENT)} of {len(CONTENT) + 100} bytes"),
        ("break", "the body broke off after"),
        ("stall", "the server was silent for too long"),
    ],
)
def test_gives_up(server: FaultyServer, fault: str, words: str) -> None:
    """After as many times in a row as was allowed."""
    server.tags["a"] = ""
    server.faults["a"] = [fault] * 9
    message = refusal(server, replace(SHORT, retries=1))
    assert words in message
    assert message.endswith("(2 times in a row).")
    assert len(server.requests) == 2


def test_time_is_limited(server: FaultyServer) -> None:
    """All of it together takes no longer than it may, whatever is left to be tried."""
    server.faults["a"] = ["500"] * 99
    begun = time.monotonic()
    refusal(server, replace(SHORT, timeout=2, retries=50))
    assert time.monotonic() - begun < 60


def test_redirects_are_followed(server: FaultyServer) -> None:
    """Also when going on; a password is for the first host and goes to no other."""
    other = FaultyServer({"b": CONTENT}, tags={"b": '"b"'}, faults={"b": ["break"]})
    server.faults["a"] = [other.url("b").replace("127.0.0.1", "localhost")] * 2
    fetched(server, replace(SHORT, username=USER, password=PASSWORD))
    assert other.asked("Range") == [None, f"bytes={len(CONTENT) // 2}-"]
    assert other.asked("Authorization") == [None, None]
    other.close()


def test_password_is_given_when_asked(server: FaultyServer) -> None:
    """And not before."""
    server.faults["a"] = ["private"]
    fetched(server, replace(SHORT, username=USER, password=PASSWORD))
    assert server.asked("Authorization") == [None, authorization(USER, PASSWORD)]


def test_proxy_is_used(server: FaultyServer) -> None:
    """The proxy is asked for the whole URL, and given its own password."""
    server.files["b"] = CONTENT
    proxy = server.url("").replace("http://", f"http://{USER}:{PASSWORD}@")
    fetched(server, replace(SHORT, proxy=proxy), "http://images.example.com/b")
    assert [request.path for request in server.requests] == ["http://images.example.com/b"]
    assert server.asked("Proxy-Authorization") == [authorization(USER, PASSWORD)]


def test_full_disk_is_final(server: FaultyServer) -> None:
    """Where there is no room, trying again makes none."""

    class Full(Sink):
        """Takes nothing."""

        def update(self, chunk: bytes) -> None:
            """Refuse the next bytes."""
            raise OSError(28, "No space left on device")

    with pytest.raises(ImageError, match="it can't be stored: No space left"):
        Transfer(server.url("a"), SHORT, Full(), "the image").run()
    assert len(server.requests) == 1


def test_missing_certificates_are_named(server: FaultyServer) -> None:
    """A file of certificates that is not there is told at once."""
    transport = replace(SHORT, ca_path="/nowhere/ca.pem")
    with pytest.raises(ImageError, match=r"ca\.pem|No such file"):
        Transfer(server.url("a").replace("http:", "https:"), transport, Sink(), "the image").run()
