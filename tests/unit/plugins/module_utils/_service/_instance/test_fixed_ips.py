# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which fixed addresses an instance may have, and what its record and its filters are told of them."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.inventory import NetworkReading
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance import fixed_ips
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.guards import guarded
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.reservations import (
    Copies,
    Reservations,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import DhcpRange, NetworkIp
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import NetworkLayout
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import FixedIp
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network import NetworkDescription
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec, machine_of

MAC, IP = "52:54:00:00:00:01", "192.0.2.7"
LAYOUT = NetworkLayout("nat", ips=(NetworkIp("192.0.2.1/24", (DhcpRange("192.0.2.100", "192.0.2.199"),), ()),))
NETWORKS = {
    "lan": NetworkDescription("lan", "nat", "virbr0"),
    "alone": NetworkDescription("alone", None, "virbr1"),
    "flat": NetworkDescription("flat", "bridge", "br0"),
    "tap": NetworkDescription("tap", "bridge"),
    "vepa": NetworkDescription("vepa", "vepa"),
}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """Return a host with networks, filters and no instance."""
    kept = Reservations(t.cast("t.Any", None))
    monkeypatch.setattr(kept, "_networks", {"lan": Copies(LAYOUT, LAYOUT)})
    host = SimpleNamespace(
        networks={name: NetworkReading(True, one) for name, one in NETWORKS.items()},
        filters=SimpleNamespace(listed={}),
        reservations=kept,
        guests={},
        macs={},
        connection=SimpleNamespace(uri="qemu:///system"),
        leases={},
    )
    monkeypatch.setattr(fixed_ips, "leased_addresses", lambda _connection, _network: host.leases)
    return host


def designed(host: t.Any, existing: Machine | None = None, **nic: t.Any) -> Machine:
    """Return the machine with one NIC that is declared so, or raise what stands against it."""
    spec = instance_spec(networks=[{"mac": MAC, **nic}]).completed()
    desired = fixed_ips.with_fixed_ips(host, spec, machine_of(spec, existing=existing), existing)
    desired = guarded(host, spec, desired, existing, False)
    fixed_ips.check_fixed_ips(host, spec, desired, None)
    return desired


def told(machine: Machine) -> tuple[tuple[FixedIp, ...], str | None]:
    """Return what the record and the filter know."""
    assert machine.record is not None
    return machine.record.fixed_ips, machine.nics[0].filter_ip


@pytest.mark.parametrize(
    ("nic", "network", "address"),
    [
        ({"network": "lan"}, "lan", IP),
        ({"network": "lan", "port_security": False}, "lan", None),
        ({"network": "alone"}, "alone", IP),
        ({"network": "flat"}, "", IP),
        ({"bridge": "br0"}, "", IP),
    ],
)
def test_who_keeps_an_address(host: t.Any, nic: dict[str, t.Any], network: str, address: str | None) -> None:
    """A network of libvirt's own, or on a bridge nobody; port security is told of it."""
    host.reservations.networks["alone"] = host.reservations.networks["lan"]
    assert told(designed(host, **nic, fixed_ip=IP)) == ((FixedIp(MAC, IP, network),), address)


@pytest.mark.parametrize(
    ("nic", "words"),
    [
        ({"network": "tap"}, "past the host"),
        ({"network": "vepa"}, "past the host"),
        ({"bridge": "br0", "port_security": False}, "no DHCP server of libvirt's on a bridge"),
    ],
)
def test_where_an_address_would_be_in_vain(host: t.Any, nic: dict[str, t.Any], words: str) -> None:
    """It is refused with what would be right."""
    with pytest.raises(SpecError, match=words) as caught:
        designed(host, **nic, fixed_ip=IP)
    assert caught.value.option == "networks[0].fixed_ip"


def test_an_address_stays_with_its_nic(host: t.Any) -> None:
    """Until another is declared, none, or another network."""
    first = designed(host, network="lan", fixed_ip=IP)
    fixed = FixedIp(MAC, IP, "lan")
    assert told(designed(host, first, network="lan")) == ((fixed,), IP)
    assert told(designed(host, first, network="lan", fixed_ip="192.0.2.8")) == (
        (replace(fixed, ip="192.0.2.8"),),
        "192.0.2.8",
    )
    assert told(designed(host, first, network="lan", fixed_ip="")) == ((), "")
    assert told(designed(host, first, network="alone")) == ((), "")
    assert told(designed(host, first, network="lan", port_security=False)) == ((fixed,), "")
    bare = instance_spec()
    kept = fixed_ips.with_fixed_ips(host, bare, machine_of(bare, existing=first), first).record
    assert kept is not None
    assert kept.fixed_ips == (fixed,)


def test_an_address_that_somebody_has(host: t.Any) -> None:
    """Leased, recorded of another instance, or promised to another one of this run."""
    host.leases = {IP: "52:54:00:00:00:09"}
    with pytest.raises(ConflictError, match=f"has leased {IP} to 52:54:00:00:00:09"):
        designed(host, network="lan", fixed_ip=IP)
    host.leases = {IP: MAC}
    other = designed(host, network="lan", fixed_ip=IP)
    host.guests["half"] = SimpleNamespace(machine=other)
    with pytest.raises(ConflictError, match=f"{IP} is the address of half in network lan"):
        designed(host, network="lan", fixed_ip=IP)
    host.guests.clear()
    host.reservations.claim("second", [FixedIp("52:54:00:00:00:09", IP, "lan")])
    with pytest.raises(ConflictError, match=f"{IP} is the address of second in network lan"):
        designed(host, network="lan", fixed_ip=IP)
