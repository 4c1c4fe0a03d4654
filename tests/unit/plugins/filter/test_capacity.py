# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the capacity filter: how many fit, what runs out, which hosts may fail, what to add."""

from __future__ import annotations

import itertools
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.capacity import EXAMPLES, FilterModule, capacity
from ansible_collections.kilonova.compute.plugins.filter.schedule import schedule
from hypothesis import given
from hypothesis import strategies as st

NO_RESERVE = {"reserved_host_memory_mb": 0}
SMALL = {"vcpus": 1, "memory_mb": 1024, "disk_gb": 1}
WIDE = {"vcpus": 4, "memory_mb": 1024, "disk_gb": 0}


def guest(name: str, memory_mb: int = 1024, fleet: str | None = "demo", **more: t.Any) -> dict[str, t.Any]:
    """Return an instance as the facts have it."""
    return {"name": name, "fleet": fleet, "vcpus": 1, "memory_mb": memory_mb, "disk_gb": 1, **more}


def node(*guests: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    """Return a host with 4 CPUs, 8192 MiB and 100 GiB that has some guests."""
    return {
        **{"vcpus": 4, "memory_mb": 8192, "local_gb": 100, "instances": list(guests)},
        **{f"{key}_used": sum(one[key] for one in guests) for key in ("vcpus", "memory_mb")},
        "local_gb_used": sum(one["disk_gb"] for one in guests),
        **changes,
    }


def figures(hosts: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """Return the figures of flavor small, with nothing reserved on the hosts."""
    return capacity(hosts, **{"limits": NO_RESERVE, "flavors": {"small": SMALL}, **options})


def test_a_flavor() -> None:
    """All about it, with hosts that take nothing."""
    hosts = {
        "hv1": node(guest("a", 2560)),
        "hv2": node(guest("b", 2560)),
        "hv3": node(service_status="disabled"),
        "hv4": {"state": "down", "reason": "no route"},
    }
    result = figures(hosts)
    assert result["flavors"]["small"] == {
        **SMALL,
        **{"now": 10, "at_most": 11, "after_failure": 3, "first": "ComputeFilter"},
        "runs_out": {"ComputeFilter": 2, "RamFilter": 2},
        "by_host": {"hv1": 5, "hv2": 5, "hv3": 0, "hv4": 0},
        "stranded": {"vcpus": 20, "memory_mb": 1024, "disk_gb": 188},
    }
    assert result["totals"]["memory_mb"] == {"limit": 16384, "used": 5120, "free": 11264}
    assert result["wanted"] is None


def test_the_example() -> None:
    """What the documentation shows works."""
    variables = yaml.safe_load(EXAMPLES)[0]["vars"]
    result = capacity(variables["hypervisors"], flavors=variables["flavors"], wanted={"small": 20})
    assert result["wanted"]["hosts_to_add"] == result["wanted"]["lower_bound"] > 0


def test_too_big_for_a_host_is_not_what_ratios_make_of_it() -> None:
    """A flavor of more CPUs than a host has does not fit there, however many may be promised."""
    result = figures({"hv1": node()}, flavors=[{**SMALL, "name": "wide", "vcpus": 5}])
    assert result["flavors"]["wide"]["now"] == result["flavors"]["wide"]["at_most"] == 0
    assert result["flavors"]["wide"]["first"] == "CoreFilter"


def test_rules_count() -> None:
    """What a flavor asks of hosts, and how many instances a host may have."""
    hosts = {"hv1": node(), "hv2": node(traits=["HW_CPU_X86_AVX"])}
    flavor = {**SMALL, "extra_specs": {"trait:HW_CPU_X86_AVX": "required"}}
    assert figures(hosts, flavors={"avx": flavor})["flavors"]["avx"]["by_host"] == {"hv1": 0, "hv2": 8}
    limited = figures(hosts, max_instances_per_host=3)["flavors"]["small"]
    assert limited["by_host"] == {"hv1": 3, "hv2": 3}
    assert limited["first"] == "NumInstancesFilter"


def test_which_host_may_fail() -> None:
    """The big one's guest has no place, the small one's has; foreign machines are named."""
    hosts = {"hv1": node(guest("big", 7000)), "hv2": node(guest("a", 2000), guest("theirs", fleet=None))}
    result = figures(hosts)
    assert result["n_plus_1"] is False
    assert result["may_fail"] == []
    assert result["failures"]["hv1"]["homeless"] == [
        {"name": "big", "fleet": "demo", "why": "finds no other host (RamFilter refuses 1)"}
    ]
    assert result["failures"]["hv2"]["foreign"] == ["theirs"]
    assert result["flavors"]["small"]["after_failure"] == 0
    hosts["hv3"] = node()
    result = figures(hosts)
    assert result["n_plus_1"] is True
    assert result["may_fail"] == ["hv1", "hv2", "hv3"]


def test_failures_keep_the_rules() -> None:
    """Members that stay apart find no place where there is one already."""
    apart: dict[str, t.Any] = {"group": "g", "group_policy": "anti-affinity"}
    hosts = {"hv1": node(guest("a", **apart)), "hv2": node(guest("b", **apart))}
    assert figures(hosts)["may_fail"] == []
    assert "ServerGroupAntiAffinityFilter" in figures(hosts)["failures"]["hv1"]["homeless"][0]["why"]


def test_what_nothing_tells_of_is_homeless() -> None:
    """Whose devices are not declared can't be planned for."""
    hosts = {"hv1": node(guest("gpu", placement={"pci_devices": ["0000:01:00.0"]})), "hv2": node()}
    failure = figures(hosts)["failures"]["hv1"]
    assert failure["fits"] is False
    assert failure["instances"] == 1
    assert "only its declaration" in failure["homeless"][0]["why"]


def test_hosts_to_add() -> None:
    """All that is wanted is packed together; what fits on no such host is impossible."""
    wanted = {"small": 20, "wide": 1, "huge": 1}
    flavors = {"small": SMALL, "wide": WIDE, "huge": {**SMALL, "memory_mb": 9000}}
    result = figures({"hv1": node(guest("a", 1024)), "hv2": node()}, flavors=flavors, wanted=wanted)["wanted"]
    assert result == {
        "now": {"small": 14, "wide": 1, "huge": 0},
        "missing": {"small": 6, "wide": 0, "huge": 1},
        **{"new_host": "hv1", "hosts_to_add": 1, "lower_bound": 1, "impossible": ["huge"]},
    }
    assert figures({"hv1": node()}, wanted={"small": 8})["wanted"]["hosts_to_add"] == 0
    big = {"hv1": node(), "hv2": node(memory_mb=16384)}
    assert figures(big, wanted={"small": 40})["wanted"]["new_host"] == "hv2"
    assert figures(big, wanted={"small": 40}, new_host="hv1")["wanted"]["hosts_to_add"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flavors": {}}, "flavors: there is none"),
        ({"flavors": 3}, "flavors: 3 is not a list"),
        ({"flavors": {"a b": SMALL}}, "flavors: 'a b' is not a valid name"),
        ({"flavors": {"small": {"vcpus": 1}}}, "its flavor has no memory_mb"),
        ({"wanted": {"large": 1}}, "wanted: 'large' is not among the flavors; take some of small."),
        ({"wanted": {"small": -1}}, "wanted.small: -1 is too small"),
        ({"new_host": "hv9"}, "new_host: 'hv9' is not a hypervisor that is up"),
    ],
)
def test_wrong_input(options: dict[str, t.Any], message: str) -> None:
    """One sentence says what is wrong."""
    with pytest.raises(AnsibleFilterError) as caught:
        figures({"hv1": node()}, **options)
    assert message in str(caught.value)


sizes = st.sampled_from([128, 500, 1024, 3000])


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, t.Any]:
    """Return up to four hosts with up to four guests each."""
    return {
        f"hv{number}": node(
            *(guest(f"i{number}-{index}", draw(sizes)) for index in range(draw(st.integers(0, 4)))),
            memory_mb=draw(st.sampled_from([4096, 8192])),
            service_status=draw(st.sampled_from(["enabled", "enabled", "enabled", "disabled"])),
        )
        for number in range(draw(st.integers(1, 4)))
    }


