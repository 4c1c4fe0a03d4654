# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tell which rules a plan breaks. It knows the question and the plan as plain data and nothing of the scheduler's code.

Only what a plan does is judged: a host may be overcommitted, or a group broken up, by what ran before; what the plan
makes or moves must be right where it comes to lie.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from fractions import Fraction

from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker_topology import (
    topology_violations,
)

Data = t.Mapping[str, t.Any]

FIELDS = (
    ("vcpus", "vcpus", "vcpus_used", "cpu_allocation_ratio", "reserved_host_cpus"),
    ("memory_mb", "memory_mb", "memory_mb_used", "ram_allocation_ratio", "reserved_host_memory_mb"),
    ("disk_gb", "local_gb", "local_gb_used", "disk_allocation_ratio", "reserved_host_disk_mb"),
)
"""What a flavor, a host's total and a host's used figure are called, and the limits that go with them."""
DEFAULTS: Data = {
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.0,
    "disk_allocation_ratio": 1.0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 512,
    "reserved_host_disk_mb": 0,
}
_MIB_PER_GIB = 1024


class Scene:
    """A question and its plan, with what both mean put side by side."""

    def __init__(self, question: Data, plan: Data) -> None:
        """Look up who is where before and after."""
        self.question, self.plan = question, plan
        self.fleet = question["fleet"]
        self.hosts: Data = question["hosts"]
        self.declared: dict[str, Data] = {instance["name"]: instance for instance in question["instances"]}
        self.placements: list[Data] = list(plan["placements"])
        self.homes: dict[str, tuple[str, Data]] = {
            guest["name"]: (name, guest)
            for name, host in self.hosts.items()
            for guest in host.get("instances") or []
            if guest.get("fleet") == self.fleet
        }
        moved = {item["name"]: item["to"] for item in plan.get("migrations") or []}
        moved.update({item["name"]: item["host"] for item in self.placements if item["action"] == "migrate"})
        created = {item["name"]: item["host"] for item in self.placements if item["action"] == "create"}
        self.arrivals: dict[str, str] = {**created, **moved}
        """Where the plan puts what was not there: the new, and what moves."""
        self.moved = moved
        gone = set(self.homes) - set(self.declared) if question.get("purge") else set()
        self.after: dict[str, str] = {name: home for name, (home, _guest) in self.homes.items() if name not in gone}
        self.after.update(self.arrivals)

    def limits(self, host: str) -> Data:
        """Return the limits that hold for a host."""
        special = (self.question.get("host_limits") or {}).get(host) or {}
        return {**DEFAULTS, **(self.question.get("limits") or {}), **special}

    def needs(self, name: str) -> dict[str, int]:
        """Return what an instance takes: what it was declared with, or has where it is not declared."""
        if name not in self.declared:
            guest = self.homes[name][1]
            return {key: guest.get(key) or 0 for key, *_rest in FIELDS}
        instance = self.declared[name]
        taken = {key: instance["flavor"][key] for key, *_rest in FIELDS}
        for volume in instance.get("volumes") or []:
            if volume.get("size_gb") is not None and not volume.get("pool"):
                taken["disk_gb"] += volume["size_gb"]
        return taken

    def group(self, name: str) -> str | None:
        """Return the server group that an instance is in."""
        if name in self.declared:
            return self.declared[name].get("group")
        return self.homes[name][1].get("group")


def violations(question: Data, plan: Data) -> list[str]:
    """Return a sentence for every rule that the plan breaks."""
    scene = Scene(question, plan)
    rules = (_bookkeeping, _sticky, _service, _declared_host, _names, _split_brain, _capacity, _groups, _counts)
    more = (_zones, _traits, _networks, _hints, _aggregates, _topology)
    return [sentence for rule in (*rules, *more) for sentence in rule(scene)]


def _bookkeeping(scene: Scene) -> t.Iterator[str]:
    # Every instance is placed or unplaced, once; by_host says the same as placements.
    placed = [item["name"] for item in scene.placements]
    found = Counter(placed + [item["name"] for item in scene.plan["unplaced"]])
    if found != Counter(list(scene.declared)):
        yield f"placed and unplaced are {dict(found)}, declared {list(scene.declared)}"
    listed = {instance["name"]: host for host, mine in scene.plan["by_host"].items() for instance in mine}
    places = {item["name"]: item["host"] for item in scene.placements}
    if listed != places:
        yield f"by_host says {listed}, placements {places}"
    gone = {item["name"]: item["host"] for item in scene.plan["removed"]}
    undeclared = {name: home for name, (home, _guest) in scene.homes.items() if name not in scene.declared}
    if gone != undeclared:
        yield f"removed are {gone}, no longer declared {undeclared}"


def _sticky(scene: Scene) -> t.Iterator[str]:
    # What runs stays, unless the question allows moves; nothing is made twice; only images may not change.
    may_move = scene.question.get("fix_violations") or scene.question.get("make_room")
    for item in scene.placements:
        home = scene.homes[item["name"]][0] if item["name"] in scene.homes else None
        right = {
            "create": home is None,
            "keep": home == item["host"],
            "migrate": home is not None and home == item["from"] != item["host"],
        }
        if not right.get(item["action"]):
            yield f"{item['name']} is on {home} and is to {item['action']} on {item['host']}"
    for name in scene.moved:
        if not may_move:
            yield f"{name} is moved though nobody allowed it"
        if name not in scene.declared:
            yield f"{name} is moved and not declared"


