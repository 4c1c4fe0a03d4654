# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the schedule filter: what a plan says, and how wrong input is refused."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.schedule import FilterModule, schedule

NO_RESERVE = {"reserved_host_memory_mb": 0}
MEMORY_MB = 4096


def node(**changes: t.Any) -> dict[str, t.Any]:
    """Return the facts of an empty host with 4 CPUs, 4096 MiB and 40 GiB."""
    facts = {
        "state": "up",
        "service_status": "enabled",
        "vcpus": 4,
        "vcpus_used": 0,
        "memory_mb": MEMORY_MB,
        "memory_mb_used": 0,
        "local_gb": 40,
        "local_gb_used": 0,
        "instances": [],
    }
    return {**facts, **changes}


def instance(name: str, memory_mb: int = 1024, vcpus: int = 1, disk_gb: int = 1, **more: t.Any) -> dict[str, t.Any]:
    """Return a resolved instance."""
    return {"name": name, "flavor": {"name": "f", "vcpus": vcpus, "memory_mb": memory_mb, "disk_gb": disk_gb}, **more}


def guest(name: str, fleet: str | None = "demo", memory_mb: int = 1024) -> dict[str, t.Any]:
    """Return an instance as the facts have it."""
    return {"name": name, "fleet": fleet, "vcpus": 1, "memory_mb": memory_mb, "disk_gb": 1}


