# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""No CPU, page or device is promised twice, in any order and policy; and what the plan says is what hosts take."""

from __future__ import annotations

import typing as t

from ansible_collections.kilonova.compute.plugins.module_utils._plan.allocate import allocate, wished
from ansible_collections.kilonova.compute.plugins.module_utils._spec.wish import Wish
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.demands import read_demand
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.facts import read_host_facts
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.state import HostTopology
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker import violations
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.problems import (
    carried_out,
    crowded,
    put,
)
from hypothesis import given
from hypothesis import strategies as st

WAYS = {"policy": st.sampled_from(["spread", "pack", "nova"]), "order": st.sampled_from(["batch", "declared"])}


def ask(question: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the plan."""
    return answer(Question(**question))


@given(crowded(**WAYS))
def test_nothing_is_promised_twice(question: dict[str, t.Any]) -> None:
    """Says the checker; neither in the next plan, which keeps everything where it is."""
    plan = ask(question)
    assert violations(question, plan) == []
    after = carried_out(question, plan)
    again = ask(after)
    assert violations(after, again) == []
    places = {item["name"]: item["host"] for item in plan["placements"]}
    assert {item["name"]: item["host"] for item in again["placements"] if item["name"] in places} == places
    made = {item["name"] for item in plan["placements"] if item["action"] == "create"}
    assert not any("placement" in told for mine in again["by_host"].values() for told in mine if told["name"] in made)


@given(crowded(**WAYS), st.randoms(use_true_random=False))
def test_the_order_of_hosts_means_nothing(question: dict[str, t.Any], random: t.Any) -> None:
    """The same cells and CPUs, however the facts are ordered."""
    names = list(question["hosts"])
    random.shuffle(names)
    shuffled = {name: dict(question["hosts"][name]) for name in names}
    for host in shuffled.values():
        for key in ("numa_topology", "pci_devices"):
            host[key] = random.sample(host[key], len(host[key]))
    told = ask({**question, "hosts": shuffled})
    assert told["by_host"] == ask(question)["by_host"]


@given(crowded(**WAYS), st.randoms(use_true_random=False))
def test_hosts_take_what_is_planned(question: dict[str, t.Any], random: t.Any) -> None:
    """Whatever the order in which a host makes its instances: its own allocator takes the plan's word as it is."""
    plan = ask(question)
    new = {item["name"] for item in plan["placements"] if item["action"] == "create"}
    for name, mine in plan["by_host"].items():
        host = question["hosts"][name]
        for told in random.sample(mine, len(mine)):
            if told["name"] not in new:
                continue
            demand = read_demand(told, told["name"])
            if demand is None:
                continue
            wish = wished(Wish.from_params(told["placement"]), demand)
            free = HostTopology(read_host_facts(name, host)).free()
            assert allocate(told["name"], demand, free, None, wish) == wish
            after = carried_out({**question, "instances": [told], "hosts": {name: host}}, _just(name, told))
            host = after["hosts"][name]


def _just(host: str, told: dict[str, t.Any]) -> dict[str, t.Any]:
    placement = {"name": told["name"], "host": host, "action": "create"}
    return {"placements": [placement], "by_host": {host: [told]}}


def test_strategies_put_what_they_hold() -> None:
    """A guest's device and CPUs are seen in the host's facts."""
    host: dict[str, t.Any] = {
        "instances": [],
        "numa_topology": [{"id": 0, "cpus": [0, 1], "pinned_cpus": [], "hugepages": []}],
        "pci_devices": [{"address": "0000:01:00.0", "in_use_by": None}],
        **{"vcpus_used": 0, "memory_mb_used": 0, "local_gb_used": 0},
    }
    flavor = {"name": "f", "vcpus": 1, "memory_mb": 1, "disk_gb": 1}
    cells = [{"host_cell": 0, "cpus": [1], "memory_mb": 1, "page_kb": None}]
    put(host, {"name": "a", "flavor": flavor}, None, {"cells": cells, "pci_devices": ["0000:01:00.0"]})
    assert host["numa_topology"][0]["pinned_cpus"] == [1]
    assert host["pci_devices"][0]["in_use_by"] == "a"
