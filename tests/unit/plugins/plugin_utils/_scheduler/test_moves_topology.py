# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What runs and has CPUs, pages and devices to itself is moved only to where it finds such ones, whoever plans the move."""

from __future__ import annotations

import copy
import itertools
import typing as t

from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.commands import ask as ask_moves
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker import FIELDS, violations
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.problems import (
    ALL,
    FLEET,
    crowded,
    questions,
    remove,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.settled import settle, settled
from hypothesis import given
from hypothesis import strategies as st

Data = dict[str, t.Any]
MOVES: dict[str, t.Any] = {
    "fix_violations": st.booleans(),
    "make_room": st.booleans(),
    "make_room_cost": st.sampled_from([None, None, 600]),
}
MOVING = {**MOVES, "policy": st.sampled_from(["spread", "pack", "nova"])}
MOVED_TOO = ALL - {"hints"}
"""Hints are about where others are at the moment of a move, which the checker does not follow."""


changing = st.one_of(
    settled(**MOVING),
    settled(**MOVING),
    crowded(**MOVING),
    questions(ALL, ("spread", "pack"), **MOVES),
)


@given(changing)
def test_making_room_and_putting_right_break_no_rule(question: Data) -> None:
    """Says the checker, of what is new and of what is moved for it or because it broke a rule."""
    assert violations(question, answer(Question(**question))) == []


@given(settled(**MOVING))
def test_the_order_of_hosts_means_nothing_to_moves(question: Data) -> None:
    """The same moves, and the same cells and CPUs."""
    turned = {**question, "hosts": dict(reversed(question["hosts"].items()))}
    one, other = answer(Question(**question)), answer(Question(**turned))
    assert (one["by_host"], one["migrations"]) == (other["by_host"], other["migrations"])


def moves_question(question: Data) -> Data:
    """Return a question about moves of what runs, each as big as it is declared."""
    declared = {instance["name"]: instance for instance in question["instances"]}
    for host in question["hosts"].values():
        for guest in host.get("instances", []):
            if guest["fleet"] == FLEET and guest["name"] in declared:
                for key, _total, used, *_rest in FIELDS:
                    host[used] += declared[guest["name"]]["flavor"][key] - guest[key]
                    guest[key] = declared[guest["name"]]["flavor"][key]
    common = ("hosts", "instances", "fleet", "limits", "aggregates")
    return {**{key: question[key] for key in common if key in question}, "pinned": ["old0", "old1"]}


class Replay:
    """Carries moves out: each host lets what comes lie where its own allocator puts it."""

    def __init__(self, question: Data) -> None:
        """Take a copy of the question."""
        self.question = question
        self.hosts: Data = copy.deepcopy(question["hosts"])
        self._declared = {instance["name"]: instance for instance in question["instances"]}
        self._told: dict[str, Data] = {}
        self._places: dict[str, str] = {}

    def run(self, moves: t.Sequence[Data]) -> list[str]:
        """Return what is wrong."""
        for _wave, made in itertools.groupby(moves, key=lambda move: move["wave"]):
            wave = list(made)
            for host in sorted({move["to"] for move in wave}):
                names = [move["name"] for move in wave if move["to"] == host]
                if not any(self._arrive(host, order) for order in itertools.permutations(names)):
                    return [f"{host} has no room for {names} in wave {wave[0]['wave']}"]
            for move in wave:
                remove(self.hosts[move["from"]], move["name"])
        return self._judged()

    def _arrive(self, name: str, order: t.Sequence[str]) -> bool:
        host, told = copy.deepcopy(self.hosts[name]), {}
        for one in order:
            given_to_it = settle(name, host, self._declared[one])
            if given_to_it is None:
                return False
            told[one] = given_to_it
        self.hosts[name] = host
        self._told.update(told)
        self._places.update(dict.fromkeys(order, name))
        return True

    def _judged(self) -> list[str]:
        """Return what the checker says of where everything is in the end."""
        homes = {
            guest["name"]: name
            for name, host in self.question["hosts"].items()
            for guest in host.get("instances", [])
            if guest["fleet"] == FLEET
        }
        moved = {name: host for name, host in self._places.items() if homes[name] != host}
        by_host: Data = {name: [] for name in self.hosts}
        for name, host in moved.items():
            by_host[host].append({"name": name, **self._told.get(name, {})})
        plan = {
            "placements": [
                {"name": name, "host": host, "from": homes[name], "action": "migrate"} for name, host in moved.items()
            ],
            "unplaced": [{"name": name} for name in self._declared if name not in moved],
            "by_host": by_host,
            "removed": [{"name": name, "host": host} for name, host in homes.items() if name not in self._declared],
        }
        return violations({**self.question, "make_room": True}, plan)


anything = st.one_of(settled(), questions(MOVED_TOO), crowded())


@given(anything, st.data())
def test_what_leaves_a_drained_host_finds_its_parts(question: Data, data: st.DataObject) -> None:
    """Every wave, whichever of its moves comes first; and of what stays it is said why."""
    asked = moves_question(question)
    drained = data.draw(st.sampled_from(sorted(asked["hosts"])))
    options = data.draw(
        st.fixed_dictionaries({"policy": st.sampled_from(["spread", "pack"]), "make_room": st.booleans()})
    )
    plan = ask_moves("drain", {**asked, **options, "drained": [drained]})
    assert Replay(asked).run(plan["moves"]) == []
    assert all(one["why"] for one in plan["left"])


@given(anything, st.sampled_from([{}, {"prefer": "memory"}, {"concurrent_per_host": 1}]))
def test_what_is_evened_out_finds_its_parts(question: Data, options: Data) -> None:
    """Every wave; and once it is done, nothing is moved again."""
    asked = moves_question(question)
    plan = ask_moves("rebalance", {**asked, **options, "threshold": 0})
    replay = Replay(asked)
    assert replay.run(plan["moves"]) == []
    again = ask_moves("rebalance", {**asked, **options, "threshold": 0, "hosts": replay.hosts})
    assert Replay({**asked, "hosts": replay.hosts}).run(again["moves"]) == []
