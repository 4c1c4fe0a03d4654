# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how NICs of running guests are plugged in anew."""

from __future__ import annotations

from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import attribute, parse
from ansible_collections.kilonova.compute.plugins.module_utils._xml.network_nic import (
    NicPlug,
    defined_macs,
    in_network,
    on_bare_bridge,
    read_owner,
    read_plugs,
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
