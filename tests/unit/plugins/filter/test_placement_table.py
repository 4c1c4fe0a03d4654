# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the placement_table filter."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.placement_table import FilterModule, placement_table


def plan(**changes: t.Any) -> dict[str, t.Any]:
    """Return a plan of nothing with ``changes``."""
    return {"purge": False, "placements": [], "removed": [], "unplaced": [], "hosts": {}, **changes}


def test_a_whole_plan() -> None:
    """Columns line up; reasons and hosts that are down stand below."""
    table = placement_table(
        plan(
            placements=[
                {"name": "web-1", "flavor": "tiny", "host": "hv1", "action": "keep", "why": "is there already"},
                {"name": "database", "flavor": "small", "host": "hv10", "action": "create", "why": "most room left"},
            ],
            removed=[{"name": "old", "host": "hv1"}],
            unplaced=[
                {
                    "name": "x",
                    "flavor": "huge",
                    "reason": "No host has room for x",
                    "hosts": [{"host": "hv1", "filter": "RamFilter", "message": "needs 2 MiB, 1 MiB free"}],
                }
            ],
            hosts={"hv1": {"state": "up", "reason": ""}, "hv2": {"state": "down", "reason": "no route"}},
        )
    )
    assert table.splitlines() == [
        "INSTANCE  FLAVOR  HOST  ACTION    WHY",
        "web-1     tiny    hv1   keep      is there already",
        "database  small   hv10  create    most room left",
        "old       -       hv1   leave     is no longer declared, but not purged",
        "x         huge    -     UNPLACED  see below",
        "",
        "No host has room for x",
        "  hv1: RamFilter: needs 2 MiB, 1 MiB free",
        "",
        "hv2 is down: no route",
    ]


def test_disabled_hosts_are_named() -> None:
    """With their reasons, whichever plan it is, though they are up and what they have stays."""
    hosts = {
        "hv1": {"state": "up", "reason": "new disks", "service_status": "disabled"},
        "hv2": {"state": "up", "reason": "", "service_status": "disabled"},
        "hv3": {"state": "up", "reason": "", "service_status": "enabled"},
    }
    kept = [{"name": "a", "flavor": "f", "host": "hv1", "action": "keep", "why": "is there already"}]
    moves: dict[str, t.Any] = {"moves": [], "hosts": hosts}
    even = {key: {"sd": 0.0, "max": 0.0} for key in ("vcpus", "memory_mb", "disk_gb")}
    evenness = {"score": 0.0, **even}
    plans = (
        plan(placements=kept, hosts=hosts),
        {**moves, "drained": ["hv1"], "complete": True, "left": []},
        {**moves, "reason": "Nothing gains.", "before": evenness, "after": evenness, "fixed": []},
    )
    for one in plans:
        assert placement_table(one).splitlines()[-3:] == ["", "hv1 is disabled: new disks", "hv2 is disabled"]


def test_shared_reasons_stand_once() -> None:
    """A fleet that waits for one host is still readable."""
    hosts = [{"host": "hv1", "filter": "ComputeFilter", "message": "is down"}]
    other = [{"host": "hv1", "filter": "RamFilter", "message": "needs more"}]
    unplaced = [
        {"name": name, "flavor": "f", "reason": f"no place for {name}", "hosts": reasons}
        for name, reasons in (("a", hosts), ("b", other), ("c", hosts))
    ]
    assert placement_table(plan(unplaced=unplaced)).splitlines()[4:] == [
        "",
        "no place for a",
        "no place for c",
        "  hv1: ComputeFilter: is down",
        "",
        "no place for b",
        "  hv1: RamFilter: needs more",
    ]


def test_no_host_is_up() -> None:
    """Every host has one line, and no instance a reason of its own."""
    unplaced = [{"name": "a", "flavor": "f", "reason": "no place for a", "hosts": []}]
    hosts = {"hv1": {"state": "down", "reason": "no route"}, "hv2": {"state": "left_out", "reason": "--limit"}}
    assert placement_table(plan(unplaced=unplaced, hosts=hosts)).splitlines()[2:] == [
        "",
        "No hypervisor can be used:",
        "  hv1 is down: no route",
        "  hv2 is left out of this run (--limit)",
    ]


def test_a_purge() -> None:
    """What is about to go is marked."""
    table = placement_table(plan(removed=[{"name": "old", "host": "hv1"}], purge=True))
    assert table.splitlines()[1] == "old       -       hv1   remove  is no longer declared"


def test_an_empty_plan() -> None:
    """It says so."""
    assert placement_table(plan()) == "Nothing is declared."


