# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the exact engine. ``make exact`` runs them with OR-tools; here a solver that tries everything stands in."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler import engine
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.errors import ScheduleError
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.exact import cpsat
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.exact import engine as exact_engine
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.exact.program import (
    Program,
    Row,
    Solution,
    Solver,
)
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.table import plan_table
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.asking import node, plan
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker import violations
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.problems import (
    ALL,
    crowded,
    questions,
)
from hypothesis import given
from hypothesis import strategies as st

_STEPS = 4_000
EXACT: dict[str, t.Any] = {"engine": "exact"}
BEST = "engine exact proved that nothing places more"


class Everything:
    """Tries everything, what costs something first, up to a number of steps."""

    def __init__(self, program: Program, gains: t.Sequence[int]) -> None:
        """Take the program and what each variable counts."""
        self._program, self._gains = program, gains
        self._order = sorted(range(len(gains)), key=lambda index: gains[index] >= 0)
        self._best: tuple[int, tuple[int, ...]] | None = None
        self._steps = 0
        hint = dict(enumerate(program.hint))
        if hint and self._allows(hint):
            self._best = self._hope(hint), program.hint

    def solution(self) -> Solution | None:
        """Return the best."""
        self._try({})
        return None if self._best is None else Solution(self._best[1], self._steps <= _STEPS)

    def _try(self, values: dict[int, int]) -> None:
        self._steps += 1
        hope = self._hope(values)
        if self._steps > _STEPS or (self._best is not None and hope <= self._best[0]) or not self._allows(values):
            return
        if len(values) == len(self._order):
            self._best = hope, tuple(values[index] for index in range(len(values)))
            return
        index = self._order[len(values)]
        for value in range(self._program.most[index], -1, -1):
            self._try({**values, index: value})

    def _hope(self, values: dict[int, int]) -> int:
        """Return what all variables may be worth at best, with the values that some have."""
        most = zip(self._gains, self._program.most)
        return sum(
            max(0, gain * high) if index not in values else gain * values[index]
            for index, (gain, high) in enumerate(most)
        )

    def _allows(self, values: dict[int, int]) -> bool:
        """Tell whether nothing rules these values out."""
        for row in self._program.rows:
            least = (
                factor * values[index] if index in values else min(0, factor * self._program.most[index])
                for index, factor in row.terms
            )
            if sum(least) > row.most:
                return False
        return all(
            any(index not in values or values[index] < number for index, number in cut) for cut in self._program.cuts
        )


def everything(program: Program, gains: t.Sequence[int]) -> Solution | None:
    """Return the best solution, as a solver does."""
    return Everything(program, gains).solution()


def solver_here() -> Solver:
    """Return OR-tools, or what stands in for it."""
    found = cpsat.find_solver()
    assert found is not None or not os.environ.get("KILONOVA_EXACT"), "make exact is there to run with OR-tools"
    return found or everything


@pytest.fixture(autouse=True)
def _solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_solver", solver_here)


def with_exact(question: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the plan of the exact engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "find_solver", solver_here)
        return answer(Question(**{**question, **EXACT}))


def hosts_of(*memory_mb: int) -> dict[str, t.Any]:
    """Return empty hosts that only differ in memory, none of it reserved."""
    return {f"hv{number}": node(vcpus=64, memory_mb=size) for number, size in enumerate(memory_mb, 1)}


def of_sizes(*memory_mb: int) -> list[dict[str, t.Any]]:
    """Return instances that only differ in memory."""
    return [
        {"name": f"i{number}", "flavor": {"name": f"m{size}", "vcpus": 1, "memory_mb": size, "disk_gb": 0}}
        for number, size in enumerate(memory_mb)
    ]


FREE = {"limits": {"reserved_host_memory_mb": 0}}


def test_solvers_agree() -> None:
    """Rows, cuts and the limits of variables hold."""
    program = Program((3, 2, 1), (Row(((0, 2), (1, 3)), 9), Row(((0, 1), (1, 1), (2, -4)), 0)))
    solve = solver_here()
    for cuts, gains, best in (((), (2, 3, -1), 8), ((((0, 3), (1, 1)),), (2, 3, -1), 7), ((), (0, 0, -1), 0)):
        found = solve(Program(program.most, program.rows, cuts), gains)
        assert found is not None
        assert (sum(gain * value for gain, value in zip(gains, found.values)), found.is_best) == (best, True)
    assert solve(Program((1,), (Row(((0, -1),), -2),)), (1,)) is None


def test_pack_uses_as_few_hosts_as_there_can_be() -> None:
    """The bound is then what is used, and the table says so."""
    result = plan(of_sizes(6, 6, 6, 5), hosts_of(17, 17, 17), policy="pack", **FREE, **EXACT)
    assert result["certificate"]["hosts_used"] == result["certificate"]["lower_bound"] == 2
    assert result["certificate"]["proof"] == "engine exact"
    assert result["engine"] == {"name": "exact", "note": f"{BEST} or uses fewer hosts"}
    assert plan_table(result).splitlines()[-2:] == [
        "2 hosts are used; no plan uses fewer (engine exact)",
        f"{BEST} or uses fewer hosts",
    ]


