# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Hypothesis strategies for questions to the scheduler, as plain data: small fleets in which everything is tight."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker import FIELDS
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker_topology import row_of
from hypothesis import strategies as st

FLEET = "demo"
ZONES = ("az1", "az2")
TRAITS = ("HW_CPU_X86_AVX2", "CUSTOM_FAST")
ALL = frozenset({"groups", "zones", "traits", "hints", "aggregates", "topology"})
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
            host = hosts[draw(st.sampled_from(up))]
            row = draw(_held(host)) if "topology" in kinds and draw(st.booleans()) else None
            put(host, {**instance, "flavor": draw(flavors)}, FLEET, row)
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
    is_bound = instance.get("group_policy") == "affinity"
    if is_bound:
        # Such a group is in one zone and on one host, or in none that is named.
        instance.pop("host", None)
    elif "zones" in kinds and _seldom(draw):
        instance["availability_zone"] = draw(st.sampled_from(ZONES))
    if "traits" in kinds and _seldom(draw):
        instance["traits"] = {draw(st.sampled_from(["required", "forbidden"])): [TRAITS[1]]}
    other = f"i{draw(st.integers(0, 11))}"
    if "topology" in kinds and draw(st.booleans()):
        with_parts(draw, instance, draw(own_parts))
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
    if "topology" in kinds:
        host.update(draw(cells_and_devices()))
    return host


own_parts = st.fixed_dictionaries(
    {},
    optional={
        "cpu_policy": st.sampled_from(["dedicated", "dedicated", "shared"]),
        "numa": st.sampled_from([{"nodes": 1}, {"nodes": 2}]),
        "hugepages": st.sampled_from(["small", "large", "any", "2MB", "4MB"]),
        "pci_devices": st.sampled_from(
            [
                [{"vendor_id": "8086", "product_id": "0001"}],
                [{"vendor_id": "8086", "product_id": "0002", "count": 2}],
                [{"vendor_id": "8086", "product_id": "0001"}, {"address": "0000:00:01.0"}],
            ]
        ),
        "cpu_thread_policy": st.sampled_from(["prefer", "isolate", "require"]),
        "emulator_threads_policy": st.sampled_from(["share", "isolate"]),
    },
)
"""What an instance may want to itself, in its own options."""


def _sound(parts: dict[str, t.Any], vcpus: int) -> dict[str, t.Any]:
    """Drop what would be refused as no right declaration."""
    if vcpus % parts.get("numa", {}).get("nodes", 1):
        del parts["numa"]
    if parts.get("cpu_policy") != "dedicated":
        for key in ("cpu_thread_policy", "emulator_threads_policy"):
            parts.pop(key, None)
    return parts


