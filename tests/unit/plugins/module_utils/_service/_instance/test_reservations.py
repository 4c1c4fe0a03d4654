# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how a network is made to keep an address: in which of its copies, and in how many calls."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.network import ItemChange
from ansible_collections.kilonova.compute.plugins.module_utils._errors import NotFoundError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.fixed_ip import Reservation
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance import reservations
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import DhcpHost
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import FixedIp

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
HOST = DhcpHost("192.0.2.7", MAC, name="web")
FIXED = FixedIp(MAC, "192.0.2.7", "lan")
ENTRY = f"<host mac='{MAC}' name='web' ip='192.0.2.7'/>"
NAMESAKE = f"<host mac='{OTHER}' name='web' ip='192.0.2.8'/>"
FIRST = "<ip address='198.51.100.1' prefix='24'/>"


def xml(*hosts: str, before: str = "") -> str:
    """Return a network that keeps something."""
    given = f"<dhcp><range start='192.0.2.100' end='192.0.2.199'/>{''.join(hosts)}</dhcp>"
    return f"<network><name>lan</name>{before}<ip address='192.0.2.1' prefix='24'>{given}</ip></network>"


class Network:
    """A network by its two copies, which notes what is done to it."""

    name = "lan"

    def __init__(self, running: str | None, defined: str | None) -> None:
        """Take both; None is not there."""
        self.running, self.defined = running, defined
        self.is_active, self.is_persistent = running is not None, defined is not None
        self.done: list[tuple[t.Any, ...]] = []

    def xml(self) -> str | None:
        """Return how it runs."""
        return self.running

    def defined_xml(self) -> str | None:
        """Return its definition."""
        return self.defined

    def change(self, change: ItemChange) -> None:
        """Note the change."""
        assert change.section == "dhcp_hosts"
        is_named = "name=" in change.xml
        self.done.append((change.verb, change.subnet, is_named, change.live, change.persistent))


def _with(monkeypatch: pytest.MonkeyPatch, network: Network | None) -> t.Any:
    """Return a connection to where there is this network alone."""
    monkeypatch.setattr(reservations, "find_network", lambda _connection, _name: network)
    monkeypatch.setattr(reservations, "all_networks", lambda _connection: [network])
    return object()


@pytest.mark.parametrize(
    ("running", "defined", "done"),
    [
        (xml(), xml(), [("add", 0, True, True, True)]),
        (xml(ENTRY), xml(), [("add", 0, True, False, True)]),
        (xml(ENTRY), xml(ENTRY), []),
        (None, xml(), [("add", 0, True, False, True)]),
        (xml(), None, [("add", 0, True, True, False)]),
        (xml(), xml(before=FIRST), [("add", 0, True, True, False), ("add", 1, True, False, True)]),
        (xml(NAMESAKE), xml(NAMESAKE), [("add", 0, False, True, True)]),
    ],
)
def test_an_address_is_kept(
    monkeypatch: pytest.MonkeyPatch, running: str | None, defined: str | None, done: list[tuple[t.Any, ...]]
) -> None:
    """In each copy that has it not yet; a name that another NIC has is left out."""
    network = Network(running, defined)
    reservations.reserve(_with(monkeypatch, network), "lan", HOST)
    assert network.done == done


def test_a_network_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can keep nothing, and has nothing to give back."""
    with pytest.raises(NotFoundError, match="Network lan is gone"):
        reservations.reserve(_with(monkeypatch, None), "lan", HOST)
    reservations.release(_with(monkeypatch, None), FIXED)


@pytest.mark.parametrize(
    ("running", "defined", "done"),
    [
        (xml(ENTRY, NAMESAKE), xml(ENTRY), [("delete", 0, True, True, True)]),
        (xml(), xml(ENTRY), [("delete", 0, True, False, True)]),
        (xml(NAMESAKE), xml(), []),
    ],
)
def test_an_address_is_given_back(
    monkeypatch: pytest.MonkeyPatch, running: str, defined: str, done: list[tuple[t.Any, ...]]
) -> None:
    """Where it is kept, and nobody else's."""
    network = Network(running, defined)
    reservations.release(_with(monkeypatch, network), FIXED)
    assert network.done == done


def test_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reservation is whole when both copies have it; nothing is read where nobody's is wanted."""
    host = reservations.Reservations(_with(monkeypatch, Network(xml(ENTRY, NAMESAKE), xml(NAMESAKE))))
    namesake = Reservation(FixedIp(OTHER, "192.0.2.8", "lan"))
    assert host.of([MAC, OTHER]) == (Reservation(FIXED, whole=False), namesake)
    monkeypatch.setattr(reservations, "all_networks", None)
    assert reservations.Reservations(_with(monkeypatch, None)).of(()) == ()


def test_what_is_about_to_be_made() -> None:
    """The next instance of the same run hears of it, until all is looked at again."""
    host = reservations.Reservations(t.cast("t.Any", None))
    host.claim("web", [FIXED])
    assert host.claimant(FIXED) == "web"
    assert host.claimant(FixedIp(MAC, "192.0.2.7", "other")) is None
    host.forget()
    assert host.claimant(FIXED) is None
