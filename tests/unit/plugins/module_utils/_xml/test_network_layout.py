# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of virtual networks' XML: golden files, libvirt's schema, and what an edit must leave alone."""

from __future__ import annotations

import typing as t
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.network_drift import compare, merge
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import NetworkIp
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import NatPorts, NetworkLayout
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network_items import render_item
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network_layout import (
    edit_layout,
    read_interface_addresses,
    read_layout,
    render_layout,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.networks import EXAMPLES, layouts
from hypothesis import HealthCheck, given, settings
from lxml import etree

DATA = Path(__file__).parent / "data"
SCHEMA = Path("/usr/share/libvirt/schemas/network.rng")
HEADER = "<!--\n{}\n-->\n".format(
    "\n".join(line[2:] for line in Path(__file__).read_text(encoding="utf-8").splitlines()[:3])
)
"""The golden files' licence, which is this file's."""
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FOREIGN = """
<network connections='2' ipv6='yes' xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>lan</name><uuid>c895c92b-54d9-4595-85ba-4f662a77779a</uuid>
  <metadata><mine xmlns='https://example.org/mine'/></metadata>
  <forward mode='nat' dev='eth0'><nat><address start='203.0.113.1' end='203.0.113.9'/></nat><interface dev='eth0'/></forward>
  <bridge name='virbr1' stp='on' delay='0' zone='home'/><mac address='52:54:00:00:00:01'/>
  <portgroup name='a' trustGuestRxFilters='yes'><virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport></portgroup>
  <dns forwardPlainNames='no'/>
  <ip address='192.0.2.1' netmask='255.255.255.0' localPtr='yes'><tftp root='/srv'/><dhcp>
    <range start='192.0.2.2' end='192.0.2.9'><lease expiry='1' unit='hours'/></range>
    <host mac='52:54:00:00:00:0A' ip='192.0.2.10'><lease expiry='0'/></host><bootp file='x'/></dhcp></ip>
  <ip address='10.0.0.1'/>
  <dnsmasq:options><dnsmasq:option value='x=y'/></dnsmasq:options>
</network>
"""


@pytest.fixture(scope="module", name="schema")
def _schema() -> etree.RelaxNG:
    if not SCHEMA.exists():
        pytest.fail(f"libvirt's schema {SCHEMA} is missing: install libvirt-daemon or libvirt-common")
    return etree.RelaxNG(etree.parse(str(SCHEMA)))


def _golden(name: str) -> Path:
    return DATA / f"network-{name}.xml"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_renders_the_golden_file(name: str, schema: etree.RelaxNG) -> None:
    """What is written is what was once looked at and found right, is valid, and reads back."""
    assert HEADER + render_layout(name, EXAMPLES[name]) == _golden(name).read_text(encoding="utf-8")
    schema.assertValid(etree.parse(str(_golden(name))))
    assert read_layout(_golden(name).read_text(encoding="utf-8")) == EXAMPLES[name]


def test_no_golden_file_is_forgotten() -> None:
    """Each golden file belongs to an example."""
    assert {path.name for path in DATA.glob("network-*.xml")} == {_golden(name).name for name in EXAMPLES}


def _set_fields(value: t.Any) -> t.Iterator[str]:
    """Give each field that is not empty, of a network and of all that is in it."""
    for field in fields(value):
        held = getattr(value, field.name)
        if held not in (None, "", (), 0, False):
            yield f"{type(value).__name__}.{field.name}"
        for part in held if isinstance(held, tuple) else (held,):
            if is_dataclass(part):
                yield from _set_fields(part)


def _all_fields(value: t.Any) -> t.Iterator[str]:
    for field in fields(value):
        yield f"{type(value).__name__}.{field.name}"
        held = getattr(value, field.name)
        for part in held if isinstance(held, tuple) else (held,):
            if is_dataclass(part):
                yield from _all_fields(part)


def test_golden_files_exercise_every_field() -> None:
    """Since they read back, each field that is set in one of them is written and read."""
    declared = {name for layout in EXAMPLES.values() for name in _all_fields(layout)}
    assert {name for layout in EXAMPLES.values() for name in _set_fields(layout)} == declared


@PATIENT
@given(layouts())
def test_any_network_is_valid_and_reads_back(schema: etree.RelaxNG, layout: NetworkLayout) -> None:
    """Whatever can be declared."""
    text = render_layout("lan", layout)
    schema.assertValid(etree.fromstring(text))
    assert read_layout(text) == layout


@PATIENT
@given(layouts(("nat", "isolated")), layouts(("nat", "isolated")))
def test_any_edit_is_valid_and_complete(schema: etree.RelaxNG, before: NetworkLayout, after: NetworkLayout) -> None:
    """Nothing differs afterwards, and an edit that changes nothing changes no letter."""
    text = edit_layout(render_layout("lan", before), after)
    schema.assertValid(etree.fromstring(text))
    drift = compare(read_layout(text), after)
    assert (drift.settings, drift.items) == ({}, {})
    assert edit_layout(text, after) == text


def test_what_is_not_known_here_survives(schema: etree.RelaxNG) -> None:
    """All but who is plugged in, which is no part of a definition."""
    schema.assertValid(etree.fromstring(FOREIGN))
    found = read_layout(FOREIGN)
    subnet, classful = found.ips or ()
    assert (subnet.address, classful.address) == ("192.0.2.1/24", "10.0.0.1/8")
    assert found.nat_ports == NatPorts(1024, 65535)
    wanted = replace(merge(NetworkLayout(mtu=1400, nat_ipv6=True, domain="a.example"), found), devices=("eth1",))
    text = edit_layout(FOREIGN, wanted)
    schema.assertValid(etree.fromstring(text))
    for word in ("connections", "eth0"):
        assert word not in text
    for word in (
        "<lease expiry",
        "<tftp",
        "<bootp",
        "forwardPlainNames",
        "profileid",
        "trustGuestRxFilters",
        "zone=",
        "203.0.113.1",
        "dnsmasq:option",
        "<mine",
        "c895c92b",
        "localPtr",
    ):
        assert text.count(word) == FOREIGN.count(word)
    assert read_layout(text) == wanted


def test_a_range_that_changes_goes_with_its_lease_time() -> None:
    """And another subnet with all that it had."""
    found = read_layout(FOREIGN)
    text = edit_layout(FOREIGN, replace(found, ips=(NetworkIp("192.0.2.1/24", (), ()),)))
    assert "<range" not in text
    assert "10.0.0.1" not in text
    assert "<bootp" in text


def test_items_are_rendered_alone() -> None:
    """As libvirt's calls take them."""
    ip, _six = EXAMPLES["nat"].ips or ()
    first, *_rest = ip.dhcp_hosts or ()
    assert render_item(first) == '<host mac="52:54:00:00:00:01" name="printer" ip="192.0.2.10"/>'
    assert render_item("eth0") == '<interface dev="eth0"/>'


def test_an_interface_of_the_host_tells_its_addresses() -> None:
    """Where it has any."""
    text = (
        "<interface type='ethernet' name='eth0'><protocol family='ipv4'><ip address='192.0.2.5' prefix='24'/></protocol>"
        "<protocol family='ipv6'><ip address='2001:db8::5' prefix='64'/></protocol></interface>"
    )
    assert read_interface_addresses(text) == ("eth0", ("192.0.2.5/24", "2001:db8::5/64"))
    assert read_interface_addresses("<interface name='lo'/>") == ("lo", ())