def with_parts(draw: st.DrawFn, instance: dict[str, t.Any], parts: dict[str, t.Any]) -> None:
    """Let an instance want parts of its host to itself, some of which only a flavor can ask for."""
    specs, flavor = {}, instance["flavor"]
    instance.update(_sound(parts, flavor["vcpus"]))
    if flavor["vcpus"] > 1 and "cpu_policy" not in instance and draw(st.booleans()):
        specs = {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": draw(st.sampled_from(["^0", "0", "^1-9"]))}
    if "pci_devices" in instance and draw(st.booleans()):
        specs["hw:pci_numa_affinity_policy"] = draw(st.sampled_from(["required", "legacy", "socket", "preferred"]))
    if specs:
        instance["flavor"] = {**flavor, "name": "own", "extra_specs": {**flavor.get("extra_specs", {}), **specs}}


@st.composite
def cells_and_devices(draw: st.DrawFn, least: int = 0) -> dict[str, t.Any]:
    """Return the NUMA cells and devices of a host."""
    cells, first = [], 0
    sockets = draw(st.sampled_from([(0, 0), (0, 1), (None, None)]))
    for number in range(draw(st.integers(least, 2))):
        siblings = []
        for width in draw(st.lists(st.integers(1, 2), min_size=1, max_size=4)):
            siblings.append(list(range(first, first + width)))
            first += width
        pages = [{"size_kb": size, "total": draw(st.sampled_from([0, 100, 600]))} for size in (2048, 4096)]
        pages = [{**page, "free": draw(st.sampled_from([page["total"], page["total"] // 2]))} for page in pages]
        cpus = [cpu for core in siblings for cpu in core]
        cells.append(
            {
                **{"id": number, "cpus": cpus, "siblings": siblings, "page_kb": 4, "hugepages": pages},
                "socket": sockets[number],
                **{"memory_mb": draw(st.sampled_from([6144, 8192])), "pinned_cpus": []},
            }
        )
    devices = [
        {
            **{"address": f"0000:00:0{number}.0", "vendor_id": "8086", "in_use_by": None},
            "product_id": draw(st.sampled_from(["0001", "0002"])),
            "numa_node": draw(st.sampled_from([None, 0, 1])),
        }
        for number in range(draw(st.integers(0, 4)))
    ]
    return {"numa_topology": cells, "pci_devices": devices}


@st.composite
def crowded(draw: st.DrawFn, **options: t.Any) -> dict[str, t.Any]:
    """Return hosts that have room enough but for CPUs, pages and devices, which most instances want to themselves."""
    hosts: dict[str, t.Any] = {}
    for number in range(1, draw(st.integers(1, 3)) + 1):
        room = {
            "vcpus": 64,
            "vcpus_used": 0,
            "memory_mb": 10**6,
            "memory_mb_used": 0,
            "local_gb": 999,
            "local_gb_used": 0,
        }
        hosts[f"hv{number}"] = {"state": "up", "instances": [], **room, **draw(cells_and_devices(least=1))}
    instances = []
    for number in range(draw(st.integers(1, 10))):
        vcpus, memory_mb = draw(st.integers(1, 4)), draw(st.sampled_from([128, 200, 512]))
        flavor = {"name": f"f{vcpus}-{memory_mb}", "vcpus": vcpus, "memory_mb": memory_mb, "disk_gb": 1}
        instances.append({"name": f"i{number}", "flavor": flavor})
        with_parts(draw, instances[-1], draw(own_parts))
    for instance in instances:
        if _seldom(draw):
            host = hosts[draw(st.sampled_from(sorted(hosts)))]
            put(host, instance, FLEET, draw(st.one_of(st.none(), _held(host))))
    for number in range(draw(st.integers(0, 3))):
        host = hosts[draw(st.sampled_from(sorted(hosts)))]
        put(host, {"name": f"x{number}", "flavor": draw(flavors)}, None, draw(_held(host)))
    more = {name: draw(value) if isinstance(value, st.SearchStrategy) else value for name, value in options.items()}
    return {"fleet": FLEET, "instances": instances, "hosts": hosts, **more}


@st.composite
def _held(draw: st.DrawFn, host: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Return what a guest may hold that is there already: CPUs and a device that nobody has, no pages."""
    taken = {cpu for guest in host["instances"] for cpu in (guest["placement"] or {}).get("taken_cpus", ())}
    cells = [cell for cell in host["numa_topology"] if set(cell["cpus"]) - taken]
    if not cells:
        return None
    cell = draw(st.sampled_from(cells))
    cpus = draw(st.lists(st.sampled_from(sorted(set(cell["cpus"]) - taken)), min_size=1, max_size=2, unique=True))
    free = [device["address"] for device in host["pci_devices"] if device["in_use_by"] is None]
    return {
        "cells": [{"host_cell": cell["id"], "cpus": cpus, "memory_mb": 128, "page_kb": None}],
        "emulator_cpu": None,
        "taken_cpus": sorted(cpus),
        "pci_devices": free[: draw(st.integers(0, 1))],
        "mdevs": [],
    }


def _seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 5)) == 0


def put(
    host: dict[str, t.Any],
    instance: t.Mapping[str, t.Any],
    fleet: str | None,
    placement: dict[str, t.Any] | None = None,
) -> None:
    """Let a host's facts tell of an instance and what it has to itself; a name is there once."""
    if any(guest["name"] == instance["name"] for guest in host["instances"]):
        return
    flavor = instance["flavor"]
    row = {"name": instance["name"], "fleet": fleet, "flavor": flavor["name"], "power_state": "running"}
    row.update(uuid=f"uuid-of-{instance['name']}", group=instance.get("group"))
    row.update(group_policy=instance.get("group_policy"))
    row.update({key: flavor[key] for key, *_rest in FIELDS}, placement=placement)
    host["instances"].append(row)
    if placement:
        _hold(host, instance["name"], placement)
    for key, _total, used, *_rest in FIELDS:
        host[used] += flavor[key]


def _hold(host: dict[str, t.Any], name: str, placement: dict[str, t.Any]) -> None:
    for device in host["pci_devices"]:
        if device["address"] in placement["pci_devices"]:
            device["in_use_by"] = name
    for cell in host["numa_topology"]:
        here = [part for part in placement["cells"] if part["host_cell"] == cell["id"]]
        cell["pinned_cpus"] += [cpu for part in here for cpu in part["cpus"]]
        for pages in cell["hugepages"]:
            memory_mb = sum(part["memory_mb"] for part in here if part["page_kb"] == pages["size_kb"])
            pages["free"] -= memory_mb * 1024 // pages["size_kb"]


def remove(host: dict[str, t.Any], name: str) -> None:
    """Let a host's facts no longer tell of an instance of the fleet; the inverse of ``put``."""
    guest = next(one for one in host["instances"] if one["name"] == name and one["fleet"] == FLEET)
    host["instances"].remove(guest)
    for key, _total, used, *_rest in FIELDS:
        host[used] -= guest[key]
    placement = guest["placement"] or {"pci_devices": [], "cells": []}
    for device in host["pci_devices"]:
        if device["address"] in placement["pci_devices"]:
            device["in_use_by"] = None
    for cell in host["numa_topology"]:
        for part in placement["cells"]:
            if part["host_cell"] == cell["id"]:
                cell["pinned_cpus"] = [cpu for cpu in cell["pinned_cpus"] if cpu not in part["cpus"]]
                for pages in cell["hugepages"]:
                    if pages["size_kb"] == part["page_kb"]:
                        pages["free"] += part["memory_mb"] * 1024 // pages["size_kb"]


def carried_out(question: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the question as it is once the plan's instances are created (moves are not made)."""
    after = copy.deepcopy(dict(question))
    by_name = {instance["name"]: instance for instance in after["instances"]}
    told = {instance["name"]: instance for mine in plan["by_host"].values() for instance in mine}
    for item in plan["placements"]:
        if item["action"] == "create":
            instance, host = by_name[item["name"]], after["hosts"][item["host"]]
            placement = told[item["name"]].get("placement")
            put(host, instance, FLEET, None if placement is None else row_of(instance, placement, host))
    return after
