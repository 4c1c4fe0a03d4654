# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Hypothesis strategies for questions to the scheduler, as plain data: small fleets in which everything is tight."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker import FIELDS
from hypothesis import strategies as st

FLEET = "demo"
ZONES = ("az1", "az2")
TRAITS = ("HW_CPU_X86_AVX2", "CUSTOM_FAST")
ALL = frozenset({"groups", "zones", "traits", "hints", "aggregates"})
"""Kinds of rules that a question may contain, beside capacity, hosts, names and networks."""
GROUPS: dict[str, dict[str, t.Any]] = {
    "apart": {"group": "apart", "group_policy": "anti-affinity"},
    "pairs": {"group": "pairs", "group_policy": "anti-affinity", "max_server_per_host": 2},
    "near": {"group": "near", "group_policy": "affinity"},
    "loose": {"group": "loose", "group_policy": "soft-anti-affinity"},
    "close": {"group": "close", "group_policy": "soft-affinity"},
}
AGGREGATES = {"ssd": {"disk": "ssd"}, "mixed": {"disk": "ssd,hdd", "size": "big"}}

flavors = st.sampled_from(
    [
        {"name": "tiny", "vcpus": 1, "memory_mb": 128, "disk_gb": 1},
        {"name": "small", "vcpus": 1, "memory_mb": 1024, "disk_gb": 0},
        {"name": "wide", "vcpus": 6, "memory_mb": 512, "disk_gb": 2},
        {"name": "large", "vcpus": 4, "memory_mb": 3000, "disk_gb": 20},
    ]
)
limits = st.fixed_dictionaries(
    {
        "cpu_allocation_ratio": st.sampled_from([0.5, 1.0, 4.0]),
        "ram_allocation_ratio": st.sampled_from([0.9, 1.0, 1.5]),
        "disk_allocation_ratio": st.sampled_from([1.0, 2.0]),
        "reserved_host_cpus": st.sampled_from([0, 1]),
        "reserved_host_memory_mb": st.sampled_from([0, 512]),
        "reserved_host_disk_mb": st.sampled_from([0, 1000]),
    }
)


@st.composite
def questions(
    draw: st.DrawFn, kinds: frozenset[str] = ALL, policies: t.Sequence[str] = ("spread", "pack"), **options: t.Any
) -> dict[str, t.Any]:
    """Return a fleet, part of which runs already, on hosts of which some are disabled, down, foreign-used or full.

    ``options`` are further arguments: each a value, or a strategy.
    """
    names = [f"hv{number}" for number in range(1, draw(st.integers(1, 5)) + 1)]
    hosts: dict[str, t.Any] = {name: draw(_hosts(kinds)) for name in names}
    instances = [draw(_instances(f"i{number}", names, kinds)) for number in range(draw(st.integers(0, 12)))]
    up = [name for name in names if hosts[name]["state"] == "up"]
    for instance in instances:
        if up and draw(st.integers(0, 3)) == 0:
            put(hosts[draw(st.sampled_from(up))], {**instance, "flavor": draw(flavors)}, FLEET)
        if up and draw(st.integers(0, 7)) == 0:
            put(hosts[draw(st.sampled_from(up))], {"name": instance["name"], "flavor": draw(flavors)}, None)
    for number in range(draw(st.integers(0, 2)) if up else 0):
        put(hosts[draw(st.sampled_from(up))], {"name": f"old{number}", "flavor": draw(flavors)}, FLEET)
    extra = {"aggregates": AGGREGATES} if "aggregates" in kinds else {}
    more = {name: draw(value) if isinstance(value, st.SearchStrategy) else value for name, value in options.items()}
    return {
        "fleet": FLEET,
        "instances": instances,
        "hosts": hosts,
        "policy": draw(st.sampled_from(policies)),
        "limits": draw(limits),
        "assume_down_hosts_empty": draw(st.booleans()),
        "purge": draw(st.booleans()),
        **extra,
        **more,
    }