def plan(instances: list[dict[str, t.Any]], hosts: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """Return the plan of fleet demo, with nothing reserved on the hosts unless asked for."""
    return schedule(instances, hosts, **{"fleet": "demo", "limits": NO_RESERVE, **options})


def places(result: dict[str, t.Any]) -> dict[str, str]:
    """Return each placed instance's host."""
    return {item["name"]: item["host"] for item in result["placements"]}


def messages(result: dict[str, t.Any], index: int = 0) -> dict[str, str]:
    """Return each host's reason for one unplaced instance."""
    return {item["host"]: f"{item['filter']}: {item['message']}" for item in result["unplaced"][index]["hosts"]}


def test_spread_uses_every_host_and_pack_fills_one() -> None:
    """The two policies do opposite things on equal hosts."""
    hosts = {"hv1": node(), "hv2": node(), "hv3": node()}
    fleet = [instance(f"web-{number}") for number in range(1, 4)]
    assert places(plan(fleet, hosts)) == {"web-1": "hv1", "web-2": "hv2", "web-3": "hv3"}
    assert set(places(plan(fleet, hosts, policy="pack")).values()) == {"hv1"}


def test_spread_weighs_fractions_not_amounts() -> None:
    """A big host that is half full is not better than a small empty one."""
    hosts = {"big": node(memory_mb=100_000, memory_mb_used=50_000), "small": node(memory_mb=10_000)}
    assert places(plan([instance("web")], hosts)) == {"web": "small"}


def test_volumes_take_room_of_the_disk() -> None:
    """Those that are made beside the root disk are promised as it is; of other pools the facts tell nothing."""
    volumes = [{"serial": "a", "size_gb": 20}, {"serial": "b", "size_gb": 19, "pool": None}]
    assert places(plan([instance("db", volumes=volumes)], {"hv1": node()})) == {"db": "hv1"}
    refused = plan([instance("db", volumes=[*volumes, {"serial": "c", "size_gb": 1}])], {"hv1": node()})
    assert "DiskFilter" in messages(refused)["hv1"]
    elsewhere = [*volumes, {"serial": "c", "size_gb": 99, "pool": "slow"}, {"name": "there"}]
    assert places(plan([instance("db", volumes=elsewhere)], {"hv1": node()})) == {"db": "hv1"}
    with pytest.raises(AnsibleFilterError, match=r"volumes\[0\].size_gb: 'x' is not a whole number"):
        plan([instance("db", volumes=[{"size_gb": "x"}])], {"hv1": node()})


def test_what_runs_stays_and_is_not_counted_twice() -> None:
    """A host filled by the fleet itself keeps it, though another host is empty."""
    hosts = {
        "hv1": node(memory_mb_used=4096, vcpus_used=1, local_gb_used=1, instances=[guest("web", memory_mb=4096)]),
        "hv2": node(),
    }
    result = plan([instance("web", memory_mb=4096)], hosts)
    assert result["placements"] == [
        {
            **{"name": "web", "flavor": "f", "host": "hv1", "action": "keep", "from": None},
            **{"why": "is there already", "score": None},
        }
    ]
    assert result["hosts"]["hv1"]["memory_mb_used"] == MEMORY_MB


def test_claims_accumulate_and_show_in_the_usage() -> None:
    """Each placement takes room from the next."""
    result = plan([instance(f"web-{number}") for number in range(5)], {"hv1": node()})
    assert list(places(result)) == ["web-0", "web-1", "web-2", "web-3"]
    assert result["hosts"]["hv1"] == {
        "state": "up",
        "reason": "",
        "service_status": "enabled",
        "vcpus": 4,
        "vcpus_used": 4,
        "vcpus_limit": 16,
        "memory_mb": 4096,
        "memory_mb_used": 4096,
        "memory_mb_limit": 4096,
        "local_gb": 40,
        "local_gb_used": 4,
        "local_gb_limit": 40,
    }
    assert messages(result) == {"hv1": "RamFilter: needs 1024 MiB, 0 MiB free of 4096 MiB x 1.0"}


def test_the_biggest_goes_first_and_declared_order_is_reported() -> None:
    """Small ones do not take the last place of a big one that is declared after them."""
    hosts = {"hv1": node(), "hv2": node(memory_mb=1024)}
    result = plan([instance("small"), instance("big", memory_mb=4096)], hosts)
    assert result["placements"][0]["name"] == "small"
    assert places(result) == {"small": "hv2", "big": "hv1"}


def test_reason_in_one_sentence_and_for_every_host() -> None:
    """Each host says which filter removed it and by how much."""
    hosts = {"hv1": node(memory_mb_used=3796), "hv2": node(memory_mb=512), "hv3": node(local_gb_used=39)}
    result = plan([instance("db-1", memory_mb=1024, vcpus=4, disk_gb=4)], hosts)
    assert result["unplaced"][0]["reason"] == (
        "No host has room for db-1 (flavor f: 4 vCPU, 1024 MiB, 4 GiB): "
        "RamFilter removed 2 hosts (hv2 needs 1024 MiB, the whole host has 512 MiB), "
        "DiskFilter removed 1 host (hv3 needs 4 GiB, 1 GiB free of 40 GiB x 1.0)"
    )
    assert result["unplaced"][0]["by_filter"] == {"RamFilter": 2, "DiskFilter": 1}
    assert messages(result) == {
        "hv1": "RamFilter: needs 1024 MiB, 300 MiB free of 4096 MiB x 1.0",
        "hv2": "RamFilter: needs 1024 MiB, the whole host has 512 MiB",
        "hv3": "DiskFilter: needs 4 GiB, 1 GiB free of 40 GiB x 1.0",
    }


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ({"reserved_host_memory_mb": 512}, 3),
        ({"reserved_host_memory_mb": 0}, 4),
        ({"reserved_host_memory_mb": 0, "ram_allocation_ratio": 1.5}, 6),
        ({"reserved_host_memory_mb": 2048, "ram_allocation_ratio": "1.5"}, 3),
        ({"reserved_host_memory_mb": 0, "ram_allocation_ratio": 9, "cpu_allocation_ratio": 0.5}, 2),
        ({"reserved_host_memory_mb": 0, "ram_allocation_ratio": 9, "reserved_host_cpus": 3}, 4),
        ({"reserved_host_memory_mb": 0, "ram_allocation_ratio": 9, "disk_allocation_ratio": 0.125}, 5),
        ({"reserved_host_memory_mb": 0, "ram_allocation_ratio": 9, "reserved_host_disk_mb": 37 * 1024 - 1}, 3),
        ({"reserved_host_memory_mb": 0, "ram_allocation_ratio": 9, "reserved_host_disk_mb": 37 * 1024 + 1}, 2),
    ],
)
def test_ratios_and_reserves(limits: dict[str, t.Any], fits: int) -> None:
    """(total - reserved) * ratio is the most that is promised."""
    result = plan([instance(f"web-{number}") for number in range(20)], {"hv1": node()}, limits=limits)
    assert len(result["placements"]) == fits


