# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of networks as a whole, on libvirt's test driver."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.network import find_network
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.network import ensure_network
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network import NetworkSpec
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network_layout import read_layout
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.networks import params

NODE = """
<node>
  <network><name>other</name><bridge name='virbr7'/><ip address='192.0.2.1' netmask='255.255.255.0'/></network>
  <interface type='ethernet' name='eth0'><start mode='onboot'/><protocol family='ipv4'>
    <ip address='203.0.113.5' prefix='24'/></protocol></interface>
  <domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os><devices>
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='other'/></interface></devices></domain>
</node>
"""
SUBNET: dict[str, t.Any] = {
    "address": "198.51.100.1/24",
    "dhcp_hosts": [{"ip": "198.51.100.10", "mac": "52:54:00:00:00:05"}],
}


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own, which is gone with it."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


def ensure(connection: Connection, check: bool = False, **declared: t.Any) -> dict[str, t.Any]:
    """Bring a network about."""
    return ensure_network(connection, NetworkSpec.from_params(params(**declared)), check)


def test_a_network_comes_changes_and_goes(connection: Connection) -> None:
    """Check mode says the same, and does nothing of it."""
    for declared, actions in (
        ({"mode": "nat", "ips": [SUBNET], "autostart": True}, ["define_network", "start_network", "set_autostart"]),
        ({"ips": [{**SUBNET, "dhcp_hosts": []}]}, ["update_network"]),
        ({"state": "inactive"}, ["stop_network"]),
        ({"state": "present", "domain": "lan.example"}, ["update_network"]),
        ({"state": "absent"}, ["undefine_network"]),
    ):
        foretold = ensure(connection, check=True, **declared)
        done = ensure(connection, **declared)
        assert done["actions"] == foretold["actions"] == [f"{action} lan" for action in actions]
        assert done["changes"] == foretold["changes"]
        assert not ensure(connection, **declared)["changed"]
        network = find_network(connection, "lan")
        if network:
            assert done["network"]["mode"] == "nat"
            assert done["network"]["active"] == ("state" not in declared)
            layout = read_layout(network.defined_xml())
            assert layout.domain == declared.get("domain", "")
            assert bool((layout.ips or ())[0].dhcp_hosts) == ("mode" in declared)
    assert find_network(connection, "lan") is None


@pytest.mark.parametrize(
    ("address", "who"), [("192.0.2.129/25", "network other"), ("203.0.113.1/24", "the host's interface eth0")]
)
def test_overlaps_are_found_first(connection: Connection, address: str, who: str) -> None:
    """Also in check mode; nothing is made."""
    for check in (True, False):
        with pytest.raises(SpecError, match=f"of {who}") as caught:
            ensure(connection, check=check, mode="nat", ips=[{"address": address}])
        assert caught.value.option == "ips"
    assert find_network(connection, "lan") is None


def test_a_network_in_use_stays_up(connection: Connection) -> None:
    """Its guests are named, and what needs a restart waits; the warning says for what."""
    for state in ("inactive", "absent"):
        with pytest.raises(ConflictError, match="web has NICs in it"):
            ensure(connection, name="other", state=state)
    done = ensure(connection, name="other", mtu=1400)
    assert (done["restart_required"], done["actions"]) == (True, ["update_network other"])
    (warning,) = done["warnings"]
    assert "runs as it was before in mtu" in warning
