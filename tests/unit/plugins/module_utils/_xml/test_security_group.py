# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of security groups and of what guards a NIC as libvirt's network filters."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.port_filter import PortFilter
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_group import Group, Members
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_rule import Rule
from ansible_collections.kilonova.compute.plugins.module_utils._xml.nwfilter import (
    Content,
    entry,
    read_filter,
    read_filter_uuid,
    write_filter,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.port_filter import port_filters
from ansible_collections.kilonova.compute.plugins.module_utils._xml.security_group import read_group, write_group
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.security import groups
from hypothesis import given
from lxml import etree

UUID = "34bc081e-26ec-402b-a2b5-6bac7d1307c3"
SCHEMA = Path("/usr/share/libvirt/schemas/nwfilter.rng")
WEB = Group(
    "web",
    "Web servers",
    "allow",
    frozenset({Rule(protocol="tcp", port_range_min=80, port_range_max=80, remote_group="db", description="HTTP")}),
    {"db": Members(frozenset({"10.0.0.1"}), frozenset({"10.0.0.2"}))},
)


def valid(text: str) -> bool:
    """Tell whether libvirt's schema takes a filter; that of 9.0 lacks the state of connections over IPv6."""
    document = etree.fromstring(text)
    for element in document.iterfind("rule/*[@state]"):
        if "v6" in element.tag:
            del element.attrib["state"]
    return bool(etree.RelaxNG(etree.parse(SCHEMA)).validate(document))


@given(groups())
def test_a_group_is_read_back_from_its_rules(group: Group) -> None:
    """There is no other place where it is kept."""
    assert read_group(group.name, write_group(group, UUID)) == (group, True)


@given(groups())
def test_a_group_is_what_libvirt_takes(group: Group) -> None:
    """By its own schema."""
    assert valid(write_group(group, UUID))


def test_the_rules_of_a_group() -> None:
    """Each member of a remote group has one, and everything may go out."""
    rules = [
        (rule.get("action"), rule.get("direction"), frozenset([*rule[0].items(), ("tag", rule[0].tag)]))
        for rule in etree.fromstring(write_group(WEB)).iterfind("rule")
    ]
    tcp = {"tag": "tcp", "srcipmask": "32", "dstportstart": "80", "dstportend": "80"}
    expected: list[tuple[str, str, dict[str, str]]] = [
        ("accept", "in", {**tcp, "srcipaddr": "10.0.0.1", "comment": "here db: HTTP"}),
        ("accept", "in", {**tcp, "srcipaddr": "10.0.0.2", "comment": "elsewhere db: HTTP"}),
        ("accept", "out", {"tag": "all", "comment": "egress_default"}),
        ("accept", "out", {"tag": "all-ipv6", "comment": "egress_default"}),
        ("drop", "in", {"tag": "all", "comment": "description: Web servers"}),
    ]
    assert len(rules) == len(expected)
    assert set(rules) == {(action, way, frozenset(matches.items())) for action, way, matches in expected}


def test_a_remote_group_without_members_lets_nobody_in() -> None:
    """Its rule is kept as one that drops what is dropped anyhow."""
    text = write_group(Group("web", rules=WEB.rules))
    assert [rule.get("action") for rule in etree.fromstring(text).iterfind("rule[@direction='in']")] == ["drop"]
    assert read_group("web", text)[0].rules == WEB.rules


@pytest.mark.parametrize(
    "more",
    ["<rule action='accept' direction='inout'/>", "<rule action='accept' direction='in'><tcp comment='x'/></rule>"],
)
def test_what_somebody_else_put_in_is_told(more: str) -> None:
    """So that the next run takes it out."""
    text = write_group(WEB, UUID).replace("</filter>", f"{more}</filter>")
    assert read_group("web", text) == (WEB, False)
    assert read_filter_uuid(text) == UUID


def test_filters_without_what_libvirt_fills_in() -> None:
    """A priority, and an address in another form, are the same to us."""
    text = (
        "<filter name='x'><rule action='drop' direction='in' statematch='0'><ipv6 srcipaddr='2001:DB8::0:1'/></rule>"
        "<filterref filter='y'/></filter>"
    )
    rule = entry("drop", "in", 500, "ipv6", stateless=True, srcipaddr="2001:db8::1")
    content = Content(frozenset({rule}), frozenset({"y"}))
    assert read_filter(text) == content
    assert read_filter(write_filter("x", content)) == content
    assert read_filter_uuid(text) is None


@pytest.mark.parametrize(
    "port", [PortFilter(), PortFilter(("db", "web"), True), PortFilter(("web",)), PortFilter((), True)]
)
def test_what_guards_a_nic(port: PortFilter) -> None:
    """One filter refers to all others, which come before it; libvirt takes each and gives it back."""
    filters = port_filters(port)
    names = list(filters)
    assert names[-1:] == ([port.name] if port.name else [])
    for name, content in filters.items():
        assert content.references <= {*names, "kilonova-group.db", "kilonova-group.web"}
        text = write_filter(name, content, UUID)
        assert valid(text), text
        assert read_filter(text) == content
    references = filters[port.name].references if port.name else frozenset()
    assert {name for name in references if "group" in name} == {f"kilonova-group.{group}" for group in port.groups}
    assert ("kilonova-base" in references) == bool(port.groups)
    assert ("kilonova-clean-arp" in references) == port.port_security
