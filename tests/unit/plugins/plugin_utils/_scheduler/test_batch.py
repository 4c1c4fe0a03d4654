# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the batch engine: groups as units, repair, moves of what runs, bounds and verdicts."""

from __future__ import annotations

import itertools
import typing as t
from collections import Counter

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.table import plan_table
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker import violations
from hypothesis import given
from hypothesis import strategies as st

Data = dict[str, t.Any]


def node(memory_mb: int = 4096, guests: t.Sequence[Data] = (), **changes: t.Any) -> Data:
    """Return a host with plenty of all but memory, used by its guests."""
    used = sum(guest["memory_mb"] for guest in guests)
    room = {"vcpus": 64, "vcpus_used": len(guests), "memory_mb": memory_mb, "memory_mb_used": used}
    return {"state": "up", "local_gb": 400, "local_gb_used": len(guests), "instances": list(guests), **room, **changes}


def guest(name: str, memory_mb: int = 1024, **more: t.Any) -> Data:
    """Return an instance of the fleet as the facts have it."""
    return {"name": name, "fleet": "demo", "vcpus": 1, "memory_mb": memory_mb, "disk_gb": 1, **more}


def instance(name: str, memory_mb: int = 1024, **more: t.Any) -> Data:
    """Return a resolved instance."""
    return {"name": name, "flavor": {"name": "f", "vcpus": 1, "memory_mb": memory_mb, "disk_gb": 1}, **more}


def ask(instances: t.Sequence[Data], hosts: Data, **options: t.Any) -> Data:
    """Return the plan with nothing reserved, after the checker found nothing wrong with it."""
    question = {"fleet": "demo", "instances": list(instances), "hosts": hosts, **options}
    question.setdefault("limits", {"reserved_host_memory_mb": 0})
    plan = answer(Question(**question))
    assert violations(question, plan) == []
    return plan


def places(plan: Data) -> dict[str, str]:
    """Return where each instance is."""
    return {item["name"]: item["host"] for item in plan["placements"]}


APART: Data = {"group": "g", "group_policy": "anti-affinity"}
NEAR: Data = {"group": "g", "group_policy": "affinity"}


@pytest.mark.parametrize("policy", ["spread", "pack"])
def test_an_affinity_group_goes_where_all_of_it_fits(policy: str) -> None:
    """The first member alone would do elsewhere, and then the others would have no place."""
    hosts = {"hv1": node(2048), "hv2": node(3072), "hv3": node(2048)}
    group = [instance(f"g{number}", **NEAR) for number in range(3)]
    others = [instance(f"x{number}") for number in range(4)]
    found = places(ask([*others, *group], hosts, policy=policy))
    assert [found[f"g{number}"] for number in range(3)] == ["hv2"] * 3
    assert len(found) == len(group) + len(others)


def test_an_affinity_group_that_fits_nowhere_as_a_whole() -> None:
    """As many members as possible are together; the others are told where it is."""
    plan = ask([instance(f"g{number}", **NEAR) for number in range(3)], {"hv1": node(1024), "hv2": node(2048)})
    assert places(plan) == {"g0": "hv2", "g1": "hv2"}
    assert plan["unplaced"][0]["by_filter"] == {"RamFilter": 1, "ServerGroupAffinityFilter": 1}


@pytest.mark.parametrize("policy", ["spread", "pack", "nova"])
def test_an_anti_affinity_group_gets_its_hosts_first(policy: str) -> None:
    """What is bigger and could go anywhere leaves room on each host."""
    hosts = {f"hv{number}": node(4096) for number in range(3)}
    big = [instance(f"big{number}", 3072) for number in range(3)]
    group = [instance(f"g{number}", **APART) for number in range(3)]
    found = places(ask([*big, *group], hosts, policy=policy))
    assert len({found[f"g{number}"] for number in range(3)}) == len(hosts)
    assert len(found) == len(big) + len(group)