def test_nova_defaults() -> None:
    """Without limits, 512 MiB are reserved and four vCPUs promised for each CPU."""
    result = schedule([], {"hv1": node()}, fleet="demo")
    assert (result["hosts"]["hv1"]["memory_mb_limit"], result["hosts"]["hv1"]["vcpus_limit"]) == (3584, 16)


def test_reserve_is_named_in_the_reason() -> None:
    """The reader can check the arithmetic."""
    result = plan([instance("web", memory_mb=4000)], {"hv1": node()}, limits={})
    assert messages(result) == {"hv1": "RamFilter: needs 4000 MiB, 3584 MiB free of (4096 - 512 reserved) MiB x 1.0"}


def test_one_instance_never_exceeds_the_real_host() -> None:
    """A ratio of four does not make four CPUs into sixteen for one instance."""
    result = plan([instance("web", vcpus=5)], {"hv1": node()})
    assert messages(result) == {"hv1": "CoreFilter: needs 5 vCPU, the whole host has 4 vCPU"}


def test_host_limits_override_the_common_ones() -> None:
    """One host may promise more than the others."""
    hosts = {"hv1": node(), "hv2": node()}
    result = plan(
        [instance("web", memory_mb=4096), instance("app", memory_mb=4096), instance("db", memory_mb=4096)],
        hosts,
        host_limits={"hv2": {"ram_allocation_ratio": 2.0}},
    )
    assert sorted(places(result).values()) == ["hv1", "hv2", "hv2"]


def test_declared_host() -> None:
    """It is used though another one is better, and it is still checked."""
    hosts = {"hv1": node(), "hv2": node(memory_mb_used=3000)}
    result = plan([instance("web", host="hv2"), instance("db", host="hv2", memory_mb=2000)], hosts)
    assert places(result) == {"web": "hv2"}
    assert result["placements"][0]["why"] == "is the declared host"
    assert messages(result) == {
        "hv1": "HostFilter: is not the declared host hv2",
        "hv2": "RamFilter: needs 2000 MiB, 72 MiB free of 4096 MiB x 1.0",
    }


def test_by_host_has_every_host_that_is_up_and_the_declaration_as_it_was() -> None:
    """What goes to the host is the instance without what only the scheduler reads."""
    web = instance("web", host="hv2", image="cirros", networks=[{"bridge": "br0"}])
    declared = copy.deepcopy(web)
    result = plan([web], {"hv1": node(), "hv2": node(), "hv3": {"state": "down"}}, assume_down_hosts_empty=True)
    del declared["host"]
    assert result["by_host"] == {"hv1": [], "hv2": [declared]}
    assert result["migrations"] == []
    assert web["host"] == "hv2"


def test_disabled_host_takes_nothing_new_and_keeps_what_it_has() -> None:
    """The reason for which it is disabled is told."""
    hosts = {"hv1": node(service_status="disabled", disabled_reason="new disks", instances=[guest("web")])}
    result = plan([instance("web"), instance("db")], hosts)
    assert places(result) == {"web": "hv1"}
    assert messages(result) == {"hv1": "ComputeFilter: is disabled: new disks"}
    assert result["unplaced"][0]["reason"].startswith("No host can take db (")


