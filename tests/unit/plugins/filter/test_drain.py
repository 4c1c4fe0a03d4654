# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the drain filter: where everything goes, in which order, and what can't leave and why."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.drain import EXAMPLES, FilterModule, drain

NO_RESERVE = {"reserved_host_memory_mb": 0}


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


def plan(hosts: dict[str, t.Any], *drained: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the plan, with nothing reserved on the hosts."""
    return drain(hosts, limits=NO_RESERVE, drained=list(drained), **options)


def moves(result: dict[str, t.Any]) -> list[tuple[int, str, str, str]]:
    """Return what is moved in which wave from where to where."""
    return [(move["wave"], move["name"], move["from"], move["to"]) for move in result["moves"]]


def test_everything_leaves() -> None:
    """It is spread over the others, so many at once as a host may have."""
    hosts = {"hv1": node(*(guest(f"w{n}") for n in range(4))), "hv2": node(guest("x", 3072)), "hv3": node()}
    result = plan(hosts, "hv1", concurrent_per_host=1)
    assert result["complete"] is True
    assert result["problem"] == ""
    assert [wave for wave, *_rest in moves(result)] == [1, 2, 3, 4]
    assert {to for *_rest, to in moves(result)} == {"hv2", "hv3"}
    assert result["hosts"]["hv1"]["memory_mb_used"] == 0
    assert result["moves"][0]["why"] == "hv1 is drained"
    assert {to for *_rest, to in moves(plan(hosts, "hv1", policy="pack"))} == {"hv2"}


def test_the_example() -> None:
    """What the documentation shows works."""
    hosts = yaml.safe_load(EXAMPLES)[0]["vars"]["hypervisors"]
    assert drain(hosts, drained=["hv1"])["complete"] is True


def test_what_cannot_leave_is_told_with_all_reasons() -> None:
    """Foreign machines, pinned ones, and what fits nowhere, of which every host has its say."""
    hosts = {
        "hv1": node(guest("big", 6000), guest("theirs", fleet=None), guest("stays", 100)),
        "hv2": node(guest("x", 4000)),
        "hv3": node(service_status="disabled", disabled_reason="repair"),
        "hv4": {"state": "down", "reason": "no route"},
    }
    result = plan(hosts, "hv1", pinned=["stays"])
    assert result["complete"] is False
    left = {one["name"]: one for one in result["left"]}
    assert left["theirs"]["why"] == "is in no fleet, so that it is not ours to move"
    assert left["stays"]["why"] == "is pinned"
    assert left["big"]["why"] == "finds no other host (ComputeFilter refuses 2, RamFilter refuses 1)"
    assert [(one["host"], one["filter"], one["message"]) for one in left["big"]["hosts"]] == [
        ("hv2", "RamFilter", "needs 6000 MiB, 4192 MiB free of 8192 MiB x 1.0"),
        ("hv3", "ComputeFilter", "is disabled: repair"),
        ("hv4", "ComputeFilter", "is down: no route"),
    ]
    assert "big can't leave hv1: it finds no other host" in result["problem"]


def test_a_host_that_is_down() -> None:
    """Nobody knows what is there."""
    result = plan({"hv1": {"state": "down", "reason": "no route"}, "hv2": node()}, "hv1")
    assert result["complete"] is False
    assert result["problem"] == "hv1 is down: no route: what runs there can't be seen."


def test_no_other_host() -> None:
    """That is the reason then."""
    assert plan({"hv1": node(guest("a"))}, "hv1")["left"][0]["why"] == "has no other host to go to"


def test_long_problems_are_cut() -> None:
    """The first few say enough."""
    hosts = {"hv1": node(*(guest(f"w{n}") for n in range(5)))}
    assert plan(hosts, "hv1")["problem"].endswith("\nand 2 more")


def test_others_make_way_among_those_that_leave() -> None:
    """The big one needs the only host with its network, which a small one would have taken."""
    flavor = {"name": "f", "vcpus": 1, "memory_mb": 1024, "disk_gb": 1}
    declared = [{"name": "net", "flavor": flavor, "networks": [{"network": "lan0"}]}]
    hosts = {
        "hv1": node(guest("net", 4096), guest("big", 6144)),
        "hv2": node(networks={"lan0": {"active": True}}),
        "hv3": node(networks={}),
    }
    result = plan(hosts, "hv1", fleet="demo", instances=declared)
    assert {(name, to) for _wave, name, _from, to in moves(result)} == {("net", "hv2"), ("big", "hv3")}


@pytest.mark.parametrize(
    ("options", "complete"),
    [
        ({}, False),
        ({"make_room": True}, True),
        ({"make_room": True, "make_room_cost": 3071}, False),
        ({"make_room": True, "make_room_cost": 3072}, True),
        ({"make_room": True, "pinned": ["x", "y"]}, False),
    ],
)
def test_make_room(options: dict[str, t.Any], complete: bool) -> None:
    """What could stay is moved only if that was allowed, at that price, and goes first."""
    hosts = {"hv1": node(guest("big", 7168)), "hv2": node(guest("x", 3072)), "hv3": node(guest("y", 4096))}
    result = plan(hosts, "hv1", **options)
    assert result["complete"] is complete
    if complete:
        assert moves(result) == [(1, "x", "hv2", "hv3"), (2, "big", "hv1", "hv2")]
        assert result["moves"][0]["why"] == "makes room for what has to leave"
    else:
        assert result["moves"] == []


def test_groups_leave_as_one() -> None:
    """And never onto a host that hasn't room for all of them."""
    together = {"group": "g", "group_policy": "affinity"}
    hosts = {"hv1": node(guest("a", 2048, **together), guest("b", 2048, **together)), "hv2": node(guest("x", 6000))}
    assert plan(hosts, "hv1")["complete"] is False
    result = plan({**hosts, "hv3": node(guest("y", 4096))}, "hv1", concurrent_per_host=1)
    assert moves(result) == [(1, "a", "hv1", "hv3"), (1, "b", "hv1", "hv3")]
    assert result["moves"][0]["why"] == "hv1 is drained; its affinity group moves as one"


def test_two_hosts_at_once() -> None:
    """Nothing goes from one to the other."""
    hosts = {"hv1": node(guest("a")), "hv2": node(guest("b")), "hv3": node()}
    result = plan(hosts, "hv1", "hv2")
    assert {to for *_rest, to in moves(result)} == {"hv3"}
    assert result["drained"] == ["hv1", "hv2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drained": []}, "drained: no host is named"),
        ({"drained": ["hv9"]}, "drained: 'hv9' is not a hypervisor"),
        ({"drained": ["hv1"], "policy": "nova"}, "policy: 'nova' is unknown; take one of spread, pack."),
        ({"drained": ["hv1"], "make_room": "yes"}, "make_room: 'yes' is not a boolean"),
        ({"drained": ["hv1"], "make_room_cost": -1}, "make_room_cost: -1 is too small"),
        ({"drained": ["hv1"], "hostz": 1}, "drain: 'hostz' is unknown"),
    ],
)
def test_wrong_input(options: dict[str, t.Any], message: str) -> None:
    """One sentence says what is wrong."""
    with pytest.raises(AnsibleFilterError) as caught:
        drain({"hv1": node()}, **options)
    assert message in str(caught.value)


def test_filters() -> None:
    """The filter is exported under its name."""
    assert FilterModule().filters() == {"drain": drain}
