# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of domain XML as a whole: golden files, libvirt's schema, and what any machine must survive."""

from __future__ import annotations

import re
import sys
import typing as t
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.examples import EXAMPLES, UUID
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._xml.strategies import (
    as_read,
    machines,
    unmet,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

DATA = Path(__file__).parent / "data"
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
HEADER = "<!--\n{}\n-->\n".format(
    "\n".join(line[2:] for line in Path(__file__).read_text(encoding="utf-8").splitlines()[:3])
)
"""The golden files' licence, which is this file's."""
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For a busy machine; a whole machine takes a while to make up."""
BARE = Machine(type="qemu", name="m", memory_kib=65536)
OTHERS = "{https://example.org/others}"


@pytest.fixture(scope="module", name="schema")
def _schema() -> etree.RelaxNG:
    if not SCHEMA.exists():
        pytest.fail(f"libvirt's schema {SCHEMA} is missing: install libvirt-daemon or libvirt-common")
    return etree.RelaxNG(etree.parse(str(SCHEMA)))


def _golden(name: str) -> Path:
    return DATA / f"machine-{name}.xml"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_renders_the_golden_file(name: str) -> None:
    """What is written is what was once looked at and found right."""
    assert HEADER + render(EXAMPLES[name]) == _golden(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_golden_file_is_valid(name: str, schema: etree.RelaxNG) -> None:
    """Libvirt's schema takes every golden file."""
    schema.assertValid(etree.parse(str(_golden(name))))


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_golden_file_reads_back(name: str) -> None:
    """Every golden file reads as the machine it was made from."""
    assert read(_golden(name).read_text(encoding="utf-8")) == as_read(EXAMPLES[name])


def test_no_golden_file_is_forgotten() -> None:
    """Each golden file belongs to an example."""
    assert {path.name for path in DATA.glob("machine-*.xml")} == {_golden(name).name for name in EXAMPLES}


def _without_each(value: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """Give each field of ``value`` and its parts, by class and name, with a copy in which it is at its default."""
    for field in fields(value):
        held = getattr(value, field.name)
        yield f"{type(value).__name__}.{field.name}", replace(value, **{field.name: _default(field, held)})
        if is_dataclass(held):
            for name, part in _without_each(held):
                yield name, replace(value, **{field.name: part})
        elif isinstance(held, tuple) and held and is_dataclass(held[0]):
            for index, item in enumerate(held):
                for name, part in _without_each(item):
                    yield name, replace(value, **{field.name: (*held[:index], part, *held[index + 1 :])})


def _written(machine: Machine) -> str:
    """Return a definition; what cannot be written leaves its trace too."""
    try:
        return render(machine)
    except XmlError as exc:
        return str(exc)


def _default(field: Field[t.Any], held: t.Any) -> t.Any:
    if field.default is not MISSING:
        return field.default
    if isinstance(held, int):
        return held + 1
    return (7,) if isinstance(held, tuple) else held[:-1] + ("2" if held.endswith("1") else "1")


def _declared(kind: t.Any) -> set[str]:
    """Return all fields of ``kind`` and of the classes it is made of, by class and name."""
    names = set()
    for field in fields(kind):
        names.add(f"{kind.__name__}.{field.name}")
        # Annotations are text, and Python 3.9 could not evaluate them.
        for word in re.findall(r"\w+", str(field.type)):
            part = vars(sys.modules[kind.__module__]).get(word)
            if isinstance(part, type) and is_dataclass(part):
                names |= _declared(part)
    return names


def test_golden_files_exercise_every_field() -> None:
    """Each field of a machine and its parts leaves a trace in a golden file."""
    seen = {
        name
        for machine in EXAMPLES.values()
        for name, other in _without_each(machine)
        if _written(other) != render(machine)
    }
    assert seen == _declared(Machine)


@PATIENT
@given(machines())
def test_any_machine_is_valid_and_reads_back(schema: etree.RelaxNG, machine: Machine) -> None:
    """Whatever is rendered fits libvirt's schema and reads back as it was."""
    text = render(machine)
    schema.assertValid(etree.fromstring(text))
    assert read(text) == as_read(machine)


@PATIENT
@given(machines())
def test_edit_with_the_same_machine_changes_nothing(machine: Machine) -> None:
    """A definition edited with what it was made from stays the same to the last character."""
    assert edit(render(machine), machine) == render(machine).rstrip("\n")


@PATIENT
@given(machines())
def test_edit_keeps_what_is_not_set(machine: Machine) -> None:
    """A machine that sets next to nothing changes next to nothing."""
    bare = Machine(type=machine.type, name=machine.name, vcpus=machine.vcpus, os=OsBoot(type=machine.os.type))
    assert edit(render(machine), bare) == render(machine).rstrip("\n")


def _strew(text: str) -> str:
    """Put a comment, an element and an attribute of others into each container of a definition."""
    root = etree.fromstring(text)
    containers = ("domain", "metadata", "os", "features", "cpu", "devices", "disk", "interface", "serial", "graphics")
    for number, element in enumerate([found for found in root.iter(etree.Element) if found.tag in containers]):
        element.set(f"{OTHERS}mark", str(number))
        etree.SubElement(element, f"{OTHERS}thing", number=str(number)).append(etree.Comment(f"note {number}"))
    return etree.tostring(root, encoding="unicode")


def _strewn(text: str) -> list[str]:
    root = etree.fromstring(text)
    things = [thing.get("number", "") for thing in root.iter(f"{OTHERS}thing")]
    marks = [element.get(f"{OTHERS}mark", "") for element in root.iter(etree.Element)]
    return [*things, *filter(None, marks), *(str(comment.text) for comment in root.iter(etree.Comment))]


@PATIENT
@given(machines(), machines())
def test_edit_sets_what_is_set_and_keeps_what_it_does_not_know(
    schema: etree.RelaxNG, before: Machine, wanted: Machine
) -> None:
    """After an edit nothing is left to change, the result is valid, and what others wrote is still there."""
    if "lxc" in (before.type, wanted.type):
        # No edit makes a container of a virtual machine.
        wanted = replace(wanted, type=before.type, os=before.os)
    schema.assertValid(etree.fromstring(edit(render(before), wanted)))
    strewn = _strew(render(before))
    edited = edit(strewn, wanted)
    actual = read(edited)
    assert unmet(wanted, actual) == []
    assert (actual.type, actual.name) == (wanted.type, wanted.name)
    assert actual.uuid == (wanted.uuid or before.uuid)
    assert sorted(_strewn(edited)) == sorted(_strewn(strewn))


@PATIENT
@given(machines(), machines())
def test_edit_writes_the_record_as_one_value(before: Machine, wanted: Machine) -> None:
    """The record is replaced as a whole, but a later version's number stays."""
    actual = read(edit(render(before), wanted)).record
    if wanted.record is None or before.record is None:
        assert actual == (wanted.record or before.record)
    else:
        assert actual == replace(wanted.record, schema=max(wanted.record.schema, before.record.schema))


@PATIENT
@given(
    st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff") | st.sampled_from("\t\r\n")
    )
)
def test_any_name_survives(name: str) -> None:
    """Every character that XML can carry reads back as it was."""
    machine = replace(BARE, name="x" + name, title="y" + name)
    assert (read(render(machine)).name, read(render(machine)).title) == (machine.name, machine.title)


@pytest.mark.parametrize("code", [0x00, 0x07, 0x1B, 0x1F, 0xD800, 0xDCFF, 0xFFFE, 0xFFFF])
def test_refuses_a_name_that_xml_cannot_carry(code: int) -> None:
    """Nothing is bent: what cannot be written is one sentence that names the element."""
    with pytest.raises(XmlError, match=r"of <name> holds a control character, which XML cannot carry\.$"):
        render(replace(BARE, name=f"a{chr(code)}b"))


@pytest.mark.parametrize(
    ("text", "kib"),
    [
        ("<memory>1024</memory>", 1024),
        ("<memory unit='KiB'> 2048 </memory>", 2048),
        ("<memory unit='bytes'>1025</memory>", 2),
        ("<memory unit='b'>4096</memory>", 4),
        ("<memory unit='k'>7</memory>", 7),
        ("<memory unit='KB'>1024</memory>", 1000),
        ("<memory unit='M'>2</memory>", 2048),
        ("<memory unit='MiB'>2</memory>", 2048),
        ("<memory unit='MB'>1</memory>", 977),
        ("<memory unit='G'>1</memory>", 1048576),
        ("<memory unit='gib'>1</memory>", 1048576),
        ("<memory unit='GB'>1</memory>", 976563),
        ("<memory unit='TiB'>1</memory>", 1073741824),
        ("<memory unit='TB'>1</memory>", 976562500),
        ("<memory unit='PiB'>1</memory>", 1099511627776),
        ("<memory unit='EB'>1</memory>", 976562500000000),
        ("", 0),
    ],
)
def test_reads_memory_in_any_unit(text: str, kib: int) -> None:
    """Units are libvirt's: powers of ten or of two, KiB where none is given, rounded up to whole KiB."""
    assert read(f"<domain type='qemu'><name>m</name>{text}</domain>").memory_kib == kib


@pytest.mark.parametrize("text", ["<memory unit='parsec'>1</memory>", "<currentMemory>much</currentMemory>"])
def test_refuses_memory_it_cannot_read(text: str) -> None:
    """An amount that is none is an error and never a guess."""
    with pytest.raises(XmlError, match="is not an amount of memory"):
        read(f"<domain type='qemu'><name>m</name>{text}</domain>")


@pytest.mark.parametrize("text", ["", "<domain>", "<domain type='qemu'>&nothing;</domain>", "no XML at all"])
def test_refuses_what_is_no_xml(text: str) -> None:
    """Broken XML is one sentence."""
    with pytest.raises(XmlError, match=r"^The domain's XML cannot be read: "):
        read(text)


def test_refuses_another_document() -> None:
    """A network's definition is not a domain's."""
    with pytest.raises(XmlError, match=r"is <network> and not <domain>\."):
        edit("<network><name>n</name></network>", BARE)


def test_reads_a_definition_that_says_nothing() -> None:
    """Nothing but a name is enough."""
    assert read("<domain><name>m</name></domain>") == as_read(Machine(type="", name="m", os=OsBoot(type="")))


def test_edit_keeps_numbers_in_their_bounds() -> None:
    """Memory and vCPUs in use cannot exceed a smaller maximum, and the list of single vCPUs goes with the numbers."""
    text = (
        "<domain type='qemu'><name>m</name><memory unit='GiB' dumpCore='off'>4</memory>"
        "<currentMemory unit='GiB'>3</currentMemory><vcpu placement='static' cpuset='0-3' current='6'>8</vcpu>"
        "<vcpus><vcpu id='0' enabled='yes'/></vcpus></domain>"
    )
    shrunk = edit(text, replace(BARE, memory_kib=1048576, vcpus=4))
    assert read(shrunk) == replace(
        read(text),
        memory_kib=1048576,
        current_memory_kib=1048576,
        vcpus=4,
        current_vcpus=4,
        os=OsBoot(smbios_sysinfo=False),
    )
    assert "<vcpus>" not in shrunk
    assert "dumpCore=" in shrunk
    assert "cpuset=" in shrunk
    same = edit(text, replace(BARE, memory_kib=4194304, vcpus=8))
    assert (read(same).current_vcpus, read(same).current_memory_kib) == (6, 3145728)
    assert "<vcpus>" in same


def test_edit_keeps_the_uuid_and_can_rename() -> None:
    """A machine without a UUID leaves the one that is there."""
    edited = read(edit(render(replace(BARE, uuid=UUID)), replace(BARE, name="new")))
    assert (edited.name, edited.uuid) == ("new", UUID)
