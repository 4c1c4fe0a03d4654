# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the wait itself: what is asked how often, and how it ends."""

from __future__ import annotations

import base64
import json
import socket
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    AgentAbsentError,
    DriverError,
    GuestError,
    NotFoundError,
    WaitTimeoutError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest import wait as subject
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.wait import WaitResult, wait_for
from ansible_collections.kilonova.compute.plugins.module_utils._spec.waiting import AddressChoice, WaitSpec
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import (
    AWAY,
    MAC,
    Fault,
    ScriptedGuest,
    domain_xml,
    let_agents_answer,
)

CONNECTED, DISCONNECTED = domain_xml("connected"), domain_xml("disconnected")
LINK_LOCAL = {"addr": "fe80::1", "prefix": 64, "type": 1}
KNOWN = {"eth0": {"hwaddr": MAC, "addrs": [LINK_LOCAL, {"addr": "192.0.2.7", "prefix": 24, "type": 0}]}}


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used, and no pause."""
    let_agents_answer(monkeypatch)
    monkeypatch.setattr(subject, "_FIRST_PAUSE", 0.0)
    with Connection("test:///default") as opened:
        yield opened


def wait(connection: Connection, guest: ScriptedGuest, *conditions: str, **declared: t.Any) -> WaitResult:
    """Wait for the conditions."""
    return wait_for(connection, guest, "web", WaitSpec(conditions, **{"timeout": 30, **declared}))


def cloud_init(status: str, **more: t.Any) -> dict[str, t.Any]:
    """Return what an agent says of a cloud-init that ended with that status."""
    text = json.dumps({"status": status, **more})
    return {"exited": True, "exitcode": 0, "out-data": base64.b64encode(text.encode()).decode()}


def test_nothing_to_wait_for(connection: Connection) -> None:
    """Nothing is asked, and nothing is known."""
    guest = ScriptedGuest()
    assert wait(connection, guest) == WaitResult()
    assert guest.calls == []


def test_as_little_as_possible_is_asked(connection: Connection) -> None:
    """An agent only by those who wait for it."""
    guest = ScriptedGuest()
    assert wait(connection, guest, "running").conditions == ("running",)
    assert [name for name, _arguments in guest.calls] == ["state", "XMLDesc"]


def test_an_agent_that_comes_late(connection: Connection) -> None:
    """Not connected, silent, there: no error on the way, and it is pinged only when its channel is connected."""
    guest = ScriptedGuest(XMLDesc=[DISCONNECTED, DISCONNECTED, CONNECTED], guest_ping=[AWAY, AWAY, {}])
    wait(connection, guest, "agent")
    assert len(guest.asked("XMLDesc")) == 5
    assert len(guest.asked("guest_ping")) == 3


def test_no_channel_is_no_wait(connection: Connection) -> None:
    """It is known at the first look."""
    guest = ScriptedGuest(XMLDesc=[domain_xml(None)])
    with pytest.raises(AgentAbsentError):
        wait(connection, guest, "agent")
    assert len(guest.asked("state")) == 1


def test_a_guest_that_powers_off_meanwhile(connection: Connection) -> None:
    """Is an error at once."""
    guest = ScriptedGuest(state=["running", "shutdown", "shutoff"], XMLDesc=[DISCONNECTED])
    with pytest.raises(GuestError, match="web is shut off, while it was waited for ip and agent"):
        wait(connection, guest, "ip", "agent")
    assert len(guest.asked("state")) == 3


def test_a_guest_that_powers_off_within_a_look(connection: Connection) -> None:
    """That is the reason, and not the error that it makes of a call."""
    invalid = Fault("VIR_ERR_OPERATION_INVALID", "domain is not running")
    guest = ScriptedGuest(state=["running", "shutoff"], guest_ping=[invalid])
    with pytest.raises(GuestError, match="is shut off"):
        wait(connection, guest, "agent")
    guest = ScriptedGuest(guest_ping=[invalid])
    with pytest.raises(DriverError, match="domain is not running"):
        wait(connection, guest, "agent")


def test_a_domain_that_is_gone(connection: Connection) -> None:
    """Is not waited for."""
    with pytest.raises(NotFoundError):
        wait(connection, ScriptedGuest(state=["running", Fault("VIR_ERR_NO_DOMAIN")], XMLDesc=[DISCONNECTED]), "agent")


def test_sources_in_their_order(connection: Connection) -> None:
    """The next one is only asked when none before knew an address that counts."""
    guest = ScriptedGuest(interfaceAddresses=[{}, KNOWN])
    result = wait(connection, guest, "ip")
    assert guest.asked("interfaceAddresses") == [(0, 0), (1, 0)]
    assert (result.address and result.address.source) == "agent"
    assert result.as_result() == {
        "address": "192.0.2.7",
        "addresses": [
            {
                "address": "192.0.2.7",
                "prefix": 24,
                "family": "ipv4",
                "mac": MAC,
                "interface": "eth0",
                "source": "agent",
            }
        ],
        "waited_for": ["ip"],
        "waited_seconds": 0.0,
    }


@pytest.mark.parametrize("xml", [DISCONNECTED, domain_xml(None)])
def test_an_agent_that_is_not_there_is_not_asked_for_addresses(connection: Connection, xml: str) -> None:
    """Others may know."""
    guest = ScriptedGuest(XMLDesc=[xml], interfaceAddresses=[{}, KNOWN])
    result = wait(connection, guest, "ip")
    assert (result.address and result.address.source) == "arp"
    assert guest.asked("interfaceAddresses") == [(0, 0), (2, 0)]


def test_a_source_in_trouble_does_not_end_the_wait(connection: Connection) -> None:
    """It is told when nothing else helps either."""
    trouble = Fault("VIR_ERR_OPERATION_FAILED", "wrong nlmsg len")
    choice = AddressChoice(sources=("arp", "lease"))
    guest = ScriptedGuest(interfaceAddresses=[trouble, {}, trouble, KNOWN])
    assert wait(connection, guest, "ip", address=choice).address is not None
    guest = ScriptedGuest(interfaceAddresses=[trouble, {}])
    with pytest.raises(WaitTimeoutError, match=r"no address from arp, lease; .*wrong nlmsg len"):
        wait(connection, guest, "ip", address=choice, timeout=0)


def test_a_domain_that_is_gone_has_no_addresses(connection: Connection) -> None:
    """No other source will know either."""
    with pytest.raises(NotFoundError):
        wait(connection, ScriptedGuest(interfaceAddresses=[Fault("VIR_ERR_NO_DOMAIN")]), "ip")


def test_time_is_over(connection: Connection) -> None:
    """What was last seen of each condition that does not hold, for people and for machines."""
    guest = ScriptedGuest(XMLDesc=[DISCONNECTED])
    with pytest.raises(WaitTimeoutError) as caught:
        wait(connection, guest, "running", "agent", "cloud_init", timeout=0)
    last_seen = {
        "agent": "it is not connected",
        "cloud_init": "the guest agent cannot be asked, it is not connected",
    }
    assert caught.value.details == {"waited_for": ["running", "agent", "cloud_init"], "last_seen": last_seen}
    assert caught.value.message == (
        "Instance web is not there yet after 0 s. Last seen: agent: it is not connected;"
        " cloud_init: the guest agent cannot be asked, it is not connected."
    )


def test_a_last_look_at_the_end(connection: Connection) -> None:
    """The pauses end with the time."""
    guest = ScriptedGuest(XMLDesc=[DISCONNECTED])
    with pytest.raises(WaitTimeoutError):
        wait_for(connection, guest, "web", WaitSpec(("agent",), timeout=1))
    assert len(guest.asked("state")) > 1


def test_cloud_init_is_asked_until_it_is_done(connection: Connection) -> None:
    """An agent that falls silent and a question that takes too long are no end of it; what it got over is warned of."""
    guest = ScriptedGuest(
        guest_exec=[AWAY, {"pid": 1}],
        guest_exec_status=[cloud_init("running"), cloud_init("done", recoverable_errors={"WARNING": ["slow disk"]})],
    )
    result = wait(connection, guest, "cloud_init")
    assert result.warnings == ("cloud-init in web is done, but had trouble: slow disk",)
    assert len(guest.asked("guest_exec")) == 3


def test_a_cloud_init_that_failed(connection: Connection) -> None:
    """Ends the wait with its errors."""
    guest = ScriptedGuest(guest_exec=[{"pid": 1}], guest_exec_status=[cloud_init("error", errors=["no user"])])
    with pytest.raises(GuestError, match=r"cloud-init failed in web: no user\."):
        wait(connection, guest, "cloud_init")


def test_a_cloud_init_that_is_done_is_not_asked_again(connection: Connection) -> None:
    """While something else is waited for."""
    guest = ScriptedGuest(
        guest_exec=[{"pid": 1}], guest_exec_status=[cloud_init("done")], interfaceAddresses=[{}, {}, {}, {}, KNOWN]
    )
    assert wait(connection, guest, "cloud_init", "ip").warnings == ()
    assert len(guest.asked("state")) == 2
    assert len(guest.asked("guest_exec")) == 1


@pytest.fixture
def listener() -> t.Iterator[socket.socket]:
    """Return a socket on the loopback address that is bound, and not listening yet."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


def test_a_port(connection: Connection, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused at first, then open; the address that counts is the one that is knocked at."""
    knocked: list[t.Any] = []
    connect = socket.create_connection
    here = listener.getsockname()

    def to_here(address: t.Any, timeout: float) -> socket.socket:
        knocked.append(address)
        if len(knocked) == 3:
            listener.listen()
        return connect(here, timeout)

    monkeypatch.setattr(socket, "create_connection", to_here)
    guest = ScriptedGuest(interfaceAddresses=[{}, {}, {}, KNOWN])
    result = wait(connection, guest, "port", port=80)
    assert (result.address and result.address.address) == "192.0.2.7"
    assert knocked == [("192.0.2.7", 80)] * 3


def test_a_closed_port(connection: Connection, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words are the system's."""
    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda unused, timeout: connect(listener.getsockname(), timeout))
    guest = ScriptedGuest(interfaceAddresses=[KNOWN])
    with pytest.raises(WaitTimeoutError, match=r"port: 192.0.2.7 port 22: Connection refused\."):
        wait(connection, guest, "port", timeout=0)
