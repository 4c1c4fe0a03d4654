# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the filter due_moves: what of a plan is still right after some of it failed."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.due_moves import EXAMPLES, FilterModule, due_moves


def move(name: str, origin: str, target: str, wave: int = 1, **more: t.Any) -> dict[str, t.Any]:
    """Return a row of a plan."""
    return {"name": name, "fleet": "demo", "from": origin, "to": target, "wave": wave, **more}


def test_all_of_a_wave_while_nothing_failed() -> None:
    """And of that wave only, with all that the plan says of it."""
    moves = [move("a", "1", "2", memory_mb=5), move("b", "1", "3", 2), move("c", "2", "3", 2)]
    assert due_moves(moves, 1) == {"due": moves[:1], "stopped": []}
    assert due_moves(moves, 2, []) == {"due": moves[1:], "stopped": []}


def test_what_depends_on_a_failed_move_is_stopped() -> None:
    """What goes to where it stayed, and itself; what comes from there, or goes where it should have gone, goes on."""
    failed = move("a", "2", "3")
    moves = [failed, move("a", "3", "1", 2), move("b", "1", "2", 2), move("c", "2", "1", 2), move("d", "1", "3", 2)]
    found = due_moves(moves, 2, [{**failed, "why": "no route"}])
    assert found["due"] == moves[3:]
    assert [(one["name"], one["why"]) for one in found["stopped"]] == [
        ("a", "a was not moved from 3 to 1, because it is still on 2."),
        ("b", "b was not moved from 1 to 2, because a did not leave 2."),
    ]


def test_stopping_goes_on_from_wave_to_wave() -> None:
    """What was stopped itself stops what depends on it."""
    moves = [move("a", "2", "3"), move("b", "1", "2", 2), move("c", "3", "1", 3)]
    stopped = due_moves(moves, 2, moves[:1])["stopped"]
    assert due_moves(moves, 3, moves[:1])["due"] == moves[2:]
    assert due_moves(moves, 3, [*moves[:1], *stopped])["stopped"][0]["name"] == "c"


def test_what_is_known_not_to_be_moved_is_not_told_again() -> None:
    """An instance of another fleet may have the name."""
    first, other = move("a", "1", "2"), {**move("a", "2", "3"), "fleet": "other"}
    assert due_moves([first, other], 1, [first]) == {"due": [other], "stopped": []}


def test_the_example() -> None:
    """What the documentation shows works."""
    (task,) = yaml.safe_load(EXAMPLES)
    moves = task["vars"]["moves"]
    assert [one["name"] for one in due_moves(moves, 2, moves[:1])["stopped"]] == ["b"]
    assert set(FilterModule().filters()) == {"due_moves"}


@pytest.mark.parametrize("moves", [[{"name": "a"}], 5, ["a"]])
def test_not_a_plan(moves: t.Any) -> None:
    """One sentence says what is wanted."""
    with pytest.raises(AnsibleFilterError, match="not moves"):
        due_moves(moves, 1)
