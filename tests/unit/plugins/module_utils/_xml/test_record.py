# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the instance's record in a domain's metadata."""

from __future__ import annotations

from dataclasses import replace

import libvirt
import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read, render
from ansible_collections.kilonova.compute.plugins.module_utils._xml.record import (
    NAMESPACE,
    PREFIX,
    read_record,
    render_found_record,
    render_record,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.examples import IN_ACTION, RECORD
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.strategies import records
from hypothesis import given, settings

LATER = f"""<domain type="qemu"><name>m</name><metadata>
  <x:note xmlns:x="https://example.org/x">mine</x:note>
  <k:instance xmlns:k="{NAMESPACE}" schema="4" since="2">
    <k:fleet name="old" region="north"/>
    <k:label name="b" value="1" from="x"/><k:label name="a" value="2"/>
    <k:disk target="vda" pool="p" volume="v" encrypted="yes"/>
    <k:gpu model="g"/>
  </k:instance></metadata></domain>"""


@settings(deadline=None)
@given(records)
def test_any_record_reads_back(record: InstanceRecord) -> None:
    """Alone and within a domain."""
    assert read_record(render_record(record)) == record
    assert read(render(Machine("qemu", "m", record=record))).record == record


def test_libvirt_takes_and_gives_the_element_alone() -> None:
    """Libvirt puts the element into our namespace, and gives it back without."""
    connection = libvirt.open("test:///default")
    domain = connection.defineXML(render(Machine("test", "m", memory_kib=65536)))
    kind, flags = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    domain.setMetadata(kind, render_record(RECORD), PREFIX, NAMESPACE, flags)
    assert read_record(domain.metadata(kind, NAMESPACE, flags)) == RECORD
    assert read(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).record == RECORD
    # All of a process share this node.
    domain.undefine()
    connection.close()


def test_reads_the_element_with_its_namespace() -> None:
    """As it stands in a domain."""
    assert read_record(f'<k:instance xmlns:k="{NAMESPACE}"><k:fleet name="f"/></k:instance>').fleet == "f"


@pytest.mark.parametrize("text", ["<domain/>", '<instance xmlns="https://example.org/other"/>'])
def test_refuses_another_element(text: str) -> None:
    """Other people's metadata is not ours."""
    with pytest.raises(XmlError, match=r"^The instance's record cannot be read: it is <"):
        read_record(text)


def test_a_domain_without_the_element_is_not_ours() -> None:
    """Neither is one with an element of that name in another namespace."""
    assert read("<domain/>").record is None
    assert read("<domain><metadata><instance/></metadata></domain>").record is None


def test_an_empty_element_is_ours() -> None:
    """Everything in it has a default."""
    assert read_record("<instance/>") == InstanceRecord()


@pytest.mark.parametrize(
    ("text", "protected"), [("no", False), ("yes", True), ("true", True), ("", True), ("perhaps", True)]
)
def test_what_is_not_understood_protects(text: str, protected: bool) -> None:
    """A damaged record must not lead to a deletion."""
    assert read_record(f'<instance><protected value="{text}"/></instance>').protected is protected


def test_edit_keeps_what_a_later_version_wrote() -> None:
    """Unknown elements and attributes, the higher number, and other people's metadata."""
    wanted = replace(RECORD, schema=1, labels=(("a", "9"), ("b", "8"), ("c", "7")))
    edited = edit(LATER, Machine("qemu", "m", record=wanted))
    assert read(edited).record == replace(wanted, schema=4)
    for kept in ('since="2"', 'region="north"', 'from="x"', 'encrypted="yes"', '<k:gpu model="g"/>', ">mine</x:note>"):
        assert kept in edited


def test_the_element_alone_keeps_what_a_later_version_wrote() -> None:
    """Written by itself, it holds all that the domain's element held; without one it is a new one."""
    wanted = replace(RECORD, schema=1, labels=(("b", "8"),))
    element = render_found_record(LATER, wanted)
    assert NAMESPACE not in element
    assert read_record(element) == replace(wanted, schema=4)
    for kept in ('since="2"', 'region="north"', 'from="x"', 'encrypted="yes"', '<gpu model="g"/>'):
        assert kept in element
    assert "mine" not in element
    assert read_record(render_found_record("<domain/>", RECORD)) == RECORD


def test_an_action_that_is_over_leaves_nothing() -> None:
    """Neither elements nor attributes."""
    edited = edit(render(Machine("qemu", "m", record=IN_ACTION)), Machine("qemu", "m", record=RECORD))
    assert read(edited).record == RECORD
    for word in ("shelved", "begun", "rescue"):
        assert word not in edited


def test_edit_takes_away_what_the_record_no_longer_has() -> None:
    """A record is one value: labels and disks that are gone go, an element with others' attributes stays."""
    edited = edit(LATER, Machine("qemu", "m", record=InstanceRecord(labels=(("a", "2"),))))
    assert read(edited).record == InstanceRecord(labels=(("a", "2"),), schema=4)
    assert '<k:fleet region="north"/>' in edited
    assert "<k:disk" not in edited
    assert "<k:image" not in edited


def test_edit_without_a_record_leaves_the_one_there() -> None:
    """None is not empty."""
    assert edit(LATER, Machine("qemu", "m")).startswith(LATER[: LATER.index("</metadata>")])


def test_the_same_name_twice_becomes_one() -> None:
    """A list that someone damaged is put right."""
    text = LATER.replace('name="b"', 'name="a"')
    assert len((read(text).record or InstanceRecord()).labels) == 2
    wanted = InstanceRecord(labels=(("a", "2"),), schema=4)
    assert read(edit(text, Machine("qemu", "m", record=wanted))).record == wanted
