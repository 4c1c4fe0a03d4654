# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the power verbs on libvirt's test driver, whose guests do at once what they are asked to."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._driver.events import LIFECYCLE, enable_events, watch
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    ConflictError,
    DriverError,
    WaitTimeoutError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service import power

DOMAIN = """
<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
  <name>{}</name><memory>2048</memory><os><type>hvm</type></os><devices>{}</devices>{}
</domain>
"""
AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
LENT = """
<hostdev mode='subsystem' type='pci' managed='yes'>
  <source><address domain='0' bus='0x3b' slot='0' function='1'/></source>
</hostdev>
"""
STATES = {"running": 1, "paused": 3, "crashed": 6, "pmsuspended": 7, "shutoff": 5}


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a node with a domain in each state, called by it."""
    domains = "".join(
        DOMAIN.format(name, "", f"<test:runstate>{number}</test:runstate>") for name, number in STATES.items()
    )
    file = tmp_path / "node.xml"
    file.write_text(f"<node>{domains}{DOMAIN.format('lent', LENT, '')}{DOMAIN.format('heard', AGENT, '')}</node>")
    enable_events()
    with Connection(f"test://{file}") as opened:
        yield opened


def named(connection: Connection, name: str) -> NamedHandle:
    """Return a domain of the node."""
    return NamedHandle(name, connection.raw.lookupByName(name))


Verb = t.Callable[[Connection, NamedHandle], None]


def stop(connection: Connection, domain: NamedHandle) -> None:
    """Stop without force."""
    power.stop(connection, domain, 5, force=False)


@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        (power.start, "shutoff", "running"),
        (power.start, "running", "running"),
        (power.start, "paused", "running"),
        (power.resume, "paused", "running"),
        (power.resume, "running", "running"),
        (power.pause, "running", "paused"),
        (power.pause, "paused", "paused"),
        (power.suspend, "running", "shutoff"),
        (power.suspend, "paused", "shutoff"),
        (stop, "running", "shutoff"),
        (stop, "paused", "shutoff"),
        (stop, "shutoff", "shutoff"),
        (power.hard_reboot, "running", "running"),
        (power.hard_reboot, "paused", "running"),
        (power.hard_reboot, "shutoff", "running"),
        (power.reset, "running", "running"),
        (power.reset, "paused", "running"),
    ],
)
def test_each_verb_ends_in_the_state_it_names(connection: Connection, verb: Verb, before: str, after: str) -> None:
    """From every state it makes sense in; already there is fine."""
    domain = named(connection, before)
    assert driver.state_of(connection, domain) == before
    verb(connection, domain)
    assert driver.state_of(connection, domain) == after


@pytest.mark.parametrize("verb", [power.start, power.resume, power.pause, power.suspend, power.reset])
def test_a_crash_that_is_kept_is_left_alone(connection: Connection, verb: Verb) -> None:
    """Only the user's force ends what is there to be looked at."""
    domain = named(connection, "crashed")
    with pytest.raises(ConflictError, match=r"crashed.*force: true"):
        verb(connection, domain)
    with pytest.raises(WaitTimeoutError, match="still crashed"):
        power.stop(connection, domain, 3600, force=False)
    assert driver.state_of(connection, domain) == "crashed"


@pytest.mark.parametrize("verb", [power.resume, power.suspend, power.reset])
def test_what_needs_a_guest_refuses_one_that_is_off(connection: Connection, verb: Verb) -> None:
    """The sentence says what to do."""
    domain = named(connection, "shutoff")
    with pytest.raises(ConflictError, match=r"stopped.* start it"):
        verb(connection, domain)
    with pytest.raises(ConflictError, match=r"stopped.* start it"):
        power.soft_reboot(connection, domain, 5, force=False)
    assert driver.state_of(connection, domain) == "shutoff"


def test_saved_memory_is_kept_until_it_is_gone_on_with(connection: Connection) -> None:
    """Suspending again changes nothing; both start and resume go on from it."""
    domain = named(connection, "running")
    for verb in (power.start, power.resume):
        power.suspend(connection, domain)
        power.suspend(connection, domain)
        assert driver.has_saved_memory(connection, domain)
        verb(connection, domain)
        assert driver.state_of(connection, domain) == "running"


def test_a_hard_reboot_forgets_saved_memory(connection: Connection) -> None:
    """Otherwise it would be no boot."""
    domain = named(connection, "running")
    power.suspend(connection, domain)
    power.hard_reboot(connection, domain)
    assert not driver.has_saved_memory(connection, domain)


def test_a_guest_with_a_device_of_the_host_is_not_suspended(connection: Connection) -> None:
    """The device is named, and the guest goes on."""
    domain = named(connection, "lent")
    with pytest.raises(ConflictError, match=r"PCI device 0000:3b:00\.1"):
        power.suspend(connection, domain)
    assert driver.state_of(connection, domain) == "running"


def test_a_soft_reboot_is_another_run(connection: Connection) -> None:
    """The guest went off in between."""
    domain = named(connection, "running")
    before = driver.guest_number(connection, domain)
    with watch(connection, domain.handle) as watcher:
        power.soft_reboot(connection, domain, 5, force=False)
        assert watcher.wait_until(lambda: watcher.saw(LIFECYCLE, "started"), 60)
        assert watcher.saw(LIFECYCLE, "shutdown") or watcher.saw(LIFECYCLE, "stopped")
    assert driver.guest_number(connection, domain) not in (None, before)


def test_a_guest_that_cannot_be_woken_is_an_error(connection: Connection) -> None:
    """Not every driver can; the guest stays as it is."""
    domain = named(connection, "pmsuspended")
    with pytest.raises(DriverError, match="wake pmsuspended"):
        stop(connection, domain)
    assert driver.state_of(connection, domain) == "pmsuspended"


def test_the_agent_is_waited_for(connection: Connection) -> None:
    """One that does not come is told of, a guest that can't have one is not waited for, and one that is off is an error."""
    silent = named(connection, "heard")
    with watch(connection, silent.handle) as watcher:
        with pytest.raises(WaitTimeoutError, match="disconnected after 0 s"):
            power.wait_for_agent(connection, silent, watcher, 0)
        power.wait_for_agent(connection, named(connection, "running"), watcher, 3600)
        with pytest.raises(ConflictError, match="went off"):
            power.wait_for_agent(connection, named(connection, "shutoff"), watcher, 3600)
