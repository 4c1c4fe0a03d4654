# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""No plan breaks a rule, says a checker that was written from the rules; and the checker sees what is wrong."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import fields

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker import violations
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.problems import (
    ALL,
    carried_out,
    questions,
)
from hypothesis import given
from hypothesis import strategies as st

KNOWN = {field.name for field in fields(Question)}
# What the scheduler does not know yet is not asked for.
KINDS = ALL if "aggregates" in KNOWN else frozenset()


def ask(question: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the plan."""
    return answer(Question(**question))


@given(questions(KINDS, ("spread", "pack", "nova"), order=st.sampled_from(["batch", "declared"])))
def test_plans_break_no_rule(question: dict[str, t.Any]) -> None:
    """Whatever is asked: what the plan makes or moves is right where it comes to lie."""
    assert violations(question, ask(question)) == []


@given(questions(KINDS, ("spread", "pack", "nova"), order=st.sampled_from(["batch", "declared"])))
def test_what_was_carried_out_stays(question: dict[str, t.Any]) -> None:
    """The next plan keeps all of it, and breaks no rule either."""
    question["purge"] = False
    plan = ask(question)
    after = carried_out(question, plan)
    again = ask(after)
    assert violations(after, again) == []
    places = {item["name"]: item["host"] for item in plan["placements"]}
    assert {item["name"]: item["host"] for item in again["placements"] if item["name"] in places} == places


def node(**changes: t.Any) -> dict[str, t.Any]:
    """Return a host with room for four."""
    room = {"vcpus": 4, "vcpus_used": 0, "memory_mb": 4608, "memory_mb_used": 0, "local_gb": 40, "local_gb_used": 0}
    return {"state": "up", "instances": [], **room, **changes}


def guest(name: str, **changes: t.Any) -> dict[str, t.Any]:
    """Return what runs already."""
    return {"name": name, "fleet": "demo", "vcpus": 1, "memory_mb": 1024, "disk_gb": 1, **changes}


FLAVOR = {"name": "f", "vcpus": 1, "memory_mb": 1024, "disk_gb": 1}
APART = {"group": "g", "group_policy": "anti-affinity"}
NEAR = {"group": "g", "group_policy": "affinity"}


def said(hosts: dict[str, t.Any], instances: dict[str, t.Any], places: dict[str, str], **options: t.Any) -> list[str]:
    """Return what the checker says of a plan that puts instances at ``places``, as new where they are nowhere."""
    question = {
        "fleet": "demo",
        "hosts": copy.deepcopy(hosts),
        "instances": [{"name": name, "flavor": FLAVOR, **more} for name, more in instances.items()],
        **options,
    }
    homes = {one["name"]: name for name, host in hosts.items() for one in host.get("instances", [])}
    placements = [
        {
            "name": name,
            "host": host,
            "from": homes.get(name),
            "action": "create" if name not in homes else "keep" if homes[name] == host else "migrate",
        }
        for name, host in places.items()
    ]
    by_host: dict[str, t.Any] = {name: [] for name in hosts}
    for name, host in places.items():
        by_host[host].append({"name": name})
    unplaced = [{"name": name} for name in instances if name not in places]
    removed = [{"name": name, "host": home} for name, home in homes.items() if name not in instances]
    return violations(
        question, {"placements": placements, "unplaced": unplaced, "by_host": by_host, "removed": removed}
    )


def test_a_right_plan_is_right() -> None:
    """Nothing is said of a plan that keeps to all rules."""
    hosts = {"hv1": node(instances=[guest("old")]), "hv2": node(availability_zone="az1", traits=["T"])}
    instances = {"old": {}, "a": {"availability_zone": "az1", "traits": {"required": ["T"]}}, "b": {"host": "hv1"}}
    assert said(hosts, instances, {"old": "hv1", "a": "hv2", "b": "hv1"}) == []


@pytest.mark.parametrize(
    ("hosts", "instances", "places", "words"),
    [
        ({"hv1": node(memory_mb_used=3500)}, {"a": {}}, {"a": "hv1"}, "4524 memory_mb taken of 4096"),
        ({"hv1": node(memory_mb=1000)}, {"a": {}}, {"a": "hv1"}, "a takes 1024 memory_mb of hv1, which has 1000"),
        ({"hv1": node(service_status="disabled")}, {"a": {}}, {"a": "hv1"}, "disabled"),
        ({"hv1": node(), "hv2": {"state": "down"}}, {"a": {}}, {"a": "hv1"}, "can't be looked at"),
        ({"hv1": node(), "hv2": node()}, {"a": {"host": "hv2"}}, {"a": "hv1"}, "declared for hv2"),
        ({"hv1": node(instances=[guest("a")]), "hv2": node()}, {"a": {}}, {"a": "hv2"}, "nobody allowed it"),
        ({"hv1": node()}, {"a": APART, "b": APART}, {"a": "hv1", "b": "hv1"}, "anti-affinity group g"),
        ({"hv1": node(), "hv2": node()}, {"a": NEAR, "b": NEAR}, {"a": "hv1", "b": "hv2"}, "is new and comes to"),
        (
            {"hv1": node(instances=[guest("a", group="g")]), "hv2": node()},
            {"a": NEAR, "b": NEAR},
            {"a": "hv1", "b": "hv2"},
            "the others are on ['hv1']",
        ),
        ({"hv1": node()}, {"a": {"availability_zone": "az1"}}, {"a": "hv1"}, "zone az1"),
        ({"hv1": node(traits=["T"])}, {"a": {"traits": {"forbidden": ["T"]}}}, {"a": "hv1"}, "forbidden ['T']"),
        ({"hv1": node(networks={})}, {"a": {"networks": [{"network": "n"}]}}, {"a": "hv1"}, "network n is not active"),
        ({"hv1": node()}, {"a": {"scheduler_hints": {"same_host": "b"}}}, {"a": "hv1"}, "has none of ['b']"),
        (
            {"hv1": node(aggregates=["x"])},
            {"a": {"flavor": {**FLAVOR, "extra_specs": {"aggregate_instance_extra_specs:disk": "ssd"}}}},
            {"a": "hv1"},
            "not ssd",
        ),
    ],
)
def test_the_checker_sees(hosts: t.Any, instances: t.Any, places: t.Any, words: str) -> None:
    """Each rule that is broken is told."""
    assert any(words in sentence for sentence in said(hosts, instances, places))


def test_the_checker_counts() -> None:
    """As many as are allowed, and no more."""
    everywhere = {"a": "hv1", "b": "hv1"}
    assert said({"hv1": node()}, {"a": {}, "b": {}}, everywhere, max_instances_per_host=2, max_io_ops_per_host=2) == []
    for limit in ("max_instances_per_host", "max_io_ops_per_host"):
        assert len(said({"hv1": node()}, {"a": {}, "b": {}}, everywhere, **{limit: 1})) == 1
