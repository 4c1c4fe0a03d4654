# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the rebalance filter: what is moved, what never is, when it stops, and how wrong input is refused."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.rebalance import EXAMPLES, FilterModule, rebalance

NO_RESERVE = {"reserved_host_memory_mb": 0}
NOW = "2026-01-31T12:00:00Z"


def guest(name: str, memory_mb: int = 1024, fleet: str | None = "demo", **more: t.Any) -> dict[str, t.Any]:
    """Return an instance as the facts have it."""
    return {"name": name, "fleet": fleet, "vcpus": 1, "memory_mb": memory_mb, "disk_gb": 1, **more}


def node(*guests: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    """Return a host with 8 CPUs, 8192 MiB and 100 GiB that has some guests."""
    return {
        **{"vcpus": 8, "memory_mb": 8192, "local_gb": 100, "instances": list(guests)},
        **{f"{key}_used": sum(one[key] for one in guests) for key in ("vcpus", "memory_mb")},
        "local_gb_used": sum(one["disk_gb"] for one in guests),
        **changes,
    }


def plan(hosts: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """Return the plan, with nothing reserved on the hosts."""
    return rebalance(hosts, limits=NO_RESERVE, **options)


def moves(result: dict[str, t.Any]) -> list[tuple[str, str, str]]:
    """Return what is moved from where to where."""
    return [(move["name"], move["from"], move["to"]) for move in result["moves"]]


def crowded(**more: t.Any) -> dict[str, t.Any]:
    """Return two hosts of which one has all four guests."""
    return {"hv1": node(*(guest(f"web-{number}", **more) for number in range(1, 5))), "hv2": node()}


def test_half_of_it_goes() -> None:
    """Two of four go, and everything about them is told."""
    result = plan(crowded())
    assert moves(result) == [("web-1", "hv1", "hv2"), ("web-2", "hv1", "hv2")]
    assert result["reason"] == ""
    assert result["memory_mb"] == sum(move["memory_mb"] for move in result["moves"])
    assert result["before"]["memory_mb"] == {"sd": 0.25, "max": 0.5}
    assert result["after"] == {
        "score": 0.0,
        **{
            key: {"sd": 0.0, "max": limit} for key, limit in (("vcpus", 0.0625), ("memory_mb", 0.25), ("disk_gb", 0.02))
        },
    }
    assert result["moves"][0] == {
        **{"name": "web-1", "fleet": "demo", "from": "hv1", "to": "hv2", "memory_mb": 1024, "disk_gb": 1},
        **{"gain": 0.3325, "wave": 1, "temporary": False},
        "why": "hv1 (cpu 12%, ram 50%, disk 4%) is fuller than hv2 (cpu 0%, ram 0%, disk 0%)",
    }
    assert sum(move["gain"] for move in result["moves"]) == pytest.approx(2 * result["before"]["score"])
    assert result["hosts"]["hv2"]["memory_mb_used"] == result["memory_mb"]


def test_the_example() -> None:
    """What the documentation shows works."""
    hosts = yaml.safe_load(EXAMPLES)[0]["vars"]["hypervisors"]
    assert moves(rebalance(hosts, max_moves=10, cooldown=21600, now=NOW)) == [("web-1", "hv1", "hv2")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"threshold": 1}, "The imbalance is 0.3325, and up to 1.0 nothing is moved."),
        ({"min_gain": 1}, "No move within the rules gains 1.0 of a host or more; the imbalance is 0.3325."),
        ({"max_moves": 0}, "No move within the rules and the limits on moves and memory gains 0.01 of a host or more"),
        ({"excluded": ["hv2"]}, "There are no two hosts in service between which instances could be moved."),
        ({"pinned": [f"web-{number}" for number in range(1, 5)]}, "of 4 there, 4 are fixed since each is pinned"),
        ({"fleets": ["other"]}, "4 are fixed since each is of fleet demo, which is not among those that may be moved"),
    ],
)
def test_nothing_is_moved(options: dict[str, t.Any], reason: str) -> None:
    """There is one sentence why."""
    result = plan(crowded(), **options)
    assert result["moves"] == []
    assert reason in result["reason"]
    assert result["before"] == result["after"]


def test_what_is_in_no_fleet_stays_and_counts() -> None:
    """It is not ours to move; what is ours goes around it."""
    hosts = {"hv1": node(guest("theirs", 4096, fleet=None), guest("web")), "hv2": node()}
    result = plan(hosts)
    assert moves(result) == [("web", "hv1", "hv2")]
    assert result["fixed"] == [
        {"name": "theirs", "fleet": None, "host": "hv1", "why": "is in no fleet, so that it is not ours to move"}
    ]