def _service(scene: Scene) -> t.Iterator[str]:
    # Nothing comes to a host that is not up and enabled.
    for name, host in scene.arrivals.items():
        facts = scene.hosts[host]
        if facts.get("state", "up") != "up" or facts.get("service_status", "enabled") == "disabled":
            yield f"{name} comes to {host}, which is {facts.get('state')} and {facts.get('service_status')}"


def _declared_host(scene: Scene) -> t.Iterator[str]:
    # An instance that names its host is there or nowhere.
    for item in scene.placements:
        wanted = scene.declared[item["name"]].get("host")
        if wanted not in (None, item["host"]):
            yield f"{item['name']} is on {item['host']}, declared for {wanted}"


def _names(scene: Scene) -> t.Iterator[str]:
    # A name is once on a host.
    for name, host in scene.arrivals.items():
        if any(guest["name"] == name for guest in scene.hosts[host].get("instances") or []):
            yield f"{name} comes to {host}, where its name is taken"


def _split_brain(scene: Scene) -> t.Iterator[str]:
    # What may be running where nobody can look is not made elsewhere.
    states = [host.get("state", "up") for host in scene.hosts.values()]
    doubt = "left_out" in states or ("down" in states and not scene.question.get("assume_down_hosts_empty"))
    for item in scene.placements:
        if doubt and item["action"] == "create":
            yield f"{item['name']} is created while a host can't be looked at"


def _capacity(scene: Scene) -> t.Iterator[str]:
    # Where something is added: used after <= (total - reserved) * ratio, and each instance <= total.
    for host, facts in scene.hosts.items():
        if facts.get("state", "up") != "up":
            continue
        added = _added(scene, host)
        for key, total, used, *_limits in FIELDS:
            most = _most(scene, host, key)
            taken = max(0, math.ceil(facts[used]) - _left(scene, host, key)) + sum(one[key] for one in added.values())
            for name, amounts in added.items():
                if amounts[key] > facts[total]:
                    yield f"{name} takes {amounts[key]} {key} of {host}, which has {facts[total]}"
                if amounts[key] > 0 and taken > most:
                    yield f"{host} has {name} added and then {taken} {key} taken of {most}"


