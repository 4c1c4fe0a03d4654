# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of pictures of a screen, on libvirt's test driver, which always gives the same one."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import screen
from ansible_collections.kilonova.compute.plugins.module_utils._driver.capabilities import once
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError

NODE = "<node><domain type='test'><name>test</name><memory>2048</memory><os><type>hvm</type></os></domain></node>"


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own, with one running guest."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


def take(connection: Connection) -> bytes | None:
    """Take a picture of the test driver's guest."""
    return screen.screenshot(connection, "test", connection.raw.lookupByName("test"))


def test_a_whole_picture(connection: Connection) -> None:
    """From its first to its last byte, and again."""
    first, second = take(connection), take(connection)
    assert first is not None
    assert first.startswith(b"\x89PNG\r\n")
    assert first.endswith(b"IEND\xaeB`\x82")
    assert first == second


def test_no_picture_is_too_large(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest chooses its size, so there is a limit, and the connection goes on working."""
    monkeypatch.setattr(screen, "PICTURE_LIMIT_BYTES", 100)
    with pytest.raises(DriverError, match="screenshot of test: the picture is larger than 100 bytes"):
        take(connection)
    monkeypatch.undo()
    assert take(connection)


def test_a_driver_without_pictures(connection: Connection) -> None:
    """As LXC's is."""
    once(connection, ("lacks", "take_screenshot"), lambda: [False])[0] = True
    assert take(connection) is None
