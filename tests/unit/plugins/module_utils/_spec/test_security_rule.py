# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what can be declared of a security group's rules."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_rule import Rule
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.security import group_spec, rules
from hypothesis import given

TCP = {"protocol": "tcp"}


def read(**declared: t.Any) -> Rule:
    """Return one declared rule."""
    return next(iter(group_spec(rules=[declared]).rules or ()))


@pytest.mark.parametrize(
    ("declared", "rule"),
    [
        ({}, Rule()),
        ({"protocol": "6", "port_range_min": 80}, Rule(protocol="tcp", port_range_min=80, port_range_max=80)),
        ({"protocol": "UDP", "port_range_min": 0, "port_range_max": 65535}, Rule(protocol="udp")),
        ({"protocol": "icmpv6", "icmp_type": 128}, Rule(ethertype="ipv6", protocol="icmpv6", icmp_type=128)),
        ({"remote_cidr": "0.0.0.0/0"}, Rule()),
        ({"remote_cidr": "::/0"}, Rule(ethertype="ipv6")),
        ({"remote_cidr": "2001:DB8::1"}, Rule(ethertype="ipv6", remote_cidr="2001:db8::1/128")),
        ({"remote_group": "db", "description": "ours"}, Rule(remote_group="db", description="ours")),
    ],
)
def test_a_rule_is_read_in_one_form(declared: dict[str, t.Any], rule: Rule) -> None:
    """However it was written: by number, with or without its family, with all ports or none."""
    assert read(**declared) == rule


@pytest.mark.parametrize(
    ("declared", "option", "message"),
    [
        ({"remote_cidr": "10.0.0.0/33"}, "remote_cidr", "is no network"),
        ({"remote_cidr": "10.0.0.1/8"}, "remote_cidr", "has host bits set"),
        ({"remote_cidr": "anywhere"}, "remote_cidr", "is no network"),
        ({"remote_cidr": "10.0.0.0/8", "ethertype": "ipv6"}, "remote_cidr", "is of ipv4, and the rule of ipv6"),
        ({"protocol": "icmp", "ethertype": "ipv6"}, "protocol", "take icmpv6"),
        ({"protocol": "icmpv6", "ethertype": "ipv4"}, "protocol", "take icmp,"),
        ({"protocol": "gre"}, "protocol", "is no protocol that libvirt can filter"),
        ({"protocol": "300"}, "protocol", "is no protocol that libvirt can filter"),
        ({**TCP, "port_range_min": 90, "port_range_max": 80}, "port_range_max", "80 comes before 90"),
        ({**TCP, "port_range_max": 80}, "port_range_max", "without port_range_min"),
        ({**TCP, "port_range_min": 65536}, "port_range_min", "is no port"),
        ({"protocol": "icmp", "port_range_min": 8}, "port_range_min", "protocol icmp has no ports"),
        ({"port_range_min": 8}, "port_range_min", "protocol any has no ports"),
        ({**TCP, "icmp_type": 8}, "icmp_type", "protocol tcp has none"),
        ({"protocol": "icmp", "icmp_type": 256}, "icmp_type", "it is 0 to 255"),
        ({"protocol": "icmp", "icmp_code": 0}, "icmp_code", "without icmp_type"),
        ({"remote_group": "a.b"}, "remote_group", "is not a valid name"),
        ({"description": "x" * 101}, "description", "at most 100 bytes"),
        ({"description": "two\nlines"}, "description", "on one line"),
    ],
)
def test_what_makes_no_rule_is_refused(declared: dict[str, t.Any], option: str, message: str) -> None:
    """And the rule's own option is named."""
    with pytest.raises(SpecError, match=message) as caught:
        read(**declared)
    assert caught.value.option == f"rules[0].{option}"


def test_one_remote_is_enough() -> None:
    """A network and a group together could mean both or either."""
    with pytest.raises(SpecError, match=r"Option rules\[0\]: remote_cidr and remote_group are given together"):
        read(remote_cidr="10.0.0.0/8", remote_group="db")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(), "ingress ipv4 any"),
        (Rule("egress", "ipv6", "udp", 53, 53, remote_group="dns"), "egress ipv6 udp 53 to group dns"),
        (
            Rule("ingress", "ipv4", "tcp", 80, 90, remote_cidr="10.0.0.0/8", description="LAN"),
            "ingress ipv4 tcp 80-90 from 10.0.0.0/8 (LAN)",
        ),
        (Rule(protocol="icmp", icmp_type=3, icmp_code=0), "ingress ipv4 icmp type 3 code 0"),
    ],
)
def test_a_rule_in_words(rule: Rule, words: str) -> None:
    """As it is shown in a diff."""
    assert rule.in_words() == words


@given(rules())
def test_a_rule_declared_as_it_is_read_is_the_same(rule: Rule) -> None:
    """What is written out in full is read as what it came from."""
    names = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "icmp_type", "icmp_code")
    declared = {name: getattr(rule, name) for name in (*names, "remote_cidr", "remote_group", "description")}
    assert read(**declared) == rule
