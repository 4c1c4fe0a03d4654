# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how NICs of running guests are plugged in anew."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import attribute, parse
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network_nic import (
    NicPlug,
    by_its_network,
    defined_macs,
    has_limits,
    in_network,
    is_alike,
    is_switched,
    network_of,
    on_bare_bridge,
    plugged_over,
    read_owner,
    read_plugs,
    with_what_its_group_gives,
)

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
RUNNING = """
<domain><devices>
  <interface type='network'><mac address='52:54:00:00:00:01'/>
    <source network='lan' portgroup='red' portid='7a4a1b0e-0000-4000-8000-000000000001' bridge='virbr1'/>
    <bandwidth><inbound average='100'/></bandwidth><target dev='vnet0'/><model type='virtio'/>
    <filterref filter='mine'/><link state='up'/><port isolated='yes'/><alias name='net0'/></interface>
  <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface>
</devices></domain>
"""
DEFINED = """
<domain><devices>
  <interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan' portgroup='red'/>
    <model type='virtio'/><filterref filter='next'/></interface>
  <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface>
</devices></domain>
"""


def test_plugs_are_read() -> None:
    """With the port that a NIC says it has."""
    first, second = read_plugs(RUNNING)
    assert first == NicPlug(MAC, "lan", "virbr1", "7a4a1b0e-0000-4000-8000-000000000001")
    assert second == NicPlug(OTHER, None, "br0", None)
    assert defined_macs(DEFINED, "lan") == {MAC}
    assert read_owner("<networkport><owner><name>web</name></owner></networkport>") == "web"


def test_a_nic_waits_on_the_bare_bridge() -> None:
    """With its cable pulled and without its filter; what it is for the guest stays."""
    nic = parse(on_bare_bridge(RUNNING, MAC, "virbr2"))
    assert (nic.get("type"), dict(nic.find("source").attrib)) == ("bridge", {"bridge": "virbr2"})
    assert attribute(nic, "link", "state") == "down"
    assert [part.tag for part in nic] == ["mac", "target", "model", "link", "alias", "source"]


def test_a_nic_goes_back_as_it_was() -> None:
    """With the filter that it runs with, and without what its network or port group gave it."""
    nic = parse(in_network(RUNNING, DEFINED, MAC, "lan"))
    assert (nic.get("type"), dict(nic.find("source").attrib)) == ("network", {"network": "lan", "portgroup": "red"})
    assert (attribute(nic, "filterref", "filter"), attribute(nic, "link", "state")) == ("mine", "up")
    assert (nic.find("bandwidth"), nic.find("port")) == (None, None)
    assert attribute(nic, "target", "dev") == "vnet0"


def test_a_nic_that_was_left_waiting_goes_back_as_it_is_defined() -> None:
    """Its cable and its filter too."""
    waiting = RUNNING.replace(RUNNING[RUNNING.index("  <interface") : RUNNING.index("  <interface type='bridge'")], "")
    waiting = waiting.replace("<devices>", f"<devices>{on_bare_bridge(RUNNING, MAC, 'virbr1')}")
    for state, link in (("", "up"), ("<link state='down'/>", "down")):
        defined = DEFINED.replace("<filterref filter='next'/>", f"<filterref filter='next'/>{state}")
        nic = parse(in_network(waiting, defined, MAC, "lan"))
        assert (attribute(nic, "filterref", "filter"), attribute(nic, "link", "state")) == ("next", link)
        assert attribute(nic, "source", "network") == "lan"


def test_a_nic_that_is_to_be_elsewhere_next_time_keeps_what_it_runs_with() -> None:
    """Since its definition is of something else."""
    nic = parse(in_network(RUNNING, DEFINED.replace("network='lan'", "network='other'"), MAC, "lan"))
    assert dict(nic.find("source").attrib) == {"network": "lan", "portgroup": "red"}
    assert attribute(nic, "port", "isolated") == "yes"