@pytest.mark.parametrize("policy", ["spread", "pack"])
def test_soft_groups_are_wishes(policy: str) -> None:
    """They are followed where there is room, and no reason to refuse anything."""
    hosts = {"hv1": node(2048), "hv2": node(2048)}
    wish: Data = {"group": "g", "group_policy": "soft-anti-affinity"}
    assert len(set(places(ask([instance("a", **wish), instance("b", **wish)], hosts, policy=policy)).values())) == len(
        hosts
    )
    wish = {"group": "g", "group_policy": "soft-affinity"}
    assert len(set(places(ask([instance("a", **wish), instance("b", **wish)], hosts, policy=policy)).values())) == 1
    assert len(places(ask([instance(f"a{n}", **wish) for n in range(4)], hosts, policy=policy))) == 2 * len(hosts)


@pytest.mark.parametrize("policy", ["spread", "pack"])
def test_repair_finds_what_no_order_does(policy: str) -> None:
    """Pieces that fill every host to the last MiB."""
    cut = ([350, 250, 200, 100], [450, 300, 150], [400, 300, 150, 50])
    pieces = [piece for pieces in itertools.zip_longest(*cut) for piece in pieces if piece]
    hosts = {f"hv{number}": node(900) for number in range(len(cut))}
    plan = ask([instance(f"i{index}", size) for index, size in enumerate(pieces)], hosts, policy=policy)
    assert len(plan["placements"]) == len(pieces)


def test_followers_go_where_the_others_went() -> None:
    """Hints name instances of the same plan, whatever is declared first; a follower of a follower as well."""
    hosts = {"hv1": node(3072), "hv2": node(3072)}
    wanted = [
        instance("c", scheduler_hints={"same_host": ["b"]}),
        instance("b", scheduler_hints={"same_host": ["a"]}),
        instance("a"),
        instance("x", 2048),
    ]
    plan = answer(Question("demo", wanted, hosts, limits={"reserved_host_memory_mb": 0}))
    found = places(plan)
    assert found["a"] == found["b"] == found["c"] != found["x"]


def test_violations_are_told_and_nothing_moves() -> None:
    """Of a group only those that are too many; a zone, and a declared host."""
    crowd = [guest("a", group="g"), guest("b", group="g"), guest("c", availability_zone="az1")]
    hosts = {"hv1": node(guests=crowd, availability_zone="az1"), "hv2": node(availability_zone="az2")}
    wanted = [instance("a", **APART), instance("b", **APART), instance("c", availability_zone="az2")]
    plan = ask(wanted, hosts)
    assert set(places(plan).values()) == {"hv1"}
    assert plan["migrations"] == []
    assert plan["violations"] == [
        {
            "name": "b",
            "host": "hv1",
            "filter": "ServerGroupAntiAffinityFilter",
            "message": "has 2 of anti-affinity group g and may have 1",
        },
        {
            "name": "c",
            "host": "hv1",
            "filter": "AvailabilityZoneFilter",
            "message": "is in zone az1, and declared is az2",
        },
    ]
    assert "b breaks a rule where it is: ServerGroupAntiAffinityFilter: hv1 has 2 of" in plan_table(plan)


def test_violations_are_fixed_on_request() -> None:
    """Each move says what it is for; what can't be put right stays and is told."""
    crowd = [guest("a", group="g"), guest("b", group="g"), guest("c"), guest("d")]
    hosts = {"hv1": node(guests=crowd), "hv2": node()}
    wanted = [instance("a", **APART), instance("b", **APART), instance("c", host="hv2")]
    wanted.append(instance("d", availability_zone="nowhere"))
    plan = ask(wanted, hosts, fix_violations=True)
    assert places(plan) == {"a": "hv1", "b": "hv2", "c": "hv2", "d": "hv1"}
    assert [(move["name"], move["from"], move["to"], move["memory_mb"]) for move in plan["migrations"]] == [
        ("b", "hv1", "hv2", 1024),
        ("c", "hv1", "hv2", 1024),
    ]
    assert [item["action"] for item in plan["placements"]] == ["keep", "migrate", "migrate", "keep"]
    assert plan["migrations"][1]["why"] == "HostFilter: hv1 is not the declared host hv2"
    assert [item["name"] for item in plan["violations"]] == ["b", "c", "d"]


