# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What holds for every plan of moves: it is replayed wave by wave, against the rules written down a second time."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
import typing as t
from collections import Counter
from fractions import Fraction
from pathlib import Path

from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.moves.drain import drain
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.moves.question import (
    DrainQuestion,
    RebalanceQuestion,
)
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.moves.rebalance import rebalance
from hypothesis import given
from hypothesis import strategies as st

FIELDS = (
    ("vcpus", "vcpus", "vcpus_used", "cpu_allocation_ratio", 0),
    ("memory_mb", "memory_mb", "memory_mb_used", "ram_allocation_ratio", 512),
    ("disk_gb", "local_gb", "local_gb_used", "disk_allocation_ratio", 0),
)
FLAVORS = ((1, 128, 1), (1, 1024, 0), (3, 512, 4), (4, 3000, 20), (2, 700, 7))
GROUPS = (None, None, None, "apart", "pair", "near", "far")
PACKAGE = "ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler"
POLICIES = {"apart": "anti-affinity", "pair": "affinity", "near": "soft-affinity", "far": "soft-anti-affinity"}
Guest = dict[str, t.Any]
Question = dict[str, t.Any]


@st.composite
def fleets(draw: st.DrawFn) -> Question:
    """Return hosts, most of which have something, some of them more than they may, with groups and foreign machines."""
    shelved = draw(st.booleans())
    hosts: Question = {f"hv{number}": draw(_host()) for number in range(1, draw(st.integers(2, 6)) + 1)}
    up = [name for name, host in hosts.items() if host["state"] == "up"]
    crowded = up[: 1 + len(up) // 3]
    for number in range(draw(st.integers(0, 14)) if up else 0):
        guest = draw(_guest(number))
        home = draw(st.sampled_from(up if draw(st.integers(0, 2)) == 0 else crowded))
        if guest["group"] == "pair" and guest["fleet"] == "demo" and draw(st.booleans()):
            home = up[-1]
        if not any(twin["name"] == guest["name"] for twin in hosts[home]["instances"]):
            is_shelved = shelved and guest["power_state"] == "stopped" and draw(st.booleans())
            _put(hosts[home], guest, is_shelved)
    question: Question = {
        "hosts": hosts,
        "limits": {
            "cpu_allocation_ratio": draw(st.sampled_from([1.0, 4.0])),
            "ram_allocation_ratio": draw(st.sampled_from([1.0, 1.5])),
        },
        "concurrent_per_host": draw(st.integers(1, 3)),
        "pinned": draw(st.sampled_from([[], ["i1", "i2"]])),
    }
    if draw(st.booleans()):
        question["fleet"] = "demo"
        question["instances"] = _declared(draw, hosts)
    return question


@st.composite
def _guest(draw: st.DrawFn, number: int) -> Guest:
    fleet = draw(st.sampled_from(["demo", "demo", "demo", "other", None]))
    group = draw(st.sampled_from(GROUPS)) if fleet else None
    return {
        "name": f"i{number}" if draw(st.integers(0, 9)) else "i0",
        "fleet": fleet,
        **dict(zip(("vcpus", "memory_mb", "disk_gb"), draw(st.sampled_from(FLAVORS)))),
        "group": group,
        "group_policy": POLICIES.get(group or ""),
        "power_state": draw(st.sampled_from(["running", "running", "stopped", "suspended"])),
    }


def _put(host: dict[str, t.Any], guest: Guest, is_shelved: bool) -> None:
    """Let a host have a guest; of a shelved one it counts the disk only."""
    host["instances"].append(guest)
    for key, _total, used, _ratio, _reserve in FIELDS:
        host[used] += 0 if is_shelved and key != "disk_gb" else guest[key]


def _declared(draw: st.DrawFn, hosts: Question) -> list[dict[str, t.Any]]:
    """Return declarations of what runs, once each, some of them with networks."""
    found: dict[str, dict[str, t.Any]] = {}
    for host in hosts.values():
        for guest in host.get("instances", []):
            if guest["fleet"] == "demo":
                flavor = {key: guest[key] for key in ("vcpus", "memory_mb", "disk_gb")}
                found[guest["name"]] = {"name": guest["name"], "flavor": {"name": "f", **flavor}}
                if guest["group"]:
                    found[guest["name"]].update(group=guest["group"], group_policy=guest["group_policy"])
                if draw(st.integers(0, 3)) == 0:
                    found[guest["name"]]["networks"] = [{"network": "lan0"}]
    return list(found.values())


@st.composite
def _host(draw: st.DrawFn) -> dict[str, t.Any]:
    if draw(st.integers(0, 9)) == 0:
        return {"state": draw(st.sampled_from(["down", "left_out"])), "reason": "unplugged"}
    return {
        "state": "up",
        "service_status": draw(st.sampled_from(["enabled", "enabled", "enabled", "enabled", "disabled"])),
        "vcpus": draw(st.integers(2, 8)),
        "vcpus_used": draw(st.sampled_from([0, 0, 1])),
        "memory_mb": draw(st.sampled_from([2048, 4096, 8192])),
        "memory_mb_used": draw(st.sampled_from([0, 0, 300])),
        "local_gb": draw(st.sampled_from([10, 40, 100])),
        "local_gb_used": 0,
        "networks": draw(st.sampled_from([None, {}, {"lan0": {"active": True}}, {"lan0": {"active": True}}])),
        "instances": [],
    }


class Replay:
    """Carries moves out and looks at every state on the way."""

    def __init__(self, question: Question) -> None:
        """Take a copy of the question."""
        self.question = copy.deepcopy(question)
        self.hosts = self.question["hosts"]
        self.declared = {item["name"]: item for item in self.question.get("instances") or []}
        self.surplus = {
            name: [sum(guest[key] for guest in host["instances"]) > host[used] for key, _t, used, _r, _s in FIELDS]
            for name, host in self.hosts.items()
            if host["state"] == "up"
        }
        self.homes = {
            (guest["fleet"], guest["name"]): name
            for name, host in self.hosts.items()
            for guest in host.get("instances", [])
        }

    def run(self, moves: list[dict[str, t.Any]], forbidden: t.Collection[str] = ()) -> None:
        """Carry all moves out, each wave at once."""
        last = {(move["fleet"], move["name"]): index for index, move in enumerate(moves)}
        for index, move in enumerate(moves):
            assert move["temporary"] == (last[move["fleet"], move["name"]] != index)
            target = self.hosts[move["to"]]
            assert (target["state"], target["service_status"]) == ("up", "enabled")
            assert move["to"] not in (*forbidden, move["from"])
            assert move["fleet"] is not None
            assert move["name"] not in self.question["pinned"]
        whole = self._groups_on_one_host()
        waves = sorted({move["wave"] for move in moves})
        assert waves == list(range(1, len(waves) + 1))
        for wave in waves:
            self._wave([move for move in moves if move["wave"] == wave])
            assert whole <= self._groups_on_one_host(), "an affinity group was parted"

    def _wave(self, moves: list[dict[str, t.Any]]) -> None:
        moving = [(move, self._guest(move)) for move in moves]
        assert len({id(guest) for _move, guest in moving}) == len(moving), "moved twice in a wave"
        for move, guest in moving:
            target = self.hosts[move["to"]]
            assert all(twin["name"] != guest["name"] for twin in target["instances"]), "its name is taken"
            target["instances"].append(guest)
            self._count(move["to"], guest, 1)
        for move, guest in moving:
            self._assert_legal(move, guest)
        busy = Counter(
            host for move, guest in moving for host in (move["from"], move["to"]) if guest["group"] != "pair"
        )
        assert all(number <= self.question["concurrent_per_host"] for number in busy.values())
        for move, guest in moving:
            instances = self.hosts[move["from"]]["instances"]
            instances[:] = [twin for twin in instances if twin is not guest]
            self._count(move["from"], guest, -1)

    def _guest(self, move: dict[str, t.Any]) -> Guest:
        found = [
            guest
            for guest in self.hosts[move["from"]]["instances"]
            if (guest["fleet"], guest["name"]) == (move["fleet"], move["name"])
        ]
        assert len(found) == 1
        return found[0]

    def _count(self, host: str, guest: Guest, sign: int) -> None:
        """Count room; what is not known to be counted at home becomes free there only in fantasy."""
        at_home = self.homes[guest["fleet"], guest["name"]] == host
        for (key, _total, used, _ratio, _reserve), surplus in zip(FIELDS, self.surplus[host]):
            if not (at_home and surplus):
                self.hosts[host][used] += sign * guest[key]

    def _assert_legal(self, move: dict[str, t.Any], guest: Guest) -> None:
        host = self.hosts[move["to"]]
        for key, total, used, ratio, reserve in FIELDS:
            limit = (host[total] - reserve) * Fraction(str(self.question["limits"].get(ratio, 1.0)))
            assert guest[key] == 0 or (guest[key] <= host[total] and host[used] <= limit), f"{key} on {move['to']}"
        if guest["group"] == "apart":
            members = [
                twin for twin in host["instances"] if (twin["fleet"], twin["group"]) == (guest["fleet"], "apart")
            ]
            assert len(members) == 1, "anti-affinity"
        if guest["fleet"] == "demo" and self.declared.get(guest["name"], {}).get("networks"):
            assert host["networks"] is None or host["networks"].get("lan0", {}).get("active")

    def _groups_on_one_host(self) -> set[str]:
        places: dict[str, set[str]] = {}
        for name, host in self.hosts.items():
            for guest in host.get("instances", []):
                if guest["group"] == "pair":
                    places.setdefault(str(guest["fleet"]), set()).add(name)
        return {fleet for fleet, hosts in places.items() if len(hosts) == 1}


@given(
    fleets(),
    st.sampled_from([{}, {"max_moves": 2}, {"max_mb": 1500}, {"prefer": "memory"}, {"min_gain": 0.2}]),
    st.sampled_from([0, 0.05, 0.4]),
)
def test_rebalance_is_legal_at_every_step_and_settles(question: Question, stops: Question, threshold: float) -> None:
    """Every state on the way keeps the rules, hosts are more even afterwards, and a second run has nothing to do."""
    asked: Question = {**question, **stops, "threshold": threshold}
    before = copy.deepcopy(asked)
    plan = rebalance(RebalanceQuestion(**asked))
    assert asked == before
    replay = Replay(question)
    replay.run(plan["moves"])
    for name, host in plan["hosts"].items():
        if host["state"] == "up":
            assert all(host[used] == replay.hosts[name][used] for _k, _t, used, _r, _s in FIELDS)
    assert bool(plan["reason"]) == (not plan["moves"])
    movers = {(move["fleet"], move["name"]) for move in plan["moves"]}
    if plan["moves"]:
        assert plan["after"]["score"] < plan["before"]["score"]
        assert plan["before"]["score"] > threshold
    if "max_moves" in stops:
        assert len(plan["moves"]) <= stops["max_moves"]
    elif "max_mb" in stops:
        assert plan["memory_mb"] <= stops["max_mb"]
    elif not any(any(surplus) for surplus in replay.surplus.values()):
        again = rebalance(RebalanceQuestion(**{**replay.question, **stops, "threshold": threshold}))
        assert again["moves"] == [], "the second run moves something"
        # Nobody is at home again in the end.
        assert all(
            guest not in replay.hosts[replay.homes[guest]]["instances"] and replay.homes[guest] != _place(replay, guest)
            for guest in movers
        )


def _place(replay: Replay, guest: tuple[str, str]) -> str:
    places = [
        name
        for name, host in replay.hosts.items()
        if any((twin["fleet"], twin["name"]) == guest for twin in host.get("instances", []))
    ]
    assert len(places) == 1
    return places[0]


@given(fleets(), st.data())
def test_drain_is_legal_at_every_step_and_tells_what_is_left(question: Question, data: st.DataObject) -> None:
    """Every state on the way keeps the rules, and what is on a drained host afterwards is exactly what was named."""
    drained = data.draw(st.lists(st.sampled_from(sorted(question["hosts"])), min_size=1, max_size=2, unique=True))
    options: dict[str, t.Any] = data.draw(
        st.sampled_from([{}, {"policy": "pack"}, {"make_room": True}, {"make_room": True, "make_room_cost": 1000}])
    )
    plan = drain(DrainQuestion(**question, **options, drained=drained))
    replay = Replay(question)
    replay.run(plan["moves"], forbidden=drained)
    remaining = sorted(
        (name, guest["name"], guest["fleet"] or "")
        for name in drained
        for guest in replay.hosts[name].get("instances", [])
    )
    told = sorted((item["host"], item["name"], item["fleet"] or "") for item in plan["left"])
    assert remaining == told
    assert all(item["why"] for item in plan["left"])
    unseen = any(question["hosts"][name]["state"] != "up" for name in drained)
    assert plan["complete"] == (not remaining and not unseen) == (not plan["problem"])
    if not options.get("make_room"):
        assert {move["from"] for move in plan["moves"] if not move["temporary"]} <= {
            *drained,
            *(move["to"] for move in plan["moves"] if move["temporary"]),
        }


@given(fleets(), st.randoms(use_true_random=False))
def test_order_of_hosts_and_instances_does_not_matter(question: Question, order: random.Random) -> None:
    """The same hosts in another order give the same moves."""
    shuffled = copy.deepcopy(question)
    names = list(shuffled["hosts"])
    order.shuffle(names)
    shuffled["hosts"] = {name: shuffled["hosts"][name] for name in names}
    for host in shuffled["hosts"].values():
        order.shuffle(host.get("instances", []))
    order.shuffle(shuffled.get("instances") or [])
    one, other = (rebalance(RebalanceQuestion(**asked))["moves"] for asked in (question, shuffled))
    assert one == other
    drained = [min(names)]
    one, other = (drain(DrainQuestion(**asked, drained=drained))["moves"] for asked in (question, shuffled))
    assert one == other


def planned_with(seed: str, question: Path) -> str:
    """Return what the command line plans under a hash seed."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-m", PACKAGE, "rebalance", str(question), "--json"]
    return subprocess.check_output(arguments, env=environment, text=True)


def test_hash_seed_does_not_matter(tmp_path: Path) -> None:
    """A plan does not hang on the order of sets."""
    number = random.Random(7)
    hosts: Question = {
        f"hv{index}": {
            **{"vcpus": 16, "vcpus_used": 0, "memory_mb": 32768, "memory_mb_used": 0},
            **{"local_gb": 500, "local_gb_used": 0, "instances": []},
        }
        for index in range(1, 9)
    }
    for index in range(40):
        host = hosts[f"hv{1 + index % 3}"]
        guest = {
            "name": f"i{index}",
            "fleet": "demo",
            "vcpus": 1,
            "memory_mb": 128 * number.randint(1, 9),
            "disk_gb": 2,
        }
        host["instances"].append(guest)
        for key, _total, used, _ratio, _reserve in FIELDS:
            host[used] += guest[key]
    question = tmp_path / "question.json"
    question.write_text(json.dumps({"hosts": hosts}), encoding="utf-8")
    plans = {planned_with(seed, question) for seed in ("0", "1", "2")}
    assert len(plans) == 1
    assert json.loads(plans.pop())["moves"]
