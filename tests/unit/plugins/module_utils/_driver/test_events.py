# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of watching a domain, on libvirt's test driver."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.events import (
    AGENT,
    DEVICE_REMOVED,
    LIFECYCLE,
    REBOOT,
    Event,
    Watcher,
    _detail,
    enable_events,
    watch,
)
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError

PATIENCE_SECONDS = 60.0
NEVER_SECONDS = 3600.0
DOMAIN = "<domain type='test'><name>{}</name><memory>2048</memory><os><type>hvm</type></os></domain>"


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection with events to a host of its own: it may live on as long as somebody listens."""
    enable_events()
    enable_events()
    node = tmp_path / "node.xml"
    node.write_text("<node/>")
    with Connection(f"test://{node}") as opened:
        yield opened


@pytest.fixture
def handle(connection: Connection) -> t.Iterator[t.Any]:
    """Return a running domain."""
    domain = connection.raw.createXML(DOMAIN.format("watched"), 0)
    yield domain
    with contextlib.suppress(libvirt.libvirtError):
        domain.destroy()


def test_an_event_wakes_who_waits(connection: Connection, handle: t.Any) -> None:
    """Polling would come too late; other domains' events are not seen, and none after the end."""
    other = connection.raw.createXML(DOMAIN.format("other"), 0)
    with watch(connection, handle) as watcher:
        other.destroy()
        later = threading.Timer(0.2, handle.suspend)
        later.start()
        suspended = watcher.wait_until(lambda: handle.state()[0] == 3, PATIENCE_SECONDS, poll=NEVER_SECONDS)
        later.join()
        assert suspended
        assert watcher.wait_until(lambda: watcher.saw(LIFECYCLE), PATIENCE_SECONDS)
    handle.resume()
    assert watcher.events == (Event(LIFECYCLE, "suspended"),)
    assert watcher.saw(LIFECYCLE, "suspended")
    assert not watcher.saw(LIFECYCLE, "stopped")
    assert not watcher.saw(REBOOT)


def test_many_threads_watch_on_one_connection(connection: Connection) -> None:
    """Each sees its own domain stop."""
    domains = [connection.raw.createXML(DOMAIN.format(f"d{number}"), 0) for number in range(8)]
    seen: dict[int, tuple[Event, ...]] = {}
    ready = threading.Barrier(len(domains) + 1)

    def wait_for(number: int) -> None:
        with watch(connection, domains[number]) as watcher:
            ready.wait(PATIENCE_SECONDS)
            watcher.wait_until(lambda: watcher.saw(LIFECYCLE, "stopped"), PATIENCE_SECONDS, poll=NEVER_SECONDS)
            seen[number] = watcher.events

    threads = [threading.Thread(target=wait_for, args=(number,)) for number in range(len(domains))]
    for thread in threads:
        thread.start()
    ready.wait(PATIENCE_SECONDS)
    for domain in domains:
        domain.destroy()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert seen == {number: (Event(LIFECYCLE, "stopped"),) for number in range(len(domains))}


def test_a_connection_that_closes_ends_the_wait(connection: Connection, handle: t.Any) -> None:
    """Whoever waits gets the error of what it asks next, and the end of its watch is quiet."""
    errors: list[Exception] = []
    waiting = threading.Event()

    def alive() -> bool:
        waiting.set()
        return bool(connection.call("read the host's name", connection.raw.getHostname) == "")

    def wait() -> None:
        try:
            with watch(connection, handle) as watcher:
                watcher.wait_until(alive, PATIENCE_SECONDS, poll=0.01)
        except DriverError as exc:
            errors.append(exc)

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(PATIENCE_SECONDS)
    handle.destroy()
    connection.raw.close()
    thread.join(PATIENCE_SECONDS)
    assert len(errors) == 1


def test_polling_does_without_events() -> None:
    """The condition is asked again and again."""
    answers = iter([False, False, True])
    assert Watcher().wait_until(lambda: next(answers), PATIENCE_SECONDS, poll=0.01)


def test_the_wait_ends_in_time() -> None:
    """At least one question is asked, and one more when the time is over."""
    asked: list[str] = []

    def never() -> bool:
        asked.append("again")
        return False

    assert not Watcher().wait_until(never, 0)
    assert len(asked) == 1
    assert not Watcher().wait_until(never, 0.01, poll=NEVER_SECONDS)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("kind", "arguments", "detail"),
    [
        (LIFECYCLE, (5, 1, None), "stopped"),
        (LIFECYCLE, (99, 0, None), "99"),
        (AGENT, (1, 0, None), "connected"),
        (DEVICE_REMOVED, ("net0", None), "net0"),
        (REBOOT, (None,), ""),
    ],
)
def test_events_have_words(kind: str, arguments: tuple[t.Any, ...], detail: str) -> None:
    """Numbers that this version does not know are kept as they are."""
    assert _detail(kind, arguments) == detail