def test_limits_take_the_best_moves() -> None:
    """The first of few is the one that gains most; memory is counted as a whole."""
    hosts = {"hv1": node(guest("a", 512), guest("b", 2048), guest("c", 512), guest("d", 1024)), "hv2": node()}
    assert moves(plan(hosts, max_moves=1)) == [("b", "hv1", "hv2")]
    assert plan(hosts, max_mb=1024)["memory_mb"] <= 1024


def test_target_stops_early() -> None:
    """No more is moved than it takes."""
    assert len(plan(crowded(), target=0.3)["moves"]) == 1


def test_preference_for_memory() -> None:
    """Two small ones are moved rather than a big one where they count the same in sum."""
    hosts = {"hv1": node(guest("big", 4096, vcpus=2), guest("s1", 128), guest("s2", 128)), "hv2": node()}
    options = {"weights": {"memory_mb": 0, "disk_gb": 0}, "threshold": 0, "limits": {"cpu_allocation_ratio": 1}}
    assert [name for name, _from, _to in moves(rebalance(hosts, **options))] == ["big"]
    assert [name for name, _from, _to in moves(rebalance(hosts, prefer="memory", **options))] == ["s1", "s2"]


@pytest.mark.parametrize("when", ["created_at", "moved_at"])
def test_cooldown(when: str) -> None:
    """What was just made or moved stays a while."""
    hosts = crowded(**{when: "2026-01-31T11:50:00Z"})
    result = plan(hosts, cooldown=601, now=NOW)
    assert result["moves"] == []
    verb = "made" if when == "created_at" else "moved"
    assert result["fixed"][0]["why"] == f"was {verb} at 2026-01-31T11:50:00+00:00, less than 601 s ago"
    assert plan(hosts, cooldown=600, now=NOW)["moves"]
    assert plan(hosts, cooldown=600, now=1769860800)["moves"]


def test_disabled_and_down_hosts_take_no_part() -> None:
    """Nothing goes there, and what is on a disabled one stays."""
    hosts = {
        **crowded(),
        "hv3": node(guest("x", 8000), service_status="disabled", disabled_reason="repair"),
        "hv4": {"state": "down", "reason": "no route"},
    }
    result = plan(hosts)
    assert {to for _name, _from, to in moves(result)} == {"hv2"}
    assert result["fixed"] == [{"name": "x", "fleet": "demo", "host": "hv3", "why": "hv3 is disabled: repair"}]


def test_exchange_where_no_move_helps() -> None:
    """Two change places."""
    hosts = {"hv1": node(guest("a", 4096), guest("b", 3072)), "hv2": node(guest("c", 3072), guest("d", 2048))}
    result = plan(hosts, weights={"vcpus": 0, "disk_gb": 0})
    assert result["after"]["score"] == 0.0
    assert len(result["moves"]) == 2


def test_exchange_by_way_of_a_third_host() -> None:
    """Where two hosts have no room for both, one makes way for a while; every wave is of moves that can be made at once."""
    hosts = {
        "hv1": node(guest("a", 5120), guest("b", 3072)),
        "hv2": node(guest("c", 4096), guest("d", 2048)),
        "hv3": node(guest("theirs", 4096, fleet=None), guest("e", 1024)),
    }
    result = plan(hosts, weights={"vcpus": 0, "disk_gb": 0}, threshold=0, min_gain=0.001)
    assert result["after"]["score"] < result["before"]["score"]
    assert plan({**hosts, "hv1": node(guest("a", 5120)), "hv2": node(guest("b", 5120))}, threshold=0)["moves"] == []


def test_groups() -> None:
    """Members that stay apart never meet, and members that stay together move as one."""
    apart: dict[str, t.Any] = {"group": "g", "group_policy": "anti-affinity"}
    hosts = {"hv1": node(*(guest(f"x{n}") for n in range(4)), guest("a", **apart)), "hv2": node(guest("b", **apart))}
    assert "a" not in [name for name, _from, _to in moves(plan(hosts))]
    together: dict[str, t.Any] = {"group": "g", "group_policy": "affinity"}
    hosts = {"hv1": node(guest("a", **together), guest("b", **together), guest("x", 2048)), "hv2": node()}
    result = plan(hosts, pinned=["x"])
    assert moves(result) == [("a", "hv1", "hv2"), ("b", "hv1", "hv2")]
    assert {move["wave"] for move in result["moves"]} == {1}
    assert result["moves"][0]["why"].endswith("; its affinity group moves as one")