def test_down_host_hides_what_may_run_there() -> None:
    """What is seen stays; what is nowhere to be seen is not created a second time."""
    hosts = {
        "hv1": node(instances=[guest("web-1")]),
        "hv2": {"state": "down", "reason": "no route to host"},
        "hv3": node(),
    }
    result = plan([instance("web-1"), instance("web-2")], hosts)
    assert places(result) == {"web-1": "hv1"}
    assert "may be running on hv2" in result["unplaced"][0]["reason"]
    assert "assume_down_hosts_empty: true" in result["unplaced"][0]["reason"]
    waiting = "SplitBrainFilter: takes nothing new while hv2 is down: the instance may be running there"
    assert messages(result) == {"hv1": waiting, "hv2": "ComputeFilter: is down: no route to host", "hv3": waiting}
    assert result["hosts"]["hv2"]["state"] == "down"


def test_down_host_known_to_be_empty() -> None:
    """The user may know better."""
    hosts = {"hv1": node(), "hv2": {"state": "down", "reason": "gone"}}
    assert places(plan([instance("web")], hosts, assume_down_hosts_empty=True)) == {"web": "hv1"}


def test_left_out_host_hides_what_may_run_there() -> None:
    """It is not called down, and the user is told to include it, whatever is said about hosts that are down."""
    hosts = {"hv1": node(instances=[guest("web-1")]), "hv2": {"state": "left_out", "reason": "--limit"}}
    for empty in (False, True):
        result = plan([instance("web-1"), instance("web-2")], hosts, assume_down_hosts_empty=empty)
        assert places(result) == {"web-1": "hv1"}
        assert messages(result) == {
            "hv1": "SplitBrainFilter: takes nothing new while hv2 is left out of this run: the instance may be running there",
            "hv2": "ComputeFilter: is left out of this run (--limit)",
        }
        assert result["problem"].splitlines() == [
            "1 of 2 instances can't be seen:",
            "web-2 (flavor f: 1 vCPU, 1024 MiB, 1 GiB) can't be seen and may be running on hv2, "
            "which is left out of this run: include hv2 in the run",
            "hv2 is left out of this run (--limit)",
        ]
    assert result["hosts"]["hv2"]["state"] == "left_out"
    assert "hv2" not in result["by_host"]


def test_hosts_left_out_and_down() -> None:
    """Each has its own remedy, in the caller's words."""
    hosts = {"hv1": node(), "hv2": {"state": "down"}, "hv3": {"state": "down"}, "hv4": {"state": "left_out"}}
    reason = plan([instance("web")], hosts, prefix="fleet_")["unplaced"][0]["reason"]
    assert reason.endswith(
        "may be running on hv2, hv3, which are down or on hv4, which is left out of this run: bring them back, or say "
        "fleet_assume_down_hosts_empty: true if nothing can be running there, and include hv4 in the run"
    )


def test_no_host_is_up() -> None:
    """That is said once, not for every instance."""
    hosts = {"hv1": {"state": "down", "reason": "no route"}, "hv2": {"state": "left_out"}}
    problem = plan([instance("a"), instance("b")], hosts)["problem"]
    assert problem.splitlines() == [
        "No hypervisor can be used:",
        "hv1 is down: no route",
        "hv2 is left out of this run",
    ]


def test_problem_names_the_first_few() -> None:
    """The rest is counted; a plan without a problem says nothing."""
    fleet = [instance(f"web-{number}", memory_mb=MEMORY_MB) for number in range(6)]
    lines = plan(fleet, {"hv1": node()})["problem"].splitlines()
    assert lines[0] == "5 of 6 instances can't be placed:"
    assert [line.split(" (", 1)[0] for line in lines[1:-1]] == [f"No host has room for web-{n}" for n in (1, 2, 3)]
    assert lines[-1] == "and 2 more, shown above"
    assert plan(fleet[:1], {"hv1": node()})["problem"] == ""


NET = {"lan0": {"active": True}, "default": {"active": True}, "old": {"active": False}}