@st.composite
def _instances(draw: st.DrawFn, name: str, hosts: list[str], kinds: frozenset[str]) -> dict[str, t.Any]:
    flavor: dict[str, t.Any] = dict(draw(flavors))
    specs = draw(_specs(kinds))
    if specs:
        flavor.update({"name": f"{flavor['name']}-special", "extra_specs": specs})
    instance: dict[str, t.Any] = {"name": name, "flavor": flavor}
    if _seldom(draw):
        instance["host"] = draw(st.sampled_from(hosts))
    if _seldom(draw):
        instance["networks"] = [{"network": "lan0"}]
    if "groups" in kinds and draw(st.booleans()):
        instance.update(GROUPS[draw(st.sampled_from(sorted(GROUPS)))])
    # An affinity group is in one zone or in none.
    if "zones" in kinds and _seldom(draw) and instance.get("group_policy") != "affinity":
        instance["availability_zone"] = draw(st.sampled_from(ZONES))
    if "traits" in kinds and _seldom(draw):
        instance["traits"] = {draw(st.sampled_from(["required", "forbidden"])): [TRAITS[1]]}
    other = f"i{draw(st.integers(0, 11))}"
    if "hints" in kinds and _seldom(draw) and other != name:
        instance["scheduler_hints"] = {draw(st.sampled_from(["same_host", "different_host"])): [other]}
    return instance


@st.composite
def _specs(draw: st.DrawFn, kinds: frozenset[str]) -> dict[str, str]:
    specs: dict[str, str] = {}
    if "traits" in kinds and _seldom(draw):
        specs[f"trait:{TRAITS[0]}"] = draw(st.sampled_from(["required", "forbidden"]))
    if "aggregates" in kinds and _seldom(draw):
        specs["aggregate_instance_extra_specs:disk"] = draw(st.sampled_from(["ssd", "hdd", "tape"]))
    return specs


@st.composite
def _hosts(draw: st.DrawFn, kinds: frozenset[str]) -> dict[str, t.Any]:
    if draw(st.integers(0, 19)) == 0:
        return {"state": draw(st.sampled_from(["down", "left_out"])), "reason": "unplugged"}
    host = {
        "state": "up",
        "service_status": draw(st.sampled_from(["enabled", "enabled", "enabled", "disabled"])),
        "vcpus": draw(st.integers(1, 8)),
        "vcpus_used": draw(st.sampled_from([0, 0, 1, 7])),
        "memory_mb": draw(st.sampled_from([512, 4096, 8192])),
        "memory_mb_used": draw(st.sampled_from([0, 100, 4000])),
        "local_gb": draw(st.sampled_from([0, 10, 100])),
        "local_gb_used": draw(st.sampled_from([0, 5])),
        "networks": draw(st.sampled_from([None, {}, {"lan0": {"active": True}}, {"lan0": {"active": False}}])),
        "instances": [],
    }
    if "zones" in kinds:
        host["availability_zone"] = draw(st.sampled_from([None, *ZONES]))
    if "traits" in kinds:
        host["traits"] = draw(st.lists(st.sampled_from(TRAITS), unique=True))
    if "aggregates" in kinds:
        host["aggregates"] = draw(st.lists(st.sampled_from(sorted(AGGREGATES)), unique=True))
    return host


def _seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 5)) == 0


def put(host: dict[str, t.Any], instance: t.Mapping[str, t.Any], fleet: str | None) -> None:
    """Let a host's facts tell of an instance; a name is there once."""
    if any(guest["name"] == instance["name"] for guest in host["instances"]):
        return
    flavor = instance["flavor"]
    row = {"name": instance["name"], "fleet": fleet, "flavor": flavor["name"], "power_state": "running"}
    row.update(uuid=f"uuid-of-{instance['name']}", group=instance.get("group"))
    row.update(group_policy=instance.get("group_policy"))
    row.update({key: flavor[key] for key, *_rest in FIELDS})
    host["instances"].append(row)
    for key, _total, used, *_rest in FIELDS:
        host[used] += flavor[key]


def carried_out(question: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the question as it is once the plan's instances are created (moves are not made)."""
    after = copy.deepcopy(dict(question))
    by_name = {instance["name"]: instance for instance in after["instances"]}
    for item in plan["placements"]:
        if item["action"] == "create":
            put(after["hosts"][item["host"]], by_name[item["name"]], FLEET)
    return after
