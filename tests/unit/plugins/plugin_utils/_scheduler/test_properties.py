# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What holds for every plan. The rules are written down here a second time, not taken from the engine."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import typing as t
from fractions import Fraction
from pathlib import Path

from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from hypothesis import given
from hypothesis import strategies as st

FIELDS = (
    ("vcpus", "vcpus", "vcpus_used", "cpu_allocation_ratio", "reserved_host_cpus"),
    ("memory_mb", "memory_mb", "memory_mb_used", "ram_allocation_ratio", "reserved_host_memory_mb"),
    ("disk_gb", "local_gb", "local_gb_used", "disk_allocation_ratio", "reserved_host_disk_mb"),
)
FLEET = "demo"

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
def questions(draw: st.DrawFn) -> dict[str, t.Any]:
    """Return a fleet, part of which runs already, on hosts of which some are disabled, down, foreign-used or full."""
    names = [f"hv{number}" for number in range(1, draw(st.integers(1, 5)) + 1)]
    instances = [
        {
            "name": f"i{number}",
            "flavor": draw(flavors),
            **({"host": draw(st.sampled_from(names))} if draw(st.integers(0, 5)) == 0 else {}),
            **({"networks": [{"network": "lan0"}]} if draw(st.integers(0, 3)) == 0 else {}),
        }
        for number in range(draw(st.integers(0, 12)))
    ]
    hosts: dict[str, t.Any] = {name: draw(_host()) for name in names}
    up = [name for name in names if hosts[name]["state"] == "up"]
    for instance in instances:
        if up and draw(st.integers(0, 3)) == 0:
            _put(hosts[draw(st.sampled_from(up))], str(instance["name"]), FLEET, draw(flavors))
        if up and draw(st.integers(0, 7)) == 0:
            _put(hosts[draw(st.sampled_from(up))], str(instance["name"]), None, draw(flavors))
    return {
        "fleet": FLEET,
        "instances": instances,
        "hosts": hosts,
        "policy": draw(st.sampled_from(["spread", "pack"])),
        "limits": draw(limits),
        "assume_down_hosts_empty": draw(st.booleans()),
    }


@st.composite
def _host(draw: st.DrawFn) -> dict[str, t.Any]:
    if draw(st.integers(0, 9)) == 0:
        return {"state": draw(st.sampled_from(["down", "left_out"])), "reason": "unplugged"}
    return {
        "state": "up",
        "service_status": draw(st.sampled_from(["enabled", "enabled", "enabled", "disabled"])),
        "vcpus": draw(st.integers(1, 8)),
        "vcpus_used": draw(st.integers(0, 8)),
        "memory_mb": draw(st.sampled_from([512, 4096, 8192])),
        "memory_mb_used": draw(st.sampled_from([0, 100, 4000])),
        "local_gb": draw(st.sampled_from([0, 10, 100])),
        "local_gb_used": draw(st.sampled_from([0, 5])),
        "networks": draw(st.sampled_from([None, {}, {"lan0": {"active": True}}, {"lan0": {"active": False}}])),
        "instances": [],
    }


def _put(host: dict[str, t.Any], name: str, fleet: str | None, flavor: dict[str, t.Any]) -> None:
    """Let a host have something: a name once, and a fleet's name nowhere twice (the caller puts it once)."""
    if any(guest["name"] == name for guest in host["instances"]):
        return
    host["instances"].append({**flavor, "name": name, "fleet": fleet})
    for key, _total, used, _ratio, _reserved in FIELDS:
        host[used] += flavor[key]


