# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what differs between two virtual networks."""

from __future__ import annotations

from dataclasses import fields, replace

from ansible_collections.kilonova.compute.plugins.module_utils._plan.network_drift import (
    DNS_HOSTS,
    HOSTS,
    NOTHING,
    Place,
    compare,
    merge,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import (
    DhcpHost,
    DhcpRange,
    NetworkIp,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_dns import Dns, DnsHost
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import NetworkLayout
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.networks import EXAMPLES, layouts
from hypothesis import given

NAT = EXAMPLES["nat"]
FIRST, SECOND = NAT.ips or ()


@given(layouts())
def test_a_network_does_not_differ_from_itself(layout: NetworkLayout) -> None:
    """Neither when it is declared as a whole, nor when nothing is."""
    for declared in (layout, NetworkLayout()):
        drift = compare(layout, merge(declared, layout))
        assert (drift.settings, drift.items) == ({}, {})


@given(layouts(("nat", "isolated")), layouts(("nat", "isolated")))
def test_a_whole_declaration_is_what_comes_out(found: NetworkLayout, declared: NetworkLayout) -> None:
    """Whatever was there."""
    drift = compare(merge(declared, found), declared)
    assert (drift.settings, drift.items) == ({}, {})


def test_everything_is_compared() -> None:
    """Each field that differs from an empty network's is part of the difference."""
    for whole in EXAMPLES.values():
        for field in fields(whole):
            if getattr(whole, field.name) != getattr(NOTHING, field.name):
                other = replace(whole, **{field.name: getattr(NOTHING, field.name)})
                drift = compare(whole, other)
                assert any(name.partition(".")[0] == field.name for name in drift.settings) or drift.items


def test_only_what_is_declared_changes() -> None:
    """Of a subnet too; the order does not count."""
    more = DhcpHost("192.0.2.12", mac="52:54:00:00:00:12")
    hosts = (more, *reversed(FIRST.dhcp_hosts or ()))
    declared = NetworkLayout(ips=(SECOND, NetworkIp(FIRST.address, dhcp_hosts=hosts)), dns=Dns(enabled=False))
    drift = compare(NAT, merge(declared, NAT))
    assert drift.settings == {"dns.enabled": (True, False)}
    assert drift.items == {Place(HOSTS, FIRST.address, more.mac or ""): (None, more)}


def test_a_reservation_of_somebody_else_is_left_alone() -> None:
    """Unless its address or its name is given to another."""
    kept, _named = FIRST.dhcp_hosts or ()
    declared = NetworkLayout(ips=(NetworkIp(FIRST.address, dhcp_hosts=()), SECOND))
    ip, _second = merge(declared, NAT, {kept.mac or ""}).ips or ()
    assert ip.dhcp_hosts == (kept,)
    other = DhcpHost(kept.ip, mac="52:54:00:00:00:99")
    declared = NetworkLayout(ips=(NetworkIp(FIRST.address, dhcp_hosts=(other,)), SECOND))
    ip, _second = merge(declared, NAT, {kept.mac or ""}).ips or ()
    assert ip.dhcp_hosts == (other,)


def test_another_mode_drops_what_it_has_no_use_for() -> None:
    """And NAT gets its usual ports."""
    isolated = merge(NetworkLayout(mode="isolated"), NAT)
    assert (isolated.devices, isolated.nat_ports, isolated.nat_ipv6) == ((), None, False)
    again = merge(NetworkLayout(mode="nat"), isolated)
    assert again.nat_ports is not None
    assert (again.nat_ports.start, again.nat_ports.end) == (1024, 65535)
    assert not merge(NetworkLayout(domain=""), NAT).domain_local_only


def test_records_that_libvirt_cannot_tell_apart_are_one_setting() -> None:
    """Two addresses of one name."""
    both = Dns(hosts=(DnsHost("192.0.2.20", ("files",)), DnsHost("2001:db8::20", ("files",))))
    drift = compare(NAT, merge(NetworkLayout(dns=both), NAT))
    assert set(drift.settings) == {DNS_HOSTS}
    assert not drift.items


def test_changes_are_named_by_their_place() -> None:
    """In the user's terms."""
    assert (
        Place(HOSTS, "192.0.2.1/24", "52:54:00:00:00:01").path
        == "network.ips[192.0.2.1/24].dhcp_hosts[52:54:00:00:00:01]"
    )
    assert Place(DNS_HOSTS, "", "192.0.2.20").path == "network.dns.hosts[192.0.2.20]"
    assert str(DhcpRange("a", "b")) == "a to b"
