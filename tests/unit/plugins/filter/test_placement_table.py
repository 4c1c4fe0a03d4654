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
