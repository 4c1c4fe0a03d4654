# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what goes out of a series, and of instants."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instant import read_instant, written
from ansible_collections.kilonova.compute.plugins.module_utils._spec.retention import Retention
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 4_000_000_000))
def test_an_instant_comes_back(seconds: int) -> None:
    """To the second."""
    assert read_instant(written(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-23", "2026-11-23T05:00:00+01:00"])
def test_other_texts_are_no_instants(text: str) -> None:
    """Nothing is guessed."""
    assert read_instant(text) is None


@given(
    taken=st.lists(st.integers(0, 1000), max_size=8),
    keep=st.none() | st.integers(1, 9),
    seconds=st.none() | st.integers(0, 1000),
    declared=st.integers(0, 8),
)
def test_what_any_rule_keeps_stays(taken: list[int], keep: int | None, seconds: int | None, declared: int) -> None:
    """The declared one always does, and with it as many of the newest, and all that are young."""
    known = [(f"n{number}", float(when)) for number, when in enumerate(sorted(taken))]
    gone = Retention("n", keep, seconds).surplus(known, f"n{declared}", 1000.0)
    older = [(name, when) for name, when in known if name != f"n{declared}"]
    young = older[len(older) - min(len(older), (keep or 1) - 1) :] if keep is not None else []
    assert f"n{declared}" not in gone
    assert not {name for name, _when in young} & set(gone)
    if seconds is not None:
        assert all(dict(known)[name] < 1000 - seconds for name in gone)
    assert Retention("x", 1).surplus(known, "x", 1000.0) == []


@pytest.mark.parametrize(
    ("option", "params"),
    [
        ("retention", {}),
        ("retention.keep", {"keep": 0}),
        ("retention.older_than", {"older_than": "soon"}),
        ("retention.prefix", {"keep": 1, "prefix": "other-"}),
        ("retention.prefix", {"keep": 1, "prefix": ""}),
    ],
)
def test_bad_rules_are_refused(option: str, params: dict[str, t.Any]) -> None:
    """By the option's name."""
    with pytest.raises(SpecError) as caught:
        Retention.of("backup", "nightly-1", {"prefix": "nightly-", "keep": None, "older_than": None, **params})
    assert caught.value.option == option