def test_a_torn_affinity_group_is_mended() -> None:
    """The few go to the many."""
    hosts = {
        "hv1": node(guests=[guest("a", group="g")]),
        "hv2": node(guests=[guest("b", group="g"), guest("c", group="g")]),
    }
    wanted = [instance(name, **NEAR) for name in "abc"]
    plan = ask(wanted, hosts, fix_violations=True)
    assert set(places(plan).values()) == {"hv2"}
    assert plan["violations"][0]["message"] == "has 1 of affinity group g, and hv2 has 2"


FULL = {
    "hv1": node(4096, [guest("s", 1024), guest("m", 2048)]),
    "hv2": node(4096, [guest("t", 1024), guest("n", 1536)]),
}
RUNNING = [instance("s", 1024), instance("m", 2048), instance("t", 1024), instance("n", 1536)]


def test_room_is_made_on_request() -> None:
    """With as few and as small moves as will do; without the request it is told that no host has room."""
    new = instance("new", 2048)
    assert [item["name"] for item in ask([*RUNNING, new], FULL)["unplaced"]] == ["new"]
    plan = ask([*RUNNING, new], FULL, make_room=True)
    assert plan["unplaced"] == []
    assert [(move["name"], move["from"], move["to"]) for move in plan["migrations"]] == [("s", "hv1", "hv2")]
    assert plan["migrations"][0]["why"] == "makes room for new"
    assert places(plan)["new"] == "hv1"
    assert "s moves from hv1 to hv2 (1024 MiB, 1 GiB): makes room for new" in plan_table(plan)


def test_room_has_a_price() -> None:
    """What would cost more is not done, and what does not help neither."""
    new = instance("new", 2048)
    assert len(ask([*RUNNING, new], FULL, make_room=True, make_room_cost=1024)["migrations"]) == 1
    for options in ({"make_room_cost": 1023}, {"make_room_cost": 0}):
        plan = ask([*RUNNING, new], FULL, make_room=True, **options)
        assert (plan["migrations"], len(plan["unplaced"])) == ([], 1)
    plan = ask([*RUNNING, instance("new", 4000)], FULL, make_room=True)
    assert (plan["migrations"], len(plan["unplaced"])) == ([], 1)


def test_room_is_made_for_groups() -> None:
    """Where it is not room that is short but a host without a member."""
    hosts = {"hv1": node(2048, [guest("a", group="g")]), "hv2": node(2048, [guest("x", 2048)]), "hv3": node(2048)}
    wanted = [instance("a", **APART), instance("x", 2048), instance("b", **APART), instance("c", **APART)]
    plan = ask(wanted, {**hosts, "hv4": node(2048, [guest("y", 2048)])}, make_room=True)
    assert len(plan["unplaced"]) == 1


@pytest.mark.parametrize(
    ("instances", "hosts", "is_proven", "words"),
    [
        ([instance("a", 9000)], {"hv1": node()}, True, "large enough: needs 9000 MiB, 4096 at most"),
        ([instance("a", 4000)], {"hv1": node(guests=[guest("x")])}, True, "with nothing else placed: needs 4000 MiB"),
        ([instance("a", availability_zone="z")], {"hv1": node()}, True, "no host meets its rules"),
        (
            [instance(f"a{n}", **APART) for n in range(3)],
            {"hv1": node(), "hv2": node()},
            True,
            "group g has 3 new members that stay apart, and 2 places are left for them",
        ),
        (
            [instance(f"a{n}", 2048) for n in range(5)],
            {"hv1": node(), "hv2": node()},
            True,
            "1 of 5 have no place in any arrangement: all that is new needs 10240 MiB together, 8192 MiB are free",
        ),
        ([instance(f"a{n}", 2100) for n in range(3)], {"hv1": node(), "hv2": node()}, False, "it is not proven"),
    ],
)
def test_verdicts(instances: list[Data], hosts: Data, is_proven: bool, words: str) -> None:
    """Each instance without a place has one."""
    plan = ask(instances, hosts)
    verdict = plan["certificate"]["unplaced_proven"][0]
    assert verdict["is_proven"] is is_proven
    assert words in verdict["message"]
    assert words in plan_table(plan)


