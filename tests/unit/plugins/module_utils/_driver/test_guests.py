# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of reading one guest, some guests and their usage, on libvirt's test driver."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import (
    autostarted,
    find_guest,
    read_guests,
)
from ansible_collections.kilonova.compute.plugins.module_utils._driver.usage import Usage

NODE = """
<node>
  <domain type='test'><name>test</name><memory>2048</memory><os><type>hvm</type></os></domain>
  <domain type='test'><name>other</name><memory>2048</memory><os><type>hvm</type></os></domain>
</node>
"""


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own, with one guest that runs and one that is off."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        opened.raw.lookupByName("other").destroy()
        yield opened


def test_only_those_asked_for_are_read(connection: Connection) -> None:
    """Each definition costs a call."""
    found = read_guests(connection, {"other", "nobody"})
    assert [guest.name for guest in found] == ["other"]
    assert connection.calls["XMLDesc"] == 1
    assert read_guests(connection, ()) == []


def test_usage_costs_no_call(connection: Connection) -> None:
    """It comes with the list, and only when asked for."""
    assert {guest.usage for guest in read_guests(connection)} == {None}
    before = dict(connection.calls)
    assert {guest.usage for guest in read_guests(connection, usage=True)} == {Usage()}
    assert connection.calls == {name: 2 * count for name, count in before.items()}


def test_one_guest_needs_no_list(connection: Connection) -> None:
    """It is looked up, with its state."""
    found = find_guest(connection, "other")
    assert found is not None
    assert (found.name, found.state, found.is_active) == ("other", "shutoff", False)
    assert not {name for name in connection.calls if name.startswith(("list", "getAll"))}
    running = find_guest(connection, "test")
    assert running is not None
    assert running.is_active


def test_one_guest_with_saved_memory(connection: Connection) -> None:
    """It is off, and known to be saved."""
    connection.raw.lookupByName("test").managedSave()
    found = find_guest(connection, "test")
    assert found is not None
    assert (found.state, found.has_saved_memory) == ("shutoff", True)


def test_a_guest_that_is_not_there(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither before it is looked up nor after."""
    assert find_guest(connection, "nobody") is None
    read = libvirt.virDomain.XMLDesc

    def vanish(self: t.Any, flags: int = 0) -> str:
        if self.name() == "other":
            self.undefine()
        return read(self, flags)

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", vanish)
    assert find_guest(connection, "other") is None


def test_what_starts_with_the_host(connection: Connection) -> None:
    """One list call for all."""
    connection.raw.lookupByName("other").setAutostart(1)
    assert autostarted(connection) == frozenset({connection.raw.lookupByName("other").UUIDString()})
    assert connection.calls == {"listAllDomains": 1}