SWITCHED = """
<interface type='bridge'><mac address='52:54:00:00:00:01'/>
  <source network='lan' portgroup='red' portid='7a4a1b0e-0000-4000-8000-000000000001' bridge='ovs0'/>
  <vlan><tag id='10'/></vlan><virtualport type='openvswitch'><parameters interfaceid='i'/></virtualport>
  <bandwidth><inbound average='100'/></bandwidth><target dev='vnet0'/></interface>
"""
OWN = "<interface type='network'><source network='lan'/><bandwidth><outbound average='5'/></bandwidth></interface>"


def test_a_nic_is_told_by_its_network() -> None:
    """Whatever the network made of it; one that is in none stays as it is."""
    told = parse(by_its_network(SWITCHED))
    assert (told.get("type"), dict(told.find("source").attrib)) == ("network", {"network": "lan", "portgroup": "red"})
    bare = '<interface type="bridge"><source bridge="br0"/></interface>'
    assert by_its_network(bare) == bare
    assert (network_of(SWITCHED), network_of(bare)) == ("lan", "")
    assert (is_switched(SWITCHED), is_switched(bare)) == (True, False)


def test_another_group_takes_away_what_the_one_before_gave() -> None:
    """What is the NIC's own comes back. On Open vSwitch the port stays the same one, which its number tells."""
    moved = parse(plugged_over(SWITCHED, OWN))
    assert [part.tag for part in moved] == ["mac", "source", "virtualport", "target", "bandwidth"]
    assert moved.find("bandwidth/outbound") is not None
    elsewhere = parse(plugged_over(SWITCHED.replace("openvswitch", "other"), OWN))
    assert elsewhere.find("virtualport") is None
    assert (has_limits(SWITCHED), has_limits("<interface><bandwidth/></interface>")) == (True, False)


@pytest.mark.parametrize(
    ("group", "own", "tags"),
    [
        ("red", "", ["10", "11"]),
        ("blue", "", ["1"]),
        (None, "", ["30"]),
        ("red", "<vlan><tag id='5'/></vlan>", ["5"]),
        ("none", "", ["1"]),
    ],
)
def test_the_vlans_are_those_of_the_nic_or_the_group_or_the_network(
    group: str | None, own: str, tags: list[str]
) -> None:
    """In this order, and the default group's where none is named."""
    network = (
        "<network><vlan><tag id='1'/></vlan><portgroup name='red'><vlan trunk='yes'><tag id='10'/><tag id='11'/></vlan>"
        "</portgroup><portgroup name='blue'/><portgroup name='x' default='yes'><vlan><tag id='30'/></vlan></portgroup></network>"
    )
    named = f" portgroup='{group}'" if group else ""
    nic = f"<interface><source network='lan'{named}/>{own}</interface>"
    told = parse(with_what_its_group_gives(nic, network))
    assert [tag.get("id") for tag in told.iterfind("vlan/tag")] == tags
    assert len(told.findall("vlan")) == 1
    bare = '<interface><source network="lan"/></interface>'
    assert with_what_its_group_gives(bare, "<network/>") == bare


def test_the_limits_are_those_of_the_nic_or_the_group() -> None:
    """Those of the network are what all its NICs have together."""
    rates = "<bandwidth><inbound average='{}'/></bandwidth>"
    network = f"<network>{rates.format(1)}<portgroup name='red'>{rates.format(2)}</portgroup></network>"
    for group, own, limit in (("red", "", "2"), ("red", rates.format(3), "3"), ("blue", "", None)):
        nic = f"<interface><source network='lan' portgroup='{group}'/>{own}</interface>"
        assert attribute(parse(with_what_its_group_gives(nic, network)), "bandwidth/inbound", "average") == limit


def test_nics_are_alike_by_what_they_get() -> None:
    """However their elements are written, and whatever else they are."""
    one = "<interface><bandwidth><inbound average='1' peak='2'/></bandwidth><vlan><tag id='1'/></vlan></interface>"
    assert is_alike(
        one, one.replace("average='1' peak='2'", "peak='2' average='1'").replace("<vlan>", "<link/> <vlan>")
    )
    for other in (one.replace("id='1'", "id='2'"), one.replace("peak='2'", ""), "<interface/>"):
        assert not is_alike(one, other)
