# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Security groups of a fleet on two hypervisors whose guests share a bridged network: who reaches whom, seen from inside."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from .conftest import Hypervisor, lab_tool
from .people import Operator, changes_in, declare
from .test_whole_security_group import BRIDGED, HTTP, PING
from .wire import Guest

HOSTS = ("host1", "host2")
GROUPS: list[dict[str, t.Any]] = [
    {"name": "db", "description": "Databases", "rules": [{**HTTP, "remote_group": "web"}]},
    {"name": "web", "rules": [PING, {**HTTP, "remote_group": "db"}]},
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[str]:
    """Return the directory of a lab of two whole hosts that filter what goes over their bridges."""
    directory = str(tmp_path_factory.mktemp("groups"))
    try:
        lab_tool("up", "--kind", "whole", "--hosts", "2", "--dir", directory)
        for host in HOSTS:
            lab_tool("exec", "--dir", directory, host, "--", "sh", "-c", BRIDGED)
        yield directory
    finally:
        lab_tool("down", "--dir", directory)


@pytest.fixture
def operator(lab: str, guest_image: Path, tmp_path: Path) -> Operator:
    """Return somebody with a web server on one host, a database on the other, and a third like the first."""
    root = tmp_path / "www"
    root.mkdir()
    (root / "guest.qcow2").write_bytes(guest_image.read_bytes())
    url = lab_tool("serve", "--dir", lab, "--root", str(root)).splitlines()[-1].rstrip("/")
    operator = Operator(tmp_path, lab_tool("inventory", "--dir", lab, "--python", sys.executable), url, guest_image)
    operator.fleet.update(fleet_security_groups=GROUPS, fleet_instances=instances(other=["web"]))
    return operator


def instances(other: list[str]) -> list[dict[str, t.Any]]:
    """Declare the three; each has a NIC that only reaches its host, and one on the bridge."""

    def one(name: str, host: str, groups: list[str]) -> dict[str, t.Any]:
        nics = [{"network": "default"}, {"bridge": "br0", "security_groups": groups, "port_security": False}]
        return declare(name, flavor="small", host=host, networks=nics)

    return [one("web", "host1", ["web"]), one("db", "host2", ["db"]), one("other", "host1", other)]


def test_groups_follow_their_members_over_hypervisors(lab: str, operator: Operator) -> None:
    """Defined where instances land, told of members elsewhere and of one who leaves, and removed with the fleet."""
    hosts = [Hypervisor(host, lab_tool("uri", host, "--dir", lab)) for host in HOSTS]
    status, output = operator.play("deploy", "--check", "--diff")
    assert status == 0, output
    assert "security_group: db" in output
    assert "rule: ingress ipv4 tcp 80 from group web" in output
    assert "kilonova-group" not in "".join(host.virsh("nwfilter-list") for host in hosts)

    operator.deploy("-e", '{"fleet_wait_for": ["agent"]}')
    web, other, database = Guest(hosts[0], "web"), Guest(hosts[0], "other"), Guest(hosts[1], "db")
    address = database.addresses[1]
    # Only now all have their addresses.
    assert web.addresses
    assert other.addresses
    operator.deploy()
    assert changes_in(operator.deploy()) == 0
    assert web.reaches(address) == {"ping": False, "tcp": True, "udp": False}
    assert other.fetches(address)
    assert database.reaches(other.addresses[1]) == {"ping": True, "tcp": True, "udp": False}

    operator.fleet["fleet_instances"] = instances(other=[])
    output = operator.deploy("--diff")
    assert other.addresses[1] in output
    assert not other.fetches(address)
    assert web.fetches(address)

    status, output = operator.play("destroy", "-e", "fleet_remove_security_groups=true")
    assert status == 0, output
    for host in hosts:
        assert host.domains() == set()
        assert "kilonova-group" not in host.virsh("nwfilter-list")