@given(fleets(), sizes, st.integers(1, 4), st.sampled_from([None, 5]))
def test_as_many_fit_as_the_scheduler_places(
    hosts: dict[str, t.Any], memory_mb: int, vcpus: int, most: int | None
) -> None:
    """The scheduler finds a place for exactly as many."""
    flavor = {"name": "f", "vcpus": vcpus, "memory_mb": memory_mb, "disk_gb": 7}
    options = {"limits": {**NO_RESERVE, "cpu_allocation_ratio": 1}, "max_instances_per_host": most}
    row = capacity(hosts, flavors=[flavor], **options)["flavors"]["f"]
    many = [{"name": f"new-{number}", "flavor": flavor} for number in range(row["now"] + 1)]
    plan = schedule(many, hosts, "more", **options)
    assert len(plan["placements"]) == row["now"]
    assert row["now"] == sum(row["by_host"].values()) <= row["at_most"]
    assert row["after_failure"] <= row["now"]


@given(fleets())
def test_hosts_that_may_fail_may_really(hosts: dict[str, t.Any]) -> None:
    """Trying every arrangement comes to the same for what is said to fit; and for little it finds nothing more."""
    result = figures(hosts)
    for name, failure in result["failures"].items():
        room = {
            other: max(0, host["memory_mb"] - host["memory_mb_used"])
            for other, host in hosts.items()
            if other != name and host["service_status"] == "enabled"
        }
        lost = [one["memory_mb"] for one in hosts[name]["instances"]]
        arrangements = itertools.product(room, repeat=len(lost))
        possible = any(
            all(sum(size for size, to in zip(lost, way) if to == host) <= free for host, free in room.items())
            for way in arrangements
        )
        if failure["fits"]:
            assert possible
        elif len(lost) <= 1:
            assert not possible


def test_filters() -> None:
    """The filter is exported under its name."""
    assert FilterModule().filters() == {"capacity": capacity}
