# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of JMESPath expressions."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import MissingLibraryError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec import query
from ansible_collections.kilonova.compute.plugins.module_utils._spec.query import Query

ROWS = [{"name": "a", "vcpus": 2}, {"name": "b", "vcpus": 4}]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("[?vcpus > `2`].name", ["b"]),
        ("[0]", ROWS[0]),
        ("length(@)", 2),
        ("[].nothing", []),
        ("nothing", None),
    ],
)
def test_what_it_gives(expression: str, result: t.Any) -> None:
    """Lists, single values and nothing."""
    assert Query.of("query", expression).apply(ROWS) == result


@pytest.mark.parametrize("expression", ["", "foo[", "[?a ==]", "'a", "(" * 5000])
def test_what_cannot_be_understood(expression: str) -> None:
    """It is refused before there is any data, in one line."""
    with pytest.raises(SpecError, match=r"^Option require: this JMESPath expression can't be used \(") as caught:
        Query.of("require", expression)
    assert "\n" not in caught.value.message
    assert "^" not in caught.value.message


@pytest.mark.parametrize("expression", ["nothing(@)", "length([0].vcpus)", "sort_by(@, &nothing)"])
def test_what_does_not_fit_the_data(expression: str) -> None:
    """It is refused in the same way."""
    with pytest.raises(SpecError, match="Option query: this JMESPath expression can't be used"):
        Query.of("query", expression).apply(ROWS)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the option that needs it and the package that has it."""
    monkeypatch.setattr(query, "jmespath", None)
    with pytest.raises(MissingLibraryError, match=r"Option query needs .* jmespath.*python3-jmespath"):
        Query.of("query", "[0]")
