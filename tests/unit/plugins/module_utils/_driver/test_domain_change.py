# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of changes without a new definition, as far as libvirt's test driver knows them; the rest is in the lab's."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain_change as change
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain_change import Scope
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._xml import domain as domain_xml
from ansible_collections.kilonova.compute.plugins.module_utils._xml.record import render_record

LIVE = Scope(live=True, persistent=False)
PERSISTENT = Scope(live=False, persistent=True)
BOTH = Scope(live=True, persistent=True)
XML = """
<domain type='test'><name>web</name><memory>4096</memory><vcpu current='1'>2</vcpu><os><type>hvm</type></os></domain>
"""


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection."""
    with Connection("test:///default") as opened:
        yield opened


@pytest.fixture
def web(connection: Connection) -> t.Iterator[NamedHandle]:
    """Return a domain that runs."""
    handle = driver.define(connection, "web", XML)
    driver.start(connection, "web", handle)
    yield NamedHandle("web", handle)
    handle.destroy()
    driver.undefine(connection, "web", handle)


def definitions(web: NamedHandle) -> tuple[t.Any, t.Any]:
    """Return the running guest and the definition for its next boot."""
    inactive = libvirt.VIR_DOMAIN_XML_INACTIVE
    return domain_xml.read(web.handle.XMLDesc(0)), domain_xml.read(web.handle.XMLDesc(inactive))


def test_scopes() -> None:
    """They are libvirt's flags, and with none of them libvirt takes the current state."""
    assert Scope(live=False, persistent=False).flags == 0
    assert LIVE.flags | PERSISTENT.flags == BOTH.flags


def test_vcpus(connection: Connection, web: NamedHandle) -> None:
    """Each scope for itself, and the most for the next boot."""
    change.set_vcpus(connection, web, 2, LIVE)
    live, persistent = definitions(web)
    assert (live.current_vcpus, persistent.current_vcpus) == (2, 1)
    change.set_most_vcpus(connection, web, 3)
    change.set_vcpus(connection, web, 3, PERSISTENT)
    live, persistent = definitions(web)
    assert (live.vcpus, persistent.vcpus, persistent.current_vcpus) == (2, 3, 3)


def test_memory(connection: Connection, web: NamedHandle) -> None:
    """Each scope for itself, and the most for the next boot."""
    change.set_memory(connection, web, 2048, LIVE)
    live, persistent = definitions(web)
    assert (live.current_memory_kib, persistent.current_memory_kib) == (2048, 4096)
    change.set_most_memory(connection, web, 8192)
    live, persistent = definitions(web)
    assert (live.memory_kib, persistent.memory_kib) == (4096, 8192)


def test_record_and_title(connection: Connection, web: NamedHandle) -> None:
    """What is written is read back from both."""
    record = InstanceRecord(flavor="tiny", image="guest")
    change.set_record(connection, web, render_record(record), BOTH)
    change.set_title(connection, web, "The web server", BOTH)
    for machine in definitions(web):
        assert machine.record == record
        assert machine.title == "The web server"
    change.set_title(connection, web, None, BOTH)
    assert [machine.title for machine in definitions(web)] == [None, None]


def test_a_host_that_does_not_share_its_cpus_out_is_asked_once(connection: Connection, web: NamedHandle) -> None:
    """The test driver refuses the question as a host without control groups does."""
    assert not change.has_scheduler(connection, web)
    # There is nothing to ask any more.
    assert not change.has_scheduler(connection, NamedHandle("gone", None))
