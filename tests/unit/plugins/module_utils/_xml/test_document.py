# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the parser that trusts nothing, and of a machine without lxml."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ComputeError, MissingLibraryError
from ansible_collections.kilonova.compute.plugins.module_utils._xml import document


@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY e SYSTEM "file:///etc/hostname">',
        '<!ENTITY e "x">',
        '<!ENTITY e0 "x">'
        + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
        + '<!ENTITY e "&e11;">',
        "",
    ],
)
def test_refuses_entities(entities: str) -> None:
    """No file of the machine comes into a definition, and a small text stays small."""
    with pytest.raises(document.XmlError, match=r"^It cannot be read: "):
        document.parse(f"<!DOCTYPE d [{entities}]><domain><name>&e;</name></domain>", "It")
    with pytest.raises(document.XmlError, match=r"^It cannot be read: "):
        document.parse(f"<!DOCTYPE d [{entities}]><domain><name>n</name></domain>", "It")


def test_refuses_nesting_without_end() -> None:
    """The parser's own limits stay on."""
    with pytest.raises(document.XmlError, match=r"^It cannot be read: "):
        document.parse("<a>" * 5000 + "</a>" * 5000, "It")


@pytest.mark.parametrize("text", ["", "<a>", "<a></b>", "text", "<a>\ud800</a>", "<a>\0</a>"])
def test_broken_text_is_one_sentence(text: str) -> None:
    """Whatever is wrong, it is our error and names what was read."""
    with pytest.raises(ComputeError, match=r"^The volume's XML cannot be read: .*\.$"):
        document.parse(text, "The volume's XML")


def test_reads_text_that_claims_another_encoding() -> None:
    """Text is text, whatever its first line says."""
    root = document.parse('<?xml version="1.0" encoding="ISO-8859-1"?><a>Zoë</a>')
    assert root.text == "Zoë"


def test_writes_no_more_than_the_element() -> None:
    """What follows an element in its parent does not come along."""
    root = document.parse("<a><b/>tail</a>")
    assert document.to_text(root.find("b")) == "<b/>"


def test_none_leaves_everything() -> None:
    """Not set means not touched, and nothing is made for it."""
    root = document.parse("<a><b c='1'>t</b></a>")
    document.put(root, "b", None, c=None)
    document.put(root, "d", None, c=None)
    document.set_flag(root, "e", None)
    assert document.to_text(root) == '<a><b c="1">t</b></a>'


def test_sets_and_drops() -> None:
    """Booleans are yes and no, a reserved word is written with an underscore."""
    root = document.new("a", id=1, on=True, class_="c")
    document.put(root, "b", "t", off=False)
    document.set_flag(root, "c", True)
    document.set_flag(root, "c", True)
    document.add(root, "d")
    document.add(root, "d")
    assert document.to_text(root) == '<a id="1" on="yes" class="c"><b off="no">t</b><c/><d/><d/></a>'
    document.set_flag(root, "c", False)
    document.drop(root, "b", "d", "z")
    assert document.to_text(root) == '<a id="1" on="yes" class="c"/>'


@pytest.mark.parametrize(
    ("text", "value"), [("yes", True), ("on", True), ("no", False), ("off", False), ("maybe", None), (None, None)]
)
def test_reads_booleans(text: str | None, value: bool | None) -> None:
    """Libvirt has two pairs of words."""
    assert document.as_bool(text) is value


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("-1", -1), ("x", None), ("", None), (None, None)])
def test_reads_numbers(text: str | None, value: int | None) -> None:
    """What is no number is nothing."""
    assert document.as_int(text) == value


def test_missing_lxml_is_told_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setattr(document, "etree", None)
    monkeypatch.setattr(document, "LXML_IMPORT_ERROR", "No module named 'lxml'")
    with pytest.raises(MissingLibraryError, match=r"No module named 'lxml'\): install python3-lxml"):
        document.parse("<a/>")


def test_imports_without_lxml() -> None:
    """A module can be started where lxml is missing."""
    code = (
        "import sys; sys.modules['lxml'] = None\n"
        "from ansible_collections.kilonova.compute.plugins.module_utils._xml import document, domain\n"
        "from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine\n"
        "from ansible_collections.kilonova.compute.plugins.module_utils._errors import MissingLibraryError\n"
        "try:\n    domain.render(Machine('qemu', 'm'))\n"
        "except MissingLibraryError as exc:\n    sys.exit(0 if 'python3-lxml' in exc.message else 3)\n"
        "sys.exit(4)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert result.returncode == 0