def _limit(host: dict[str, t.Any], given_limits: dict[str, t.Any], field: tuple[str, ...]) -> Fraction:
    _key, total, _used, ratio, reserved = field
    kept = given_limits[reserved] if "disk" not in reserved else -(-given_limits[reserved] // 1024)
    return (host[total] - kept) * Fraction(str(given_limits[ratio]))


def _homes(question: dict[str, t.Any]) -> dict[str, str]:
    return {
        guest["name"]: name
        for name, host in question["hosts"].items()
        for guest in host.get("instances", [])
        if guest["fleet"] == FLEET
    }


def _carried_out(question: dict[str, t.Any], plan: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the question as it is once the plan's instances are created."""
    after = copy.deepcopy(question)
    by_name = {instance["name"]: instance for instance in after["instances"]}
    for item in plan["placements"]:
        if item["action"] == "create":
            _put(after["hosts"][item["host"]], item["name"], FLEET, by_name[item["name"]]["flavor"])
    return after


def ask(question: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the plan."""
    return answer(Question(**question))


@given(questions())
def test_nothing_is_overcommitted(question: dict[str, t.Any]) -> None:
    """A host with something new on it is within its limits, unless it lay beyond them before in what is not taken."""
    plan = ask(question)
    after = _carried_out(question, plan)
    by_name = {instance["name"]: instance["flavor"] for instance in question["instances"]}
    for item in plan["placements"]:
        if item["action"] != "create":
            continue
        host = after["hosts"][item["host"]]
        for field in FIELDS:
            needed = by_name[item["name"]][field[0]]
            if needed:
                assert needed <= host[field[1]]
                assert host[field[2]] <= _limit(host, question["limits"], field)


@given(questions())
def test_rules_are_kept(question: dict[str, t.Any]) -> None:
    """New instances go to enabled hosts, to their declared host, where their name is free, and nowhere in doubt."""
    plan = ask(question)
    homes = _homes(question)
    by_name = {instance["name"]: instance for instance in question["instances"]}
    states = [host["state"] for host in question["hosts"].values()]
    in_doubt = "left_out" in states or ("down" in states and not question["assume_down_hosts_empty"])
    plugged = {instance["name"]: bool(instance.get("networks")) for instance in question["instances"]}
    for item in plan["placements"]:
        host = question["hosts"][item["host"]]
        assert by_name[item["name"]].get("host") in (None, item["host"])
        assert not plugged[item["name"]] or host["networks"] in (None, {"lan0": {"active": True}})
        if item["action"] == "keep":
            assert homes[item["name"]] == item["host"]
            continue
        assert item["name"] not in homes
        assert not in_doubt
        assert host["state"] == "up"
        assert host["service_status"] == "enabled"
        assert item["name"] not in [guest["name"] for guest in host["instances"]]


@given(questions())
def test_everything_is_accounted_for(question: dict[str, t.Any]) -> None:
    """Each instance is placed or has a reason of every host; hosts that are up have their list."""
    plan = ask(question)
    placed = [item["name"] for item in plan["placements"]]
    unplaced = [item["name"] for item in plan["unplaced"]]
    declared = [instance["name"] for instance in question["instances"]]
    assert sorted(placed + unplaced) == sorted(declared)
    assert placed == [name for name in declared if name in placed]
    for item in plan["unplaced"]:
        assert sorted(reason["host"] for reason in item["hosts"]) == sorted(question["hosts"])
        assert all(reason["filter"] and reason["message"] for reason in item["hosts"])
        assert sum(item["by_filter"].values()) == len(question["hosts"])
        assert item["name"] in item["reason"]
    assert sorted(plan["by_host"]) == sorted(name for name, host in question["hosts"].items() if host["state"] == "up")
    assert sorted(instance["name"] for mine in plan["by_host"].values() for instance in mine) == sorted(placed)


@given(questions())
def test_what_is_unplaced_really_fits_nowhere(question: dict[str, t.Any]) -> None:
    """A host that a capacity filter removed has indeed too little room left in the end."""
    plan = ask(question)
    homes = _homes(question)
    by_name = {instance["name"]: instance["flavor"] for instance in question["instances"]}
    after = _carried_out(question, plan)["hosts"]
    dimension = {"CoreFilter": FIELDS[0], "RamFilter": FIELDS[1], "DiskFilter": FIELDS[2]}
    for item in plan["unplaced"]:
        for reason in item["hosts"]:
            field = dimension.get(reason["filter"])
            if field is None or item["name"] in homes:
                continue
            host = after[reason["host"]]
            needed = by_name[item["name"]][field[0]]
            # The plan may count more as used, where an instance is about to grow, but never less.
            used = plan["hosts"][reason["host"]][field[2]]
            assert used >= host[field[2]]
            assert needed > host[field[1]] or used + needed > _limit(host, question["limits"], field)


@given(questions())
def test_second_run_keeps_everything(question: dict[str, t.Any]) -> None:
    """Once the plan is carried out, the same question moves and creates nothing."""
    plan = ask(question)
    again = ask(_carried_out(question, plan))
    first = {item["name"]: item["host"] for item in plan["placements"]}
    second = {item["name"]: item["host"] for item in again["placements"]}
    assert {name: second.get(name) for name in first} == first
    assert all(item["action"] == "keep" for item in again["placements"] if item["name"] in first)


@given(questions(), st.randoms(use_true_random=False))
def test_order_of_the_input_does_not_matter(question: dict[str, t.Any], random: t.Any) -> None:
    """Hosts and instances in another order get the same places."""
    names = list(question["hosts"])
    random.shuffle(names)
    shuffled = {**question, "hosts": {name: question["hosts"][name] for name in names}}
    assert json.dumps(ask(shuffled)) == json.dumps(ask(question))
    shuffled["instances"] = random.sample(question["instances"], len(question["instances"]))
    left, right = ask(shuffled), ask(question)
    for key in ("placements", "unplaced"):
        assert sorted(left[key], key=lambda item: item["name"]) == sorted(right[key], key=lambda item: item["name"])
    assert left["hosts"] == right["hosts"]


@given(st.integers(1, 6), st.integers(1, 24))
def test_spread_balances_and_pack_fills(hosts: int, copies: int) -> None:
    """On equal hosts spread differs by one instance at most, and pack leaves at most one host partly filled."""
    fits = 4
    empty = {
        "vcpus": 64,
        "vcpus_used": 0,
        "memory_mb": fits * 1024,
        "memory_mb_used": 0,
        "local_gb": 100,
        "local_gb_used": 0,
    }
    question: dict[str, t.Any] = {
        "fleet": FLEET,
        "hosts": {f"hv{number}": dict(empty) for number in range(hosts)},
        "instances": [
            {"name": f"web-{number}", "flavor": {"name": "f", "vcpus": 1, "memory_mb": 1024, "disk_gb": 1}}
            for number in range(copies)
        ],
        "limits": {"reserved_host_memory_mb": 0},
    }
    spread = [len(mine) for mine in ask({**question, "policy": "spread"})["by_host"].values()]
    pack = [len(mine) for mine in ask({**question, "policy": "pack"})["by_host"].values()]
    assert sum(spread) == sum(pack) == min(copies, hosts * fits)
    assert max(spread) - min(spread) <= 1
    assert sum(0 < filled < fits for filled in pack) <= 1


@given(questions())
def test_input_is_left_alone(question: dict[str, t.Any]) -> None:
    """A plan never writes into the facts."""
    before = copy.deepcopy(question)
    ask(question)
    assert question == before


def test_hash_seed_does_not_matter(tmp_path: Path) -> None:
    """Another seed of Python's hashing gives the same text."""
    node = {"vcpus": 4, "vcpus_used": 0, "memory_mb": 4096, "memory_mb_used": 0, "local_gb": 40, "local_gb_used": 0}
    sizes = [(128, 1), (512, 2), (1024, 1), (5000, 1)]
    content = {
        "fleet": FLEET,
        "hosts": {f"hv{number}": {**node, "memory_mb": 2048 + 512 * (number % 3)} for number in range(6)},
        "instances": [
            {"name": f"i{number}", "flavor": {"name": "f", "vcpus": cpus, "memory_mb": memory, "disk_gb": 1}}
            for number, (memory, cpus) in enumerate(sizes * 8)
        ],
    }
    path = tmp_path / "question.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    module = "ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler"
    texts = set()
    for seed in ("0", "1", "77"):
        done = subprocess.run(
            [sys.executable, "-m", module, str(path), "--json"],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "")
        texts.add(done.stdout)
    assert len(texts) == 1
