# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for plain data as YAML; PyYAML, which cloud-init reads with, says what was written."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.yaml_text import check_text, write_yaml
from hypothesis import example, given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)


@given(PLAIN)
@example(1e16)
@example(1e-7)
@example({"yes": "no", "on": "1e3", "": "0o7", "a": "x\x7f\x85\u2028\ufeff\U0001f600 \n #y: z"})
def test_is_read_back_equal(data: t.Any) -> None:
    """Also where JSON and YAML differ: numbers with an exponent, odd line breaks, words that look like something."""
    assert yaml.safe_load(write_yaml(data, "o")) == data


@given(st.dictionaries(TEXTS, SCALARS, min_size=2, max_size=6))
def test_order_does_not_count(data: dict[str, t.Any]) -> None:
    """Equal data give the same text."""
    assert write_yaml(dict(reversed(data.items())), "o") == write_yaml(data, "o")


def test_the_text_stays_as_it_is() -> None:
    """It is part of digests that are kept: another text for the same data would look like a change."""
    data = {"b": [1, {"c": None}], "a": "x: y", "d": [], "e": {}, "f": 1.5}
    assert write_yaml(data, "o") == (
        '{\n "a": "x: y",\n "b": [\n  1,\n  {\n   "c": null\n  }\n ],\n "d": [],\n "e": {},\n "f": 1.5\n}\n'
    )


@pytest.mark.parametrize("data", [float("nan"), float("-inf"), b"bytes", {1, 2}, "\udc80", {"\udc80": 1}, ["a\0b"]])
def test_what_cannot_be_written_is_refused(data: t.Any) -> None:
    """The option is named."""
    with pytest.raises(SpecError, match=r"^Option user_data: it holds "):
        write_yaml({"key": data}, "user_data")


def test_bytes_are_no_text() -> None:
    """Ansible passes bytes that are not UTF-8 as lone surrogates."""
    assert check_text("o", "Zürich\n") == "Zürich\n"
    with pytest.raises(SpecError, match="not text in UTF-8"):
        check_text("o", b"\x1f\x8b\x08".decode("utf-8", "surrogateescape"))