@pytest.mark.parametrize(("policy", "goes"), [("soft-affinity", False), ("soft-anti-affinity", True)])
def test_soft_groups_are_not_made_worse(policy: str, goes: bool) -> None:
    """What likes to be together is not parted; what likes to be apart may be."""
    soft: dict[str, t.Any] = {"group": "g", "group_policy": policy}
    hosts = {"hv1": node(guest("a", **soft), guest("b", **soft)), "hv2": node()}
    assert bool(plan(hosts)["moves"]) == goes


def test_declared_rules_count() -> None:
    """What is declared is judged by all its rules."""
    flavor = {"name": "f", "vcpus": 1, "memory_mb": 1024, "disk_gb": 1}
    declared = [{"name": f"web-{n}", "flavor": flavor, "availability_zone": "east"} for n in range(1, 5)]
    hosts = crowded()
    hosts["hv1"]["availability_zone"], hosts["hv2"]["availability_zone"] = "east", "west"
    assert plan(hosts, fleet="demo", instances=declared)["moves"] == []
    assert plan(hosts)["moves"]


def test_hints_count_both_ways() -> None:
    """Neither of two that are to stay apart comes to the other, and what is followed stays."""
    flavor = {"name": "f", "vcpus": 1, "memory_mb": 1024, "disk_gb": 1}
    apart = [{"name": "a", "flavor": flavor, "scheduler_hints": {"different_host": ["web-1"]}}]
    hosts = crowded()
    hosts["hv2"] = node(guest("a", 128))
    assert "web-1" not in [name for name, _f, _t in moves(plan(hosts, fleet="demo", instances=apart))]
    beside = [{"name": "web-2", "flavor": flavor, "scheduler_hints": {"same_host": ["web-1"]}}]
    result = plan(crowded(), fleet="demo", instances=beside)
    assert {name for name, _f, _t in moves(result)} == {"web-3", "web-4"}
    assert result["fixed"][0]["why"] == "web-2 has to be on its host (scheduler_hints.same_host)"


def test_what_cannot_be_moved_now() -> None:
    """Suspended instances, twins on two hosts, and owners of devices that nothing tells of."""
    hosts = {
        "hv1": node(
            guest("a", power_state="suspended"),
            guest("b"),
            guest("c", placement={"pci_devices": ["0000:01:00.0"]}),
        ),
        "hv2": node(guest("b")),
    }
    whys = {one["name"] + one["host"]: one["why"] for one in plan(hosts)["fixed"]}
    assert whys["ahv1"] == "is suspended: start it or stop it first"
    assert whys["bhv1"] == "is on hv2 as well; find out which one is right and remove the other"
    assert "only its declaration" in whys["chv1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": -1}, "threshold: -1 is not a number of 0 or more"),
        ({"min_gain": "much"}, "min_gain: 'much' is not a number"),
        ({"max_moves": -1}, "max_moves: -1 is too small"),
        ({"max_mb": "x"}, "max_mb: 'x' is not a whole number"),
        ({"prefer": "speed"}, "prefer: 'speed' is unknown; take one of moves, memory."),
        ({"weights": {"gpu": 1}}, "weights: 'gpu' is unknown"),
        ({"weights": {"vcpus": 0, "memory_mb": 0, "disk_gb": 0}}, "weights: all are 0"),
        ({"excluded": ["hv9"]}, "excluded: 'hv9' is not a hypervisor; take some of hv1, hv2."),
        ({"pinned": [1]}, "pinned: [1] is not a list of names"),
        ({"cooldown": 60}, "cooldown: it needs to know the time; give now"),
        ({"cooldown": 60, "now": "noon"}, "now: 'noon' is not a time"),
        ({"concurrent_per_host": 0}, "concurrent_per_host: 0 is too small"),
        ({"instances": [{"name": "x"}]}, "instances: it does not say whose they are"),
        ({"treshold": 1}, "rebalance: 'treshold' is unknown; known are aggregates, "),
        ({"limits": {"x": 1}}, "limits: 'x' is unknown"),
        ({"restrict_isolated_hosts_to_isolated_images": "no"}, "write true or false"),
    ],
)
def test_wrong_input(options: dict[str, t.Any], message: str) -> None:
    """One sentence says what is wrong."""
    with pytest.raises(AnsibleFilterError) as caught:
        rebalance(crowded(), **options)
    assert message in str(caught.value)


def test_wrong_facts() -> None:
    """Facts that can't be read are named."""
    with pytest.raises(AnsibleFilterError, match=r"created_at: 'once' is not a time"):
        plan(crowded(created_at="once"), cooldown=1, now=NOW)
    with pytest.raises(AnsibleFilterError, match="there is no hypervisor"):
        plan({})


def test_filters() -> None:
    """The filter is exported under its name."""
    assert FilterModule().filters() == {"rebalance": rebalance}