def _most(scene: Scene, host: str, key: str) -> Fraction:
    """Return how much of a host may be promised."""
    limits = scene.limits(host)
    total, ratio, reserved = next((total, ratio, kept) for name, total, _used, ratio, kept in FIELDS if name == key)
    kept = limits[reserved] if "disk" not in reserved else -(-limits[reserved] // _MIB_PER_GIB)
    return max(Fraction(0), (scene.hosts[host][total] - kept) * Fraction(str(limits[ratio])))


def _added(scene: Scene, host: str) -> dict[str, dict[str, int]]:
    """Return what each instance takes of a host that it did not before: arrivals all, those that stay their growth."""
    added = {name: scene.needs(name) for name, place in scene.arrivals.items() if place == host}
    for item in scene.placements:
        if item["action"] == "keep" and item["host"] == host and item["name"] not in scene.moved:
            has, needs = scene.homes[item["name"]][1], scene.needs(item["name"])
            added[item["name"]] = {key: max(0, amount - (has.get(key) or 0)) for key, amount in needs.items()}
    return added


def _left(scene: Scene, host: str, key: str) -> int:
    """Return what is given back on a host by what leaves it."""
    leaving = [guest for name, (home, guest) in scene.homes.items() if home == host and scene.after.get(name) != host]
    return sum(guest.get(key) or 0 for guest in leaving)


def _groups(scene: Scene) -> t.Iterator[str]:
    # Affinity: one host; anti-affinity: at most so many on a host, those that run counted.
    members: dict[str, dict[str, str]] = {}
    for name, host in scene.after.items():
        group = scene.group(name)
        if group:
            members.setdefault(group, {})[name] = host
    for name, host in scene.arrivals.items():
        instance = scene.declared[name]
        group, policy = instance.get("group"), instance.get("group_policy")
        others = [place for other, place in members.get(group or "", {}).items() if other != name]
        if policy == "affinity" and others and host not in others:
            yield f"{name} of affinity group {group} comes to {host}, the others are on {sorted(set(others))}"
        most = instance.get("max_server_per_host") or 1
        if policy == "anti-affinity" and others.count(host) >= most:
            yield f"{name} of anti-affinity group {group} comes to {host}, which has {others.count(host)} of {most}"
    yield from _torn(scene)


def _torn(scene: Scene) -> t.Iterator[str]:
    # New members of an affinity group that ran nowhere before are together.
    places: dict[str, set[str]] = {}
    for name, host in scene.arrivals.items():
        instance = scene.declared[name]
        if instance.get("group_policy") == "affinity":
            places.setdefault(instance["group"], set()).add(host)
    for group, hosts in places.items():
        ran = any(scene.group(name) == group for name in scene.homes)
        if len(hosts) > 1 and not ran:
            yield f"affinity group {group} is new and comes to {sorted(hosts)}"


def _counts(scene: Scene) -> t.Iterator[str]:
    # No host gets more instances, or more that start at once, than the question allows.
    most = scene.question.get("max_instances_per_host")
    busy = scene.question.get("max_io_ops_per_host")
    for host in set(scene.arrivals.values()):
        arriving = [name for name, place in scene.arrivals.items() if place == host]
        leaving = sum(home == host and scene.after.get(name) != host for name, (home, _guest) in scene.homes.items())
        total = len(scene.hosts[host].get("instances") or []) + len(arriving) - leaving
        if most is not None and total > most:
            yield f"{host} has {total} instances of {most}"
        if busy is not None and len(arriving) > busy:
            yield f"{host} starts {len(arriving)} instances of {busy}"


def _zones(scene: Scene) -> t.Iterator[str]:
    # An instance that names an availability zone comes to a host of that zone.
    for name, host in scene.arrivals.items():
        wanted = scene.declared[name].get("availability_zone")
        if wanted and scene.hosts[host].get("availability_zone") != wanted:
            yield f"{name} comes to {host}, which is not in zone {wanted}"


def _traits(scene: Scene) -> t.Iterator[str]:
    # A host has all traits that are required and none that are forbidden.
    for name, host in scene.arrivals.items():
        instance = scene.declared[name]
        traits = instance.get("traits") or {}
        required, forbidden = set(traits.get("required") or []), set(traits.get("forbidden") or [])
        for key, value in (instance["flavor"].get("extra_specs") or {}).items():
            if key.startswith("trait:"):
                (required if value == "required" else forbidden).add(key.partition(":")[2])
        has = set(scene.hosts[host].get("traits") or [])
        if not required <= has or forbidden & has:
            yield f"{name} comes to {host}: lacks {sorted(required - has)}, forbidden {sorted(forbidden & has)}"


def _networks(scene: Scene) -> t.Iterator[str]:
    # All networks that an instance is plugged into are active where it comes to.
    for name, host in scene.arrivals.items():
        networks = scene.hosts[host].get("networks")
        for nic in scene.declared[name].get("networks") or []:
            if networks is not None and nic.get("network") and not networks.get(nic["network"], {}).get("active"):
                yield f"{name} comes to {host}, where network {nic['network']} is not active"


def _hints(scene: Scene) -> t.Iterator[str]:
    # same_host and different_host, of instances by name or UUID that are on a host when the plan is made, or come there
    # with it; where requests are taken one by one, who comes later need not keep away from who asked before.
    is_batch = scene.question.get("order", "batch") == "batch"
    for name, host in scene.arrivals.items():
        hints = scene.declared[name].get("scheduler_hints") or {}
        guests = scene.hosts[host].get("instances") or []
        there = {guest.get(key) for guest in guests for key in ("name", "uuid")}
        same, different = (_several(hints.get(key)) for key in ("same_host", "different_host"))
        coming = {other for other, place in scene.arrivals.items() if place == host and other != name}
        if same and not (there | coming).intersection(same):
            yield f"{name} comes to {host}, which has none of {same}"
        if (there | (coming if is_batch else set())).intersection(different):
            yield f"{name} comes to {host}, which has one of {different}"


def _aggregates(scene: Scene) -> t.Iterator[str]:
    # aggregate_instance_extra_specs: a host's aggregates have the key, with the value (plain words only).
    known = scene.question.get("aggregates") or {}
    scope = "aggregate_instance_extra_specs:"
    for name, host in scene.arrivals.items():
        of_host = [known.get(aggregate) or {} for aggregate in scene.hosts[host].get("aggregates") or []]
        for key, value in (scene.declared[name]["flavor"].get("extra_specs") or {}).items():
            if not key.startswith(scope):
                continue
            values = {
                one.strip() for data in of_host for one in str(data.get(key.removeprefix(scope), "")).split(",") if one
            }
            if str(value) not in values:
                yield f"{name} comes to {host}, whose aggregates say {sorted(values)} of {key}, not {value}"


def _topology(scene: Scene) -> t.Iterator[str]:
    # What instances have of a host to themselves, nobody else has.
    told = {instance["name"]: instance for mine in scene.plan["by_host"].values() for instance in mine}
    for host, facts in scene.hosts.items():
        if "numa_topology" not in facts:
            continue
        names = [name for name, place in scene.arrivals.items() if place == host]
        leaving = {
            name for name, (home, _guest) in scene.homes.items() if home == host and scene.after.get(name) != host
        }
        staying = [
            guest for guest in facts["instances"] if guest.get("fleet") != scene.fleet or guest["name"] not in leaving
        ]
        arriving = {name: {**scene.declared[name], **told[name]} for name in names}
        for sentence in topology_violations(facts, staying, arriving):
            yield f"{host}: {sentence}"


def _several(value: t.Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)
