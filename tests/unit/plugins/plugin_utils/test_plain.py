# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for turning Ansible's values into plain data."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.kilonova.compute.plugins.plugin_utils._plain import PlainError, to_plain


def kinds(value: t.Any) -> set[type]:
    """Return the exact types in a value."""
    if isinstance(value, dict):
        return {type(value)}.union(*(kinds(item) | {type(key)} for key, item in value.items()))
    if isinstance(value, list):
        return {type(value)}.union(*(kinds(item) for item in value))
    return {type(value)}


def test_templated_values_become_plain() -> None:
    """Tagged and lazy values, as a filter gets them, come out as the built-in types."""
    source = "{'a': [1, 2.5, 'x', none, true], 'b': {'c': name}}"
    loader = DataLoader()
    variables = {"name": trust_as_template("hv{{ 1 }}"), "data": trust_as_template("{{ " + source + " }}")}
    value = Templar(loader=loader, variables=variables).template(trust_as_template("{{ data }}"))
    plain = to_plain(value, "data")
    assert plain == {"a": [1, 2.5, "x", None, True], "b": {"c": "hv1"}}
    assert kinds(plain) == {dict, list, str, int, float, bool, type(None)}


def test_subclasses_and_tuples() -> None:
    """Whatever a subclass adds is dropped."""

    class Text(str):
        """Text with an opinion."""

        def __str__(self) -> str:
            """Lie."""
            return "other"

    class Number(int):
        """A number."""

    plain = to_plain((Text("a"), Number(3), {Text("k"): ()}), "x")
    assert plain == ["a", 3, {"k": []}]
    assert kinds(plain) == {list, dict, str, int}
    assert json.dumps(plain) == '["a", 3, {"k": []}]'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"a": [1, datetime.date(2026, 1, 1)]},
            r"x.a\[1\] is of type date; write a string.*dates and times need quotes",
        ),
        ({"a": b"x"}, "x.a is of type bytes"),
        ({"a": {1, 2}}, "x.a is of type set"),
        ({"a": object()}, "x.a is of type object"),
        ({"a": float("nan")}, "x.a is nan; it must be a finite number"),
        ([float("inf")], r"x\[0\] is inf"),
        ({1: "a"}, "x has the key 1, which is not a string; put it in quotes"),
    ],
)
def test_what_has_no_plain_form(value: t.Any, message: str) -> None:
    """The place and the remedy are named."""
    with pytest.raises(PlainError, match=message):
        to_plain(value, "x")