def test_new_instances_go_where_their_networks_are() -> None:
    """A host that does not tell is given the benefit of the doubt; bridges and user networks are not looked for."""
    hosts = {"hv1": node(networks={}), "hv2": node(networks={"default": {"active": True}}), "hv3": node(networks=NET)}
    nics = [{"network": "lan0"}, {"network": "default"}, {"bridge": "br0", "network": None}, {"user": True}]
    assert places(plan([instance("web", networks=nics)], hosts)) == {"web": "hv3"}
    assert places(plan([instance("web", networks=nics)], {"hv1": node()})) == {"web": "hv1"}
    assert places(plan([instance("web", networks=nics[2:])], {"hv1": node(networks={})})) == {"web": "hv1"}


def test_missing_network_is_named() -> None:
    """With what there is instead."""
    hosts = {
        "hv1": node(networks={}),
        "hv2": node(networks={"default": {"active": True}}),
        "hv3": node(networks={"old": {"active": False}}),
    }
    result = plan([instance("web", networks=[{"network": "old"}, {"network": "lan0"}])], hosts)
    assert messages(result) == {
        "hv1": "NetworkFilter: has no networks",
        "hv2": "NetworkFilter: has no active network lan0, old (active are: default)",
        "hv3": "NetworkFilter: has no active network lan0, old (none is active)",
    }
    assert result["unplaced"][0]["reason"] == (
        "No host can take web (flavor f: 1 vCPU, 1024 MiB, 1 GiB): NetworkFilter removed 3 hosts (hv1 has no networks)"
    )


def test_kept_instance_without_its_network() -> None:
    """It is not moved to where the network is, and nothing is done by halves."""
    hosts = {"hv1": node(networks={"default": {"active": True}}, instances=[guest("web")]), "hv2": node(networks=NET)}
    result = plan([instance("web", networks=[{"network": "lan0"}])], hosts)
    assert result["placements"] == []
    assert result["unplaced"][0]["reason"] == (
        "hv1, where web (flavor f: 1 vCPU, 1024 MiB, 1 GiB) is, has no active network lan0 (active are: default)"
    )
    assert messages(result)["hv2"] == "StickyFilter: would need a move: the instance is on hv1"
    assert places(plan([instance("web", networks=[{"network": "default"}])], hosts)) == {"web": "hv1"}


@pytest.mark.parametrize(
    ("made_from", "declared", "words"),
    [
        ("debian-11", "debian-12", "was made from image debian-11 and can't become debian-12 in place"),
        (None, "debian-12", "was made without an image and can't become debian-12 in place"),
        ("debian-11", None, "was made from image debian-11 and can't become one without an image in place"),
    ],
)
def test_kept_instance_with_another_image(made_from: str | None, declared: str | None, words: str) -> None:
    """It is refused before anything is done anywhere, with the remedy."""
    hosts = {"hv1": node(instances=[{**guest("web"), "image": made_from}]), "hv2": node()}
    result = plan([instance("web", image=declared)], hosts)
    assert result["placements"] == []
    assert result["removed"] == []
    assert result["unplaced"][0]["reason"] == (
        f"web (flavor f: 1 vCPU, 1024 MiB, 1 GiB) on hv1 {words}; remove it and create it anew"
    )
    assert messages(result) == {
        "hv1": f"StickyFilter: {words}; remove it and create it anew",
        "hv2": "StickyFilter: would need a move: the instance is on hv1",
    }
    assert places(plan([instance("web", image=made_from)], hosts)) == {"web": "hv1"}


def test_same_name_on_two_hosts_is_an_error() -> None:
    """Both places are named, and nothing is guessed."""
    hosts = {"hv1": node(instances=[guest("web")]), "hv2": node(instances=[guest("web")])}
    with pytest.raises(AnsibleFilterError, match="Instance web of fleet demo is on two hosts, hv1 and hv2"):
        plan([], hosts)


