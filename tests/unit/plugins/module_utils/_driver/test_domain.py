# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is done to domains, on libvirt's test driver."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError, UnsupportedError

XML = "<domain type='test'><name>web</name><memory>2048</memory><os><type>hvm</type></os></domain>"


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection of its own node."""
    with Connection("test:///default") as opened:
        yield opened


@pytest.fixture
def web(connection: Connection) -> t.Iterator[NamedHandle]:
    """Return a domain that is off."""
    handle = driver.define(connection, "web", XML)
    domain = NamedHandle("web", handle)
    yield domain
    if handle.isActive():
        handle.destroy()
    driver.undefine(connection, "web", handle)


def test_a_guest_is_paused_and_goes_on(connection: Connection, web: NamedHandle) -> None:
    """With its CPUs held it still is a guest."""
    driver.start(connection, web.name, web.handle)
    driver.pause(connection, web)
    assert driver.state_of(connection, web) == "paused"
    assert driver.is_active(connection, web)
    driver.resume(connection, web.name, web.handle)
    assert driver.state_of(connection, web) == "running"


def test_memory_is_saved_and_forgotten(connection: Connection, web: NamedHandle) -> None:
    """The guest is off meanwhile."""
    driver.start(connection, web.name, web.handle)
    assert not driver.has_saved_memory(connection, web)
    driver.save(connection, web)
    assert not driver.is_active(connection, web)
    assert driver.has_saved_memory(connection, web)
    driver.drop_saved_memory(connection, web)
    assert not driver.has_saved_memory(connection, web)


def test_saved_memory_that_cannot_be_read_tells_nothing(connection: Connection, web: NamedHandle) -> None:
    """Be it that the hypervisor can't, or that there is none."""
    assert driver.saved_xml(connection, web) is None


def test_runs_of_a_guest_have_numbers(connection: Connection, web: NamedHandle) -> None:
    """The number is asked anew, since a handle keeps the one it was made with."""
    assert driver.guest_number(connection, web) is None
    driver.start(connection, web.name, web.handle)
    first = driver.guest_number(connection, web)
    driver.power_off(connection, web)
    assert driver.guest_number(connection, web) is None
    driver.start(connection, web.name, web.handle)
    assert driver.guest_number(connection, web) not in (None, first)


def test_power_off_is_done_once(connection: Connection, web: NamedHandle) -> None:
    """A guest that is off already is fine; asking one that is off to shut down is no error either."""
    driver.power_off(connection, web)
    driver.request_shutdown(connection, web)
    driver.start(connection, web.name, web.handle)
    driver.power_off(connection, web)
    assert not driver.is_running(connection, web.name, web.handle)


def test_reset_and_reboot_want_a_guest(connection: Connection, web: NamedHandle) -> None:
    """The driver says so itself."""
    for press in (driver.reset, driver.reboot):
        with pytest.raises(DriverError, match="web"):
            press(connection, web)
    driver.start(connection, web.name, web.handle)
    driver.reset(connection, web)
    driver.reboot(connection, web)
    with pytest.raises(UnsupportedError, match=r"^Cannot wake web"):
        driver.wake(connection, web)


def test_a_definition_that_is_defined_again_keeps_its_secrets(connection: Connection, web: NamedHandle) -> None:
    """Without them, a console would lose its password."""
    secret = "<devices><graphics type='vnc' port='-1' passwd='s3cret'/></devices></domain>"
    uuid = f"</name><uuid>{web.handle.UUIDString()}</uuid>"
    driver.define(connection, web.name, XML.replace("</domain>", secret).replace("</name>", uuid))
    assert "s3cret" not in driver.live_xml(connection, web)
    whole = driver.whole_definition(connection, web)
    assert "s3cret" in whole
    driver.define(connection, web.name, whole)
    assert driver.whole_definition(connection, web) == whole


def test_snapshots_are_seen(connection: Connection, web: NamedHandle) -> None:
    """Any of them."""
    assert not driver.has_snapshots(connection, web)
    snapshot = web.handle.snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>", 0)
    assert driver.has_snapshots(connection, web)
    snapshot.delete(0)


def test_what_a_driver_cannot_say_of_power_off_is_left(connection: Connection, web: NamedHandle) -> None:
    """The test driver knows no such thing, which is no error."""
    driver.start(connection, web.name, web.handle)
    driver.set_power_off_action(connection, web, restart=False)


def test_a_guest_that_is_gone_has_no_number(connection: Connection) -> None:
    """A transient one goes with its run."""
    handle = connection.raw.createXML(XML.replace("web", "gone"), 0)
    gone = NamedHandle("gone", handle)
    assert driver.guest_number(connection, gone) is not None
    handle.destroy()
    assert driver.guest_number(connection, gone) is None


def test_autostart(connection: Connection, web: NamedHandle) -> None:
    """It is set and taken back."""
    assert not driver.is_autostarted(connection, web)
    driver.set_autostart(connection, web, True)
    assert driver.is_autostarted(connection, web)
    driver.set_autostart(connection, web, False)
    assert not driver.is_autostarted(connection, web)