def test_scores_and_runners_up() -> None:
    """The terms add up, and the host that would have been next is named."""
    hosts = {"hv1": node(), "hv2": node(guests=[guest("x")]), "hv3": node(512)}
    for policy, host, other in (("spread", "hv1", "hv2"), ("pack", "hv2", "hv1")):
        item = ask([instance("a")], hosts, policy=policy)["placements"][0]
        assert item["host"] == host
        assert item["score"]["total"] == pytest.approx(sum(item["score"]["terms"].values()))
        assert item["score"]["runner_up"]["host"] == other
        assert item["score"]["runner_up"]["total"] < item["score"]["total"]


def test_the_bound_in_the_table() -> None:
    """One line says how good the plan is."""
    plan = ask(
        [instance(f"a{n}", 2048) for n in range(3)], {"hv1": node(), "hv2": node(), "hv3": node()}, policy="pack"
    )
    assert plan_table(plan).splitlines()[-1] == "2 hosts are used; no plan uses fewer (volume of memory)"


small = st.lists(st.sampled_from([300, 500, 700, 1100, 1500]), min_size=1, max_size=6)
rooms = st.lists(st.sampled_from([400, 800, 1500, 2000, 2300]), min_size=1, max_size=3)


@given(small, rooms, st.sampled_from(["spread", "pack"]))
def test_bounds_hold_for_every_arrangement(sizes: list[int], totals: list[int], policy: str) -> None:
    """All arrangements are looked at: none uses fewer hosts than the bound, or places what is proven impossible."""
    plan = ask(
        [instance(f"i{index}", size) for index, size in enumerate(sizes)],
        {f"hv{index}": node(total) for index, total in enumerate(totals)},
        policy=policy,
    )
    placed = {int(item["name"][1:]) for item in plan["placements"]}
    most, least = 0, len(totals)
    for chosen in itertools.product(range(-1, len(totals)), repeat=len(sizes)):
        load = Counter[int]()
        for size, host in zip(sizes, chosen):
            load[host] += size
        if any(load[host] > total for host, total in enumerate(totals)):
            continue
        inside = {index for index, host in enumerate(chosen) if host >= 0}
        most = max(most, len(inside))
        if inside == placed:
            least = min(least, len({host for host in chosen if host >= 0}))
    certificate = plan["certificate"]
    assert certificate["lower_bound"] <= least <= certificate["hosts_used"]
    assert len(placed) == most
    proven = [item for item in certificate["unplaced_proven"] if item["is_proven"]]
    assert len(proven) <= len(sizes) - most


@given(small, rooms, st.integers(100, 2000), st.sampled_from(["spread", "pack"]))
def test_more_room_places_no_fewer(sizes: list[int], totals: list[int], more: int, policy: str) -> None:
    """Another host, or a bigger one, never costs anything its place."""
    wanted = [instance(f"i{index}", size) for index, size in enumerate(sizes)]
    hosts = {f"hv{index}": node(total) for index, total in enumerate(totals)}
    before = len(ask(wanted, hosts, policy=policy)["placements"])
    assert len(ask(wanted, {**hosts, "more": node(more)}, policy=policy)["placements"]) >= before
    assert len(ask(wanted, {**hosts, "hv0": node(totals[0] + more)}, policy=policy)["placements"]) >= before


@given(small, rooms, st.sampled_from(["spread", "pack"]), st.randoms(use_true_random=False))
def test_other_names_give_the_same_quality(sizes: list[int], totals: list[int], policy: str, random: t.Any) -> None:
    """Which host or instance has which name changes nothing about how many find a place on how few hosts."""
    shuffled, others = random.sample(sizes, len(sizes)), random.sample(totals, len(totals))
    results = []
    for mine, theirs in ((sizes, totals), (shuffled, others)):
        plan = ask(
            [instance(f"i{index}", size) for index, size in enumerate(mine)],
            {f"hv{index}": node(total) for index, total in enumerate(theirs)},
            policy=policy,
        )
        results.append((len(plan["placements"]), plan["certificate"]["hosts_used"] if policy == "pack" else 0))
    assert results[0] == results[1]