@pytest.mark.parametrize(
    ("fleet", "holder"), [("other", "an instance of fleet other"), (None, "a machine that is in no fleet")]
)
def test_name_held_by_something_else(fleet: str | None, holder: str) -> None:
    """Such a host is removed for this instance and open to all others."""
    taken = node(instances=[guest("web", fleet)])
    assert places(plan([instance("web"), instance("app")], {"hv1": taken, "hv2": node(memory_mb=1024)})) == {
        "web": "hv2",
        "app": "hv1",
    }
    result = plan([instance("web")], {"hv1": taken})
    assert messages(result) == {"hv1": f"NameFilter: has the name already, held by {holder}"}


def test_undeclared_instances_are_listed_and_still_count() -> None:
    """Their room is only free when they are about to go."""
    hosts = {"hv1": node(memory_mb_used=4096, vcpus_used=1, local_gb_used=1, instances=[guest("old", memory_mb=4096)])}
    result = plan([instance("web")], hosts)
    assert result["removed"] == [{"name": "old", "host": "hv1"}]
    assert result["removed_by_host"] == {"hv1": [{"name": "old"}]}
    assert result["placements"] == []
    result = plan([instance("web")], hosts, purge=True)
    assert result["removed"] == [{"name": "old", "host": "hv1"}]
    assert places(result) == {"web": "hv1"}


def test_growth_needs_room_only_for_what_is_added() -> None:
    """A larger flavor takes the difference; where that is not free, the host and the shortage are named."""
    hosts = {"hv1": node(memory_mb_used=2048, instances=[guest("web")]), "hv2": node()}
    result = plan([instance("web", memory_mb=3072)], hosts)
    assert places(result) == {"web": "hv1"}
    assert result["hosts"]["hv1"]["memory_mb_used"] == MEMORY_MB
    result = plan([instance("web", memory_mb=3073)], hosts)
    assert result["placements"] == []
    assert result["removed"] == []
    assert result["unplaced"][0]["reason"] == (
        "hv1 has no room for web (flavor f: 1 vCPU, 3073 MiB, 1 GiB) to grow into: "
        "RamFilter: needs 2049 MiB, 2048 MiB free of 4096 MiB x 1.0"
    )
    assert messages(result)["hv2"] == "StickyFilter: would need a move: the instance is on hv1"


def test_overcommitted_host_keeps_what_it_has() -> None:
    """Limits that were lowered later throw nobody out, and an instance that shrinks is no reason to take more."""
    hosts = {"hv1": node(memory_mb_used=8192, instances=[guest("web", memory_mb=8192)])}
    assert places(plan([instance("web", memory_mb=8192)], hosts)) == {"web": "hv1"}
    result = plan([instance("web", memory_mb=1), instance("db", memory_mb=1)], hosts)
    assert places(result) == {"web": "hv1"}
    assert messages(result) == {"hv1": "RamFilter: needs 1 MiB, 0 MiB free of 4096 MiB x 1.0"}


def test_running_elsewhere_than_declared() -> None:
    """A deploy moves nothing; it says what stands in the way."""
    result = plan([instance("web", host="hv2")], {"hv1": node(instances=[guest("web")]), "hv2": node()})
    assert "is on hv1, but its declared host is hv2" in result["unplaced"][0]["reason"]
    assert messages(result) == {
        "hv1": "HostFilter: is not the declared host hv2",
        "hv2": "StickyFilter: would need a move: the instance is on hv1",
    }
    assert result["removed"] == []


def test_float_figures_are_rounded_to_the_safe_side() -> None:
    """Part of a GiB is no room for a GiB."""
    hosts = {"hv1": node(local_gb=10.9, local_gb_used=4.1)}
    result = plan([instance("web", disk_gb=6)], hosts)
    assert messages(result) == {"hv1": "DiskFilter: needs 6 GiB, 5 GiB free of 10 GiB x 1.0"}


