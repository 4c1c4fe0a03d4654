# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what can be declared of a virtual network."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.network import plan_network
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network import NetworkSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import DhcpHost, DhcpRange, Route
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_dns import DnsHost, DnsSrv
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import NatPorts, NetworkLayout, Vlan
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import Rate
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.networks import params

SUBNET, SUBNET6 = {"address": "192.0.2.1/24"}, {"address": "2001:db8::1/64"}
MAC = "52:54:00:00:00:01"


def read(**declared: t.Any) -> NetworkLayout:
    """Return what a declaration says of a network."""
    return NetworkSpec.from_params(params(**declared)).layout


def test_nothing_is_declared_unless_it_is() -> None:
    """And absent needs only a name."""
    assert NetworkSpec.from_params(params()) == NetworkSpec("lan")
    assert NetworkSpec.from_params(params(state="absent", mtu=1)) == NetworkSpec("lan", "absent")


def test_addresses_are_written_in_one_way() -> None:
    """However they were given."""
    host = {"ip": "192.0.2.10", "mac": MAC.upper(), "name": "a"}
    ip, six = (
        read(
            ips=[
                {**SUBNET, "dhcp_ranges": [{"start": "192.0.2.100", "end": "192.0.2.199"}], "dhcp_hosts": [host]},
                {
                    "address": "2001:DB8:0::1/64",
                    "dhcp_hosts": [{"ip": "2001:db8::0:A", "id": f"00:03:00:01:{MAC.upper()}", "name": "a"}],
                },
            ]
        ).ips
        or ()
    )
    assert ip.dhcp_ranges == (DhcpRange("192.0.2.100", "192.0.2.199"),)
    assert ip.dhcp_hosts == (DhcpHost("192.0.2.10", MAC, None, "a"),)
    assert (six.address, six.dhcp_ranges) == ("2001:db8::1/64", None)
    assert six.dhcp_hosts == (DhcpHost("2001:db8::a", None, f"00:03:00:01:{MAC}", "a"),)
    routes = [{"address": "198.51.100.0/24", "gateway": "192.0.2.9"}]
    assert read(routes=routes).routes == (Route("198.51.100.0/24", "192.0.2.9"),)


def test_the_rest_is_read() -> None:
    """Several tags, or a native one, are a trunk."""
    ovs: dict[str, t.Any] = {"mode": "bridge", "bridge": "ovs0", "openvswitch": True}
    assert read(**ovs, vlan={"tags": [1, 2]}).vlan == Vlan((1, 2), trunk=True)
    assert read(**ovs, vlan={"tags": [1], "native": 1}).vlan == Vlan((1,), trunk=True, native=1)
    assert read(**ovs, vlan={}).vlan == Vlan()
    (group,) = read(portgroups=[{"name": "a", "inbound": {"average": 1, "burst": 2}}]).portgroups or ()
    assert (group.inbound, group.outbound, group.default) == (Rate(1, None, 2), Rate(), False)
    assert read(mode="nat", nat_ports={"start": 1, "end": 2}).nat_ports == NatPorts(1, 2)
    assert read(devices=["a", "a"]).devices == ("a",)
    dns = read(
        dns={
            "hosts": [{"ip": "2001:DB8::1", "hostnames": ["a", "b", "a"]}],
            "srv": [{"service": "ldap", "protocol": "tcp", "target": "a", "port": 1}],
        }
    ).dns
    assert dns is not None
    assert dns.hosts == (DnsHost("2001:db8::1", ("a", "b")),)
    assert dns.srv == (DnsSrv("ldap", "tcp", target="a", port=1),)
    assert (dns.enabled, dns.forwarders, dns.txt) == (None, None, None)


def kept(*hosts: dict[str, t.Any], **subnet: t.Any) -> dict[str, t.Any]:
    """Declare reservations."""
    return {"ips": [{**(subnet or SUBNET), "dhcp_hosts": list(hosts)}]}


def given(start: str, end: str, *more: dict[str, str], **subnet: t.Any) -> dict[str, t.Any]:
    """Declare ranges."""
    return {"ips": [{**(subnet or SUBNET), "dhcp_ranges": [{"start": start, "end": end}, *more]}]}


HOST = {"ip": "192.0.2.10", "mac": MAC}
LDAP = {"service": "ldap", "protocol": "tcp"}


