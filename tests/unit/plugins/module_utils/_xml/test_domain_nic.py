# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what an edit of NICs takes away, and what it keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, Nic
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import Rate
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.strategies import read_nic

MAC = "52:54:00:ab:cd:ef"
NIC = (
    "<domain type='kvm'><name>m</name><devices><interface type='network'><mac address='52:54:00:AB:CD:EF'/>"
    "<source network='default' portgroup='blue'/><bandwidth><inbound average='1000'/></bandwidth>"
    "<target dev='tap1'/><model type='virtio'/><driver queues='2'/><filterref filter='clean-traffic'/>"
    "<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></interface></devices></domain>"
)

BEFORE = read_nic(
    Nic(
        MAC,
        "network",
        "default",
        portgroup="blue",
        model="virtio",
        queues=2,
        filter="clean-traffic",
        inbound=Rate(average=1000),
    )
)


def _edited(nic: Nic) -> str:
    return edit(NIC, Machine("kvm", "m", nics=(nic,)))


@pytest.mark.parametrize("mac", [MAC, MAC.upper()])
def test_finds_a_nic_by_its_address_in_any_case(mac: str) -> None:
    """Hexadecimal digits have no case."""
    edited = _edited(Nic(mac, "network", "default", model="e1000"))
    assert read(edited).nics == (replace(BEFORE, model="e1000"),)
    for kept in ("<bandwidth>", "<target", "<driver", "<filterref", "<address"):
        assert kept in edited


@pytest.mark.parametrize("declared", [None, "red"])
def test_another_network_takes_the_old_port_group_away(declared: str | None) -> None:
    """A port group is one of its network; what else the NIC is stays."""
    assert read(_edited(Nic(MAC, "network", "other", portgroup=declared))).nics == (
        replace(BEFORE, source="other", portgroup=declared),
    )


def test_another_type_takes_the_old_source_away() -> None:
    """A network's port group is none of a bridge, and a filter needs one."""
    assert read(_edited(Nic(MAC, "bridge", "br0"))).nics == (
        replace(BEFORE, type="bridge", source="br0", portgroup=None),
    )
    user = _edited(Nic(MAC, "user"))
    assert read(user).nics == (replace(BEFORE, type="user", source=None, portgroup=None, filter=None),)
    assert "<source" not in user


def test_a_new_nic_comes_after_those_that_are_there() -> None:
    """Only the named NIC is added, its address in lower case."""
    nics = read(_edited(Nic("52:54:00:00:00:AA", "user"))).nics
    assert nics == (BEFORE, read_nic(Nic("52:54:00:00:00:aa", "user")))


def test_the_user_mode_stack_has_no_source() -> None:
    """A value that cannot be written is refused and not dropped."""
    with pytest.raises(XmlError, match="of type user cannot have the source 'br0'"):
        render(Machine("qemu", "m", nics=(Nic(MAC, "user", "br0"),)))


def test_reads_a_nic_without_an_address() -> None:
    """Libvirt gives every NIC an address, a file written by hand need not."""
    text = "<domain><devices><interface type='user'/></devices></domain>"
    assert read(text).nics == (read_nic(Nic("", "user")),)


def test_another_filter_takes_the_parameters_of_the_old_one() -> None:
    """They mean something to that filter only; the same filter keeps them."""
    text = NIC.replace(
        "<filterref filter='clean-traffic'/>", "<filterref filter='f'><parameter name='IP'/></filterref>"
    )
    assert "<parameter" in edit(text, Machine("kvm", "m", nics=(Nic(MAC, filter="f"),)))
    changed = edit(text, Machine("kvm", "m", nics=(Nic(MAC, filter="g"),)))
    assert (read(changed).nics[0].filter, "<parameter" in changed) == ("g", False)
    freed = edit(text, Machine("kvm", "m", nics=(Nic(MAC, filter=""),)))
    assert (read(freed).nics[0].filter, "<filterref" in freed) == (None, False)


def test_takes_rates_away() -> None:
    """0 is no limit; with the last one the elements go."""
    freed = _edited(Nic(MAC, inbound=Rate(average=0)))
    assert "<bandwidth" not in freed
    kept = _edited(Nic(MAC, inbound=Rate(peak=0), outbound=Rate(average=5, burst=6)))
    assert read(kept).nics[0].inbound == Rate(1000, 0, 0)
    assert read(kept).nics[0].outbound == Rate(5, 0, 6)


def test_one_vlan_tag_replaces_several() -> None:
    """Several are a trunk, which is not read as one."""
    trunk = NIC.replace("<target", "<vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan><target")
    assert read(trunk).nics[0].vlan is None
    edited = edit(trunk, Machine("kvm", "m", nics=(Nic(MAC, vlan=3),)))
    assert read(edited).nics[0].vlan == 3
    assert "trunk" not in edited
    assert "trunk" in edit(trunk, Machine("kvm", "m", nics=(Nic(MAC),)))


@pytest.mark.parametrize(
    ("name", "address", "written"),
    [
        (None, "192.0.2.7", ["192.0.2.7"]),
        ("clean-traffic", "192.0.2.7 192.0.2.8", ["192.0.2.7", "192.0.2.8"]),
        (None, None, ["192.0.2.1"]),
        (None, "", []),
        ("other", None, []),
        ("", "192.0.2.7", []),
    ],
)
def test_the_address_of_a_filter(name: str | None, address: str | None, written: list[str]) -> None:
    """It is the filter's, beside whatever else that is told."""
    parameters = "<parameter name='IP' value='192.0.2.1'/><parameter name='GATEWAY' value='192.0.2.9'/>"
    whole = f"<filterref filter='clean-traffic'>{parameters}</filterref>"
    text = NIC.replace("<filterref filter='clean-traffic'/>", whole)
    edited = edit(text, Machine("kvm", "m", nics=(Nic(MAC, "network", "default", filter=name, filter_ip=address),)))
    assert read(edited).nics[0].filter_ip == (" ".join(written) or None)
    assert ("GATEWAY" in edited) == (name in (None, "clean-traffic"))