@pytest.mark.parametrize(
    ("instances", "hosts", "options", "message"),
    [
        ([instance("a")], {}, {}, "there is no hypervisor"),
        ([instance("a")], [], {}, "hosts: .* is not a dictionary"),
        ([instance("a")], {"hv1": {"state": "up"}}, {}, "hosts.hv1: the facts lack vcpus; gather them"),
        ([instance("a")], {"hv1": node(state="odd")}, {}, "hosts.hv1.state: 'odd' is unknown"),
        ([instance("a")], {"hv1": node(networks=["x"])}, {}, "hosts.hv1.networks: .* is not a dictionary"),
        ([instance("a", networks=["x"])], {"hv1": node()}, {}, r"Instance a: networks\[0\]: 'x' is not a dictionary"),
        ([instance("a")], {"hv1": node(vcpus="many")}, {}, "hosts.hv1.vcpus: 'many' is not a whole number"),
        ([instance("a")], {"hv1": node(instances=[{}])}, {}, "an instance has no name"),
        (
            [instance("a")],
            {"hv1": node()},
            {"policy": "best"},
            "Policy 'best' is unknown; take one of nova, pack, spread",
        ),
        ([instance("a")], {"hv1": node()}, {"policy": ["pack"]}, "is unknown"),
        ([instance("a")], {"hv1": node()}, {"fleet": "a/b"}, "fleet: 'a/b' is not a valid name"),
        ([instance("a")], {"hv1": node()}, {"limits": {"ram": 1}}, "limits: 'ram' is unknown"),
        ([instance("a")], {"hv1": node()}, {"limits": {"ram_allocation_ratio": 0}}, "0 is not an allocation ratio"),
        ([instance("a")], {"hv1": node()}, {"limits": {"ram_allocation_ratio": "x"}}, "'x' is not an allocation ratio"),
        (
            [instance("a")],
            {"hv1": node()},
            {"limits": {"reserved_host_cpus": -1}},
            "limits.reserved_host_cpus: -1 is too",
        ),
        ([instance("a")], {"hv1": node()}, {"host_limits": {"hv9": {}}}, "host_limits: 'hv9' is unknown"),
        ([instance("a")], {"hv1": node()}, {"host_limits": {"hv1": 4}}, "host_limits.hv1: 4 is not a dictionary"),
        ([instance("a")], {"hv1": node()}, {"purge": "false"}, "purge: 'false' is not a boolean"),
        ([instance("a"), instance("a")], {"hv1": node()}, {}, "a is declared twice"),
        ([instance("<a>")], {"hv1": node()}, {}, "'<a>' is not a valid name"),
        (
            [instance("a", host="hv9")],
            {"hv1": node()},
            {},
            "Instance a: its host 'hv9' is not a hypervisor; take one of hv1",
        ),
        ([instance("a", memory_mb=0)], {"hv1": node()}, {}, "Instance a: flavor.memory_mb: 0 is too small"),
        ([instance("a", vcpus=True)], {"hv1": node()}, {}, "Instance a: flavor.vcpus: True is not a whole number"),
        ([{"name": "a", "flavor": "tiny"}], {"hv1": node()}, {}, "run the list through kilonova.compute.expand_fleet"),
        ([{"name": "a", "flavor": {"vcpus": 1}}], {"hv1": node()}, {}, "Instance a: its flavor has no memory_mb"),
        ([instance("a", since=b"x")], {"hv1": node()}, {}, r"instances\[0\].since is of type bytes"),
    ],
)
def test_wrong_input_is_one_sentence(
    instances: list[t.Any], hosts: t.Any, options: dict[str, t.Any], message: str
) -> None:
    """It names the culprit."""
    with pytest.raises(AnsibleFilterError, match=message):
        plan(instances, hosts, **options)


def test_filters() -> None:
    """The filter is exported under its name."""
    assert FilterModule().filters() == {"schedule": schedule}
