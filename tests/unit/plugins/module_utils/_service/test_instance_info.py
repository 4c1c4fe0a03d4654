# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which instances are listed, and with which addresses, on libvirt's test driver."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.instance_info import (
    InfoOptions,
    list_instances,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Nic
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._xml import domain

EVERYTHING: dict[str, t.Any] = {
    "names": None,
    "fleet": None,
    "labels": {},
    "all_domains": False,
    "addresses": ["lease"],
    "query": None,
}
NETWORK = """
<network><name>default</name><bridge name='virbr0'/>
  <ip address='192.0.2.1' netmask='255.255.255.0'><dhcp><range start='192.0.2.10' end='192.0.2.99'/></dhcp></ip></network>
"""
MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02")
RECORDS = {
    "web-1": InstanceRecord(fleet="shop", labels=(("role", "web"), ("size", "1"))),
    "web-2": InstanceRecord(fleet="shop", labels=(("role", "web"), ("size", "2"))),
    "db": InstanceRecord(fleet="other", labels=(("role", "db"),)),
    "foreign": None,
    "kilonova-probe-0": None,
}


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own with running guests."""
    node = tmp_path / "node.xml"
    machines = [
        domain.render(
            Machine(
                "test",
                name,
                memory_kib=1024,
                record=record,
                nics=tuple(Nic(mac, "network", "default") for mac in MACS),
            )
        )
        for name, record in RECORDS.items()
    ]
    node.write_text(f"<node>{NETWORK}{''.join(machines)}</node>")
    with Connection(f"test://{node}") as opened:
        yield opened


def listed(connection: Connection, **changes: t.Any) -> list[t.Any]:
    """Return what is listed."""
    return list_instances(connection, InfoOptions.from_params({**EVERYTHING, **changes}))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["db", "web-1", "web-2"]),
        ({"all_domains": True}, ["db", "foreign", "web-1", "web-2"]),
        ({"names": ["web-2", "db", "nobody"]}, ["db", "web-2"]),
        ({"names": []}, []),
        ({"names": ["foreign"]}, []),
        ({"names": ["foreign"], "all_domains": True}, ["foreign"]),
        ({"fleet": "shop"}, ["web-1", "web-2"]),
        ({"fleet": "shop", "all_domains": True}, ["web-1", "web-2"]),
        ({"labels": {"role": "web"}}, ["web-1", "web-2"]),
        ({"labels": {"role": "web", "size": 2}, "all_domains": True}, ["web-2"]),
        ({"labels": {"role": "web", "colour": "red"}}, []),
        ({"fleet": "other", "labels": {"role": "web"}}, []),
    ],
)
def test_which_are_listed(connection: Connection, options: dict[str, t.Any], names: list[str]) -> None:
    """All that is asked for must be so; probes are never listed."""
    assert [row["name"] for row in listed(connection, **options)] == names


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("[?labels.role == 'db'].name", ["db"]),
        ("[].name | [0]", ["db"]),
        ("length(@)", [3]),
        ("[9]", []),
        ("[?name == 'nobody']", []),
    ],
)
def test_query(connection: Connection, expression: str, result: list[t.Any]) -> None:
    """Whatever it gives comes as a list."""
    assert listed(connection, query=expression) == result


def test_one_that_vanishes_is_left_out(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was there when it was listed and defined, and is gone when it is looked at as it runs."""
    read = libvirt.virDomain.XMLDesc

    def vanish(self: t.Any, flags: int = 0) -> str:
        if self.name() == "web-1" and not flags:
            self.destroy()
            self.undefine()
        return read(self, flags)

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", vanish)
    assert [row["name"] for row in listed(connection)] == ["db", "web-2"]


def test_those_not_asked_for_cost_one_call(connection: Connection) -> None:
    """Their definition has to be read to know that; what runs has not."""
    listed(connection, fleet="other", addresses=["lease", "arp"])
    assert connection.calls["XMLDesc"] == len(RECORDS) + 1
    assert connection.calls["interfaceAddresses"] == 2


def test_each_address_once(connection: Connection) -> None:
    """As the first that was asked told it; the test driver tells everybody the same."""
    (row,) = listed(connection, names=["db"], addresses=["agent", "lease", "agent"])
    assert [(one["source"], one["mac"]) for one in row["addresses"]] == [("agent", MACS[0]), ("agent", MACS[1])]
    assert connection.calls["interfaceAddresses"] == 2


def test_nobody_is_asked_without_need(connection: Connection) -> None:
    """Neither without a source nor about a guest that is off."""
    connection.raw.lookupByName("db").destroy()
    assert [row["addresses"] for row in listed(connection, addresses=[])] == [[], [], []]
    assert listed(connection, names=["db"])[0]["addresses"] == []
    assert "interfaceAddresses" not in connection.calls


def test_the_order_of_addresses(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """NICs in their order, then what the guest made itself; what nobody else can use is left out."""
    answer = {
        "docker0": {"hwaddr": "02:42:00:00:00:01", "addrs": [{"addr": "172.17.0.1", "prefix": 16}]},
        "lo": {"hwaddr": "00:00:00:00:00:00", "addrs": [{"addr": "127.0.0.1", "prefix": 8}]},
        "eth1": {"hwaddr": MACS[1].upper(), "addrs": [{"addr": "10.0.0.2", "prefix": 24}]},
        "eth0": {
            "hwaddr": MACS[0],
            "addrs": [{"addr": "fe80::1", "prefix": 64}, {"addr": "10.0.0.1", "prefix": 24}],
        },
    }
    monkeypatch.setattr(libvirt.virDomain, "interfaceAddresses", lambda *unused: answer)
    (row,) = listed(connection, names=["db"], addresses=["agent"])
    assert [one["address"] for one in row["addresses"]] == ["10.0.0.1", "10.0.0.2", "172.17.0.1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": "foo["}, "Option query: "),
        ({"labels": {"role": ["web"]}}, r"Option labels\[role\]: \['web'\] is not a label's value"),
        ({"labels": {"role": None}}, r"Option labels\[role\]: None"),
    ],
)
def test_what_is_refused(options: dict[str, t.Any], words: str) -> None:
    """Before a hypervisor is asked."""
    with pytest.raises(SpecError, match=words):
        InfoOptions.from_params({**EVERYTHING, **options})