@pytest.mark.parametrize("value", [[], "x", {}, {"placements": [1]}, {"placements": b""}])
def test_something_else(value: t.Any) -> None:
    """The remedy names the filter that makes plans."""
    with pytest.raises(AnsibleFilterError, match=r"^This is not a plan .* kilonova\.compute\.schedule"):
        placement_table(value)


def test_filters() -> None:
    """The filter is exported under its name."""
    assert FilterModule().filters() == {"placement_table": placement_table}


def test_moves_that_make_hosts_alike() -> None:
    """Moves, what they change, and what never moves."""
    move = {
        **{"wave": 1, "name": "web", "from": "hv1", "to": "hv2", "memory_mb": 1024, "gain": 0.25, "temporary": False},
        "why": "hv1 is fuller",
    }
    numbers = {"score": 0.25, **{key: {"sd": 0.25, "max": 0.5} for key in ("vcpus", "memory_mb", "disk_gb")}}
    fixed = [{"name": "x", "host": "hv1", "why": "is pinned"}]
    plan_of_moves = {"moves": [move], "reason": "", "before": numbers, "after": numbers, "fixed": fixed}
    assert placement_table(plan_of_moves).splitlines() == [
        "WAVE  INSTANCE  FROM  TO   MEMORY    GAIN   WHY",
        "1     web       hv1   hv2  1024 MiB  0.250  hv1 is fuller",
        "",
        "1 move in 1 wave, 1024 MiB of memory",
        "",
        "           SD BEFORE  AFTER  MOST BEFORE  AFTER",
        "vcpus      0.250      0.250  50%          50%",
        "memory_mb  0.250      0.250  50%          50%",
        "disk_gb    0.250      0.250  50%          50%",
        "imbalance 0.250 -> 0.250",
        "",
        "Never moved: 1",
        "  x on hv1: is pinned",
    ]
    nothing = placement_table({**plan_of_moves, "moves": [], "reason": "Why not.", "fixed": []})
    assert nothing.splitlines()[:2] == ["Nothing is moved.", "Why not."]


def test_moves_that_empty_hosts() -> None:
    """What goes for a while is marked; what can't leave stands below, with every host's reason."""
    move = {"wave": 2, "name": "web", "from": "hv1", "to": "hv2", "memory_mb": 1, "temporary": True, "why": "x"}
    refusal = {"host": "hv2", "filter": "RamFilter", "message": "needs 2 MiB, 1 MiB free"}
    left = [{"name": "db", "hosts": [refusal]}]
    table = placement_table(
        {"drained": ["hv1"], "complete": False, "moves": [move], "left": left, "problem": "db can't leave hv1: why."}
    )
    assert table.splitlines()[1:] == [
        "2     web       hv1   hv2 (for now)  1 MiB   x",
        "",
        "1 move in 1 wave, 1 MiB of memory",
        "hv1 can't be emptied:",
        "  db can't leave hv1: why.",
        "    db: hv2: RamFilter: needs 2 MiB, 1 MiB free",
    ]
    table = placement_table({"drained": ["a", "b"], "complete": True, "moves": [], "left": [], "problem": ""})
    assert table == "Nothing is moved.\na, b are empty then."


def test_room() -> None:
    """Flavors, totals, failures, and what is short."""
    figures = {
        "flavors": {"small": {"now": 8, "at_most": 9, "after_failure": 0, "first": None}},
        "totals": {"vcpus": {"used": 1, "limit": 4, "free": 3}},
        "n_plus_1": False,
        "failures": {
            "hv1": {"fits": False, "instances": 2, "homeless": [{"name": "a", "why": "finds no other host"}]},
            "hv2": {"fits": True, "instances": 0, "homeless": []},
        },
        "wanted": {
            **{"missing": {"small": 2, "big": 0}, "new_host": "hv1", "hosts_to_add": 1, "lower_bound": 1},
            "impossible": ["huge"],
        },
    }
    assert placement_table(figures).splitlines() == [
        "FLAVOR  NOW  AT MOST  IF A HOST FAILS  RUNS OUT FIRST",
        "small   8    9        0                nothing",
        "",
        "vcpus: 1 of 4 used, 3 free",
        "",
        "If hv1 fails, 1 of 2 have no place:",
        "  a finds no other host",
        "",
        "Short of 2 small: add 1 like hv1, at least 1.",
        "huge fits on no host like hv1.",
    ]
    fine = {**figures, "n_plus_1": True, "wanted": {"missing": {"small": 0}}}
    assert placement_table(fine).splitlines()[-1] == "All that is wanted fits."
    assert placement_table({**fine, "wanted": None}).splitlines()[-1].startswith("Any one host may fail")