def test_what_has_no_place_is_proven_to_have_none() -> None:
    """Where sums alone prove nothing: three of 6 do not go into two of 11."""
    result = plan(of_sizes(6, 6, 6), hosts_of(11, 11), **FREE, **EXACT)
    assert len(result["placements"]) == 2
    assert result["engine"]["note"] == BEST
    (verdict,) = result["certificate"]["unplaced_proven"]
    assert (verdict["is_proven"], verdict["message"]) == (True, "1 of 3 have no place in any arrangement: engine exact")


@pytest.mark.parametrize(
    ("instances", "options", "words"),
    [
        (of_sizes(5, 5), {"max_instances_per_host": 1}, "it does not know how to reckon with NumInstancesFilter"),
        (
            [{**one, "group": "g", "group_policy": "soft-affinity"} for one in of_sizes(5, 5)],
            {},
            "it does not know what the wishes of soft groups are worth",
        ),
    ],
)
def test_what_it_does_not_know_is_left_to_the_search(
    instances: list[dict[str, t.Any]], options: dict[str, t.Any], words: str
) -> None:
    """One sentence says so, and the plan is that of the search."""
    searched = plan(instances, hosts_of(11, 11), **options, **FREE)
    result = plan(instances, hosts_of(11, 11), **options, **FREE, **EXACT)
    note = f"engine exact was not used, and it was planned by search: {words}"
    assert result.pop("engine") == {"name": "search", "note": note}
    assert searched.pop("engine") == {"name": "search", "note": ""}
    assert result == searched


def test_large_fleets_are_left_to_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how large is too large."""
    monkeypatch.setattr(exact_engine, "_MOST_VARIABLES", 3)
    result = plan(of_sizes(5, 6), hosts_of(11, 11), **FREE, **EXACT)
    assert "4 pairs of a host and a kind of instance are more than the 3 that it takes" in result["engine"]["note"]


def test_without_or_tools_the_search_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan says what to install."""

    def missing(name: str) -> t.Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(engine, "find_solver", cpsat.find_solver)
    monkeypatch.setattr(cpsat.importlib, "import_module", missing)
    result = plan(of_sizes(5), hosts_of(11), **FREE, **EXACT)
    assert result["engine"] == {"name": "search", "note": exact_engine.MISSING}
    assert plan_table(result).splitlines()[-1] == exact_engine.MISSING


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"engine": "magic"}, "Engine 'magic' is unknown; take one of search, exact."),
        ({"engine": ["exact"]}, "Engine ['exact'] is unknown; take one of search, exact."),
        ({**EXACT, "order": "declared"}, "plans a batch as a whole, which order: declared says not to do"),
        (
            {**EXACT, "policy": "nova", "prefix": "fleet_"},
            "which fleet_policy: nova says not to do; leave one of the two",
        ),
    ],
)
def test_what_cannot_be_asked(options: dict[str, t.Any], text: str) -> None:
    """One sentence says why."""
    with pytest.raises(ScheduleError) as caught:
        plan(of_sizes(5), hosts_of(11), **options)
    assert text in str(caught.value)


@given(st.one_of(questions(ALL, make_room=st.booleans()), crowded(policy=st.sampled_from(["spread", "pack"]))))
def test_the_same_rules_hold(question: dict[str, t.Any]) -> None:
    """Says the checker; and no fewer have a place than the search finds one for."""
    result = with_exact(question)
    assert violations(question, result) == []
    searched = answer(Question(**question))
    if not question.get("make_room"):
        assert len(result["placements"]) >= len(searched["placements"])
        if result["engine"]["note"].startswith(BEST):
            assert result["certificate"]["lower_bound"] >= searched["certificate"]["lower_bound"]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=7),
    st.lists(st.integers(6, 15), min_size=1, max_size=3),
    st.sampled_from(["spread", "pack"]),
)
def test_proofs_of_the_search_hold(sizes: list[int], hosts: list[int], policy: str) -> None:
    """What the search says to be proven, the exact engine never beats; what it proves itself, the search never beats."""
    question: dict[str, t.Any] = {
        "fleet": "demo",
        "instances": of_sizes(*sizes),
        "hosts": hosts_of(*hosts),
        "policy": policy,
        **FREE,
    }
    searched, result = answer(Question(**question)), with_exact(question)
    placed = [len(one["placements"]) for one in (searched, result)]
    assert placed[0] <= placed[1]
    # That one is too large for any host proves nothing of the others.
    if all(one["is_proven"] for one in searched["certificate"]["unplaced_proven"]):
        assert placed[0] == placed[1]
    if policy == "pack" and placed[0] == placed[1] and searched["unplaced"] == result["unplaced"]:
        assert searched["certificate"]["lower_bound"] <= result["certificate"]["hosts_used"]
        assert result["certificate"]["hosts_used"] <= searched["certificate"]["hosts_used"]
