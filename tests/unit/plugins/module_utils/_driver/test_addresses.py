# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of guests' addresses, on libvirt's test driver and on answers that real daemons give."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.addresses import (
    SOURCES,
    GuestAddress,
    interface_addresses,
    read_addresses,
)
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError, NotFoundError

AGENT_ANSWER: dict[str, dict[str, t.Any]] = {
    "lo": {"addrs": [{"addr": "127.0.0.1", "prefix": 8, "type": 0}], "hwaddr": "00:00:00:00:00:00"},
    "eth0": {
        "addrs": [
            {"addr": "10.0.2.15", "prefix": 24, "type": 0},
            {"addr": "fe80::5054:ff:fe12:3456%eth0", "prefix": 64, "type": 1},
        ],
        "hwaddr": "52:54:00:AB:34:56",
    },
    "sit0": {"addrs": None, "hwaddr": None},
}


NODE = """
<node>
  <network><name>default</name><bridge name='virbr0'/>
    <ip address='192.0.2.1' netmask='255.255.255.0'><dhcp><range start='192.0.2.2' end='192.0.2.9'/></dhcp></ip></network>
  <domain type='test'><name>test</name><memory>2048</memory><os><type>hvm</type></os>
    <devices><interface type='network'><source network='default'/></interface></devices></domain>
</node>
"""


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own, with one running guest."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


def test_an_agents_answer() -> None:
    """Each address with its NIC, a zone left out, MAC addresses in lower case; a NIC without addresses gives none."""
    lo, ipv4, ipv6 = read_addresses(AGENT_ANSWER, "agent")
    assert (lo.address, lo.is_reachable) == ("127.0.0.1", False)
    assert ipv4 == GuestAddress("10.0.2.15", 24, "ipv4", "52:54:00:ab:34:56", "eth0", "agent")
    assert ipv6 == GuestAddress("fe80::5054:ff:fe12:3456", 64, "ipv6", "52:54:00:ab:34:56", "eth0", "agent")


def test_the_arp_table_knows_no_prefix() -> None:
    """Libvirt says 0, which is none."""
    answer = {"vnet0": {"addrs": [{"addr": "192.0.2.7", "prefix": 0, "type": 0}], "hwaddr": "52:54:00:00:00:01"}}
    (found,) = read_addresses(answer, "arp")
    assert found == GuestAddress("192.0.2.7", None, "ipv4", "52:54:00:00:00:01", "vnet0", "arp")


@pytest.mark.parametrize("answer", [None, {}, {"a": {}}, {"a": {"addrs": [{"addr": ""}, {"addr": "x"}, {}]}}])
def test_nothing_usable_is_no_address(answer: t.Any) -> None:
    """Whatever a guest's agent makes up, there is no error."""
    assert read_addresses(answer, "agent") == ()


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("192.168.122.3", True),
        ("2001:db8::1", True),
        ("fd00::1", True),
        ("127.0.0.2", False),
        ("::1", False),
        ("169.254.1.1", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
    ],
)
def test_what_others_can_use(address: str, reachable: bool) -> None:
    """Loopback and link-local addresses are of no use to anybody else."""
    (found,) = read_addresses({"eth0": {"addrs": [{"addr": address, "prefix": 8}]}}, "agent")
    assert found.is_reachable is reachable


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_can_be_asked(connection: Connection, source: str) -> None:
    """One call; the test driver gives the same for each."""
    handle = connection.raw.lookupByName("test")
    (found,) = interface_addresses(connection, handle, source)
    assert (found.address, found.prefix, found.source) == ("192.0.2.3", 24, source)
    assert connection.calls == {"interfaceAddresses": 1}


def test_a_guest_that_is_off_has_none(connection: Connection) -> None:
    """That is an error to libvirt and none to us."""
    handle = connection.raw.lookupByName("test")
    handle.destroy()
    assert interface_addresses(connection, handle, "lease") == ()


class Refusal(libvirt.libvirtError):
    """An error as a daemon would give it."""

    def __init__(self, code: str) -> None:
        """Keep the error's ``code`` by its name."""
        super().__init__("refused")
        self.err = (getattr(libvirt, code), 0, "refused", 2, "", "", "", -1, -1)


def refuse(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let a daemon refuse to tell addresses."""

    def refused(*unused: t.Any) -> None:
        raise Refusal(code)

    monkeypatch.setattr(libvirt.virDomain, "interfaceAddresses", refused)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("agent", "VIR_ERR_AGENT_UNRESPONSIVE"),
        ("agent", "VIR_ERR_ARGUMENT_UNSUPPORTED"),
        ("agent", "VIR_ERR_INTERNAL_ERROR"),
        ("arp", "VIR_ERR_ARGUMENT_UNSUPPORTED"),
        ("arp", "VIR_ERR_INTERNAL_ERROR"),
        ("lease", "VIR_ERR_NO_SUPPORT"),
        ("lease", "VIR_ERR_NO_NETWORK"),
    ],
)
def test_no_answer_is_no_address(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, source: str, code: str
) -> None:
    """A source that can't be asked, or not yet, is none."""
    refuse(monkeypatch, code)
    assert interface_addresses(connection, connection.raw.lookupByName("test"), source) == ()


@pytest.mark.parametrize(
    ("source", "code", "kind"),
    [
        ("lease", "VIR_ERR_NO_DOMAIN", NotFoundError),
        ("lease", "VIR_ERR_INTERNAL_ERROR", DriverError),
        ("agent", "VIR_ERR_AUTH_FAILED", DriverError),
    ],
)
def test_other_errors_are_told(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, source: str, code: str, kind: type[DriverError]
) -> None:
    """What is wrong with the host, or a domain that is gone, is not hidden."""
    refuse(monkeypatch, code)
    with pytest.raises(kind, match=f"read the addresses of test from source {source}"):
        interface_addresses(connection, connection.raw.lookupByName("test"), source)