@pytest.mark.parametrize(
    ("declared", "option", "words"),
    [
        ({"name": "a/b"}, "name", "not a valid name"),
        ({"ips": [{"address": "192.0.2.1"}]}, "ips[0].address", "no address with a prefix"),
        ({"ips": [{"address": "192.0.2.1/33"}]}, "ips[0].address", "no address with a prefix"),
        ({"ips": [{"address": "192.0.2.0/24"}]}, "ips[0].address", "stands for the subnet itself"),
        ({"ips": [{"address": "192.0.2.255/24"}]}, "ips[0].address", "stands for the subnet itself"),
        ({"ips": [{"address": "192.0.2.1/32"}]}, "ips[0].address", "no address for a guest"),
        ({"ips": [SUBNET, {"address": "192.0.2.129/25"}]}, "ips[1].address", "overlaps with 192.0.2.1/24"),
        (given("192.0.2.9", "192.0.2.300"), "ips[0].dhcp_ranges[0].end", "no IP address"),
        (given("192.0.2.9", "192.0.3.1"), "ips[0].dhcp_ranges[0].end", "outside of 192.0.2.0/24"),
        (given("192.0.2.9", "2001:db8::1"), "ips[0].dhcp_ranges[0].end", "outside of"),
        (given("192.0.2.0", "192.0.2.9"), "ips[0].dhcp_ranges[0].start", "nobody can have"),
        (given("192.0.2.9", "192.0.2.2"), "ips[0].dhcp_ranges[0]", "before its start"),
        (
            given("192.0.2.9", "192.0.2.12", {"start": "192.0.2.12", "end": "192.0.2.13"}),
            "ips[0].dhcp_ranges[1]",
            "overlaps with another range",
        ),
        (given("2001:db8::2", "2001:db8::3", address="2001:db8::1/80"), "ips[0].dhcp_ranges", "can't serve"),
        (kept({**HOST, "ip": "192.0.3.1"}), "ips[0].dhcp_hosts[0].ip", "outside of"),
        (kept({**HOST, "ip": "192.0.2.1"}), "ips[0].dhcp_hosts[0].ip", "host's own address"),
        (kept({**HOST, "mac": "52:54"}), "ips[0].dhcp_hosts[0].mac", "no MAC address"),
        (kept({"ip": "192.0.2.10"}), "ips[0].dhcp_hosts[0]", "whom the address is for"),
        (kept({**HOST, "name": "a b"}), "ips[0].dhcp_hosts[0].name", "no host name"),
        (kept({**HOST, "id": "0:1"}), "ips[0].dhcp_hosts[0].id", "IPv4 does not know it"),
        (kept({"ip": "2001:db8::2", "mac": MAC}, **SUBNET6), "ips[0].dhcp_hosts[0].mac", "IPv6 does not know it"),
        (kept({"ip": "2001:db8::2", "id": "x"}, **SUBNET6), "ips[0].dhcp_hosts[0].id", "no DUID"),
        (kept(HOST, {**HOST, "mac": "52:54:00:00:00:02"}), "ips[0].dhcp_hosts[1].ip", "declared twice"),
        (kept(HOST, {**HOST, "ip": "192.0.2.11"}), "ips[0].dhcp_hosts[1].mac", "declared twice"),
        (
            {
                "ips": [
                    *kept(HOST)["ips"],
                    {"address": "198.51.100.1/24", "dhcp_hosts": [{"ip": "198.51.100.2", "name": "a"}]},
                ]
            },
            "ips",
            "libvirt serves one",
        ),
        ({"routes": [{"address": "198.51.100.1/24", "gateway": "192.0.2.9"}]}, "routes[0].address", "no subnet"),
        ({"routes": [{"address": "198.51.100.0/24", "gateway": "::1"}]}, "routes[0].gateway", "not of IPv4"),
        (
            {"routes": [{"address": "198.51.100.0/24", "gateway": "192.0.3.9"}], "ips": [SUBNET]},
            "routes[0].gateway",
            "in none of ips",
        ),
        (
            {"routes": [{"address": "198.51.100.0/24", "gateway": "192.0.2.9", "metric": 0}]},
            "routes[0].metric",
            "out of range",
        ),
        ({"bridge": "a b"}, "bridge", "no name of a network device"),
        ({"devices": ["eth0", "averyverylongname"]}, "devices[1]", "no name of a network device"),
        ({"nat_ports": {"start": 0, "end": 1}}, "nat_ports.start", "no port"),
        ({"nat_ports": {"start": 2, "end": 1}}, "nat_ports", "before its start"),
        ({"domain": "a..b"}, "domain", "no host name"),
        ({"mtu": 20}, "mtu", "out of range"),
        ({"vlan": {"tags": [4095]}}, "vlan.tags[0]", "no VLAN tag"),
        ({"vlan": {"tags": [1, 1]}}, "vlan.tags", "twice"),
        ({"vlan": {"tags": [1], "native": 2}}, "vlan.native", "none of tags"),
        ({"vlan": {"tags": [1, 2], "trunk": False}}, "vlan.trunk", "only a trunk"),
        ({"vlan": {"trunk": True}}, "vlan.tags", "carries nothing"),
        ({"portgroups": [{"name": ""}]}, "portgroups[0].name", "not a valid name"),
        ({"portgroups": [{"name": "a"}, {"name": "a"}]}, "portgroups", "same name"),
        ({"portgroups": [{"name": x, "default": True} for x in "ab"]}, "portgroups", "two are the default"),
        ({"portgroups": [{"name": "a", "inbound": {"peak": 1}}]}, "portgroups[0].inbound.average", "missing"),
        ({"portgroups": [{"name": "a", "inbound": {"average": 0}}]}, "portgroups[0].inbound.average", "out of range"),
        ({"mode": "isolated", "devices": ["eth0"]}, "devices", "no use for it"),
        ({"mode": "bridge", "bridge": "br0", "mtu": 1400}, "mtu", "no use for it"),
        ({"dns": {"forwarders": [{}]}}, "dns.forwarders[0]", "says nothing"),
        ({"dns": {"forwarders": [{"address": "a"}]}}, "dns.forwarders[0].address", "no IP address"),
        ({"dns": {"forwarders": [{"domain": "-"}]}}, "dns.forwarders[0].domain", "no host name"),
        ({"dns": {"hosts": [{"ip": "::1", "hostnames": []}]}}, "dns.hosts[0].hostnames", "empty"),
        ({"dns": {"hosts": [{"ip": "::1", "hostnames": ["_a"]}]}}, "dns.hosts[0].hostnames[0]", "no host name"),
        ({"dns": {"hosts": [{"ip": "::1", "hostnames": ["a"]}] * 2}}, "dns.hosts[1]", "there twice"),
        ({"dns": {"txt": [{"name": "a b", "value": "x"}]}}, "dns.txt[0].name", "no name of a record"),
        ({"dns": {"txt": [{"name": "a", "value": "x" * 256}]}}, "dns.txt[0].value", "too long"),
        ({"dns": {"srv": [{**LDAP, "service": "_ldap"}]}}, "dns.srv[0].service", "not its name"),
        ({"dns": {"srv": [{**LDAP, "port": 1}]}}, "dns.srv[0].port", "without a target"),
        ({"dns": {"srv": [{**LDAP, "target": "a", "port": 0}]}}, "dns.srv[0].port", "out of range"),
        ({"dns": {"srv": [{**LDAP, "target": "a b"}]}}, "dns.srv[0].target", "no host name"),
    ],
)
def test_bad_input_is_refused(declared: dict[str, t.Any], option: str, words: str) -> None:
    """The sentence names the option, and what is wrong with it."""
    with pytest.raises(SpecError) as caught:
        read(**declared)
    assert caught.value.option == option
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("declared", "option", "words"),
    [
        ({"mode": "bridge"}, "bridge", "missing"),
        ({"mode": "macvtap"}, "devices", "missing"),
        ({"mode": "nat", "domain_local_only": True}, "domain_local_only", "no domain"),
        ({"mode": "nat", "devices": ["a", "b"]}, "devices", "by one device"),
        ({"mode": "bridge", "bridge": "br0", "vlan": {"tags": [1]}}, "vlan", "Open vSwitch"),
        ({"mode": "nat", "portgroups": [{"name": "a", "vlan": {"tags": [1]}}]}, "portgroups", "Open vSwitch"),
        ({"mode": "macvtap", "devices": ["a"], "vlan": {"tags": [1]}}, "vlan", "passthrough"),
    ],
)
def test_what_does_not_go_together_is_refused(declared: dict[str, t.Any], option: str, words: str) -> None:
    """Once it is known what is there already."""
    with pytest.raises(SpecError) as caught:
        plan_network(NetworkSpec.from_params(params(**declared)), None)
    assert caught.value.option == option
    assert words in caught.value.message
