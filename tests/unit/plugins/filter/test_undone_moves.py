# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the filter undone_moves: what tasks returned, and what that says of each move."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.undone_moves import EXAMPLES, FilterModule, undone_moves

MOVES = [{"name": name, "from": "1", "to": "2", "wave": 1} for name in "abc"]
LABEL = "{} was not moved from 1 to 2"


def test_all_were_made() -> None:
    """Or were there already."""
    entries = [{"name": "a", "changed": True}, {"name": "b", "changed": False}, {"name": "c", "changed": True}]
    assert undone_moves(MOVES, [{"changed": True, "migrations": entries}]) == {"failed": [], "waiting": []}


def test_some_failed() -> None:
    """Those that were made in spite of that are done, and what was not begun waits."""
    entries = [
        {"name": "a", "changed": False, "failed": True, "msg": "no room"},
        {"name": "b", "changed": True},
        {"name": "c", "changed": False},
    ]
    found = undone_moves(MOVES, [{"failed": True, "msg": "1 of 3 moves failed.", "migrations": entries}])
    assert found["failed"] == [{**MOVES[0], "why": f"{LABEL.format('a')}: no room"}]
    assert found["waiting"] == [{**MOVES[2], "why": f"{LABEL.format('c')}, since others could not be."}]


@pytest.mark.parametrize("result", [{"failed": True, "msg": "no route"}, {"unreachable": True, "msg": "no route"}])
def test_a_task_that_failed_as_a_whole(result: dict[str, t.Any]) -> None:
    """Nothing of it was moved as far as anybody knows, and the moves of another task are not touched by that."""
    found = undone_moves(MOVES[:2], [result, {"migrations": [{"name": "b", "changed": True}]}])
    assert [one["why"] for one in found["failed"]] == [f"{LABEL.format('a')}: no route"]
    assert undone_moves(MOVES[:1], [])["failed"][0]["why"].endswith(": no task had it")


def test_the_example() -> None:
    """What the documentation shows works."""
    (task,) = yaml.safe_load(EXAMPLES)
    found = undone_moves(task["vars"]["moves"], [task["vars"]["result"]])
    assert [[one["name"] for one in found[key]] for key in ("failed", "waiting")] == [["a"], ["b"]]
    assert set(FilterModule().filters()) == {"undone_moves"}


@pytest.mark.parametrize("results", [5, ["a"]])
def test_no_results(results: t.Any) -> None:
    """One sentence says what is wanted."""
    with pytest.raises(AnsibleFilterError, match="not moves with their results"):
        undone_moves(MOVES, results)
