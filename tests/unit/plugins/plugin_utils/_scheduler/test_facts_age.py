# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Facts that are too old tell nothing: a host that has such ones is neither used nor taken for empty."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.__main__ import main
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.commands import ask
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.errors import ScheduleError
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.table import plan_table
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.asking import (
    guest,
    instance,
    messages,
    node,
    places,
    plan,
)

NOW = "2026-01-31T12:00:00Z"
FRESH = "2026-01-31T11:59:30Z"
OLD = "2026-01-31T11:00:00+00:00"
FAULT = (
    f"they are of {OLD}, 3600 s ago, and max_facts_age is 60 s; gather them anew with kilonova.compute.compute_facts"
)


def hosts(**reported_at: str) -> dict[str, t.Any]:
    """Return empty hosts with facts of some times."""
    return {name: node(reported_at=when) for name, when in reported_at.items()}


def test_age_is_of_no_interest_by_default() -> None:
    """Facts of any age will do, and their time is not even read."""
    assert places(plan([instance()], {"hv1": node(reported_at="yesterday")})) == {"web": "hv1"}


def test_stale_host_takes_nothing_and_hides_what_may_be_there() -> None:
    """What is nowhere to be seen may run on it, whatever is said of hosts that are down."""
    result = plan([instance()], hosts(hv1=FRESH, hv2=OLD), max_facts_age=60, now=NOW, assume_down_hosts_empty=True)
    assert messages(result) == [
        "SplitBrainFilter: takes nothing new while hv2 has stale facts: the instance may be running there",
        f"ComputeFilter: has stale facts: {FAULT}",
    ]
    assert result["problem"].splitlines()[1:] == [
        "web (flavor small: 1 vCPU, 256 MiB, 1 GiB) can't be seen and may be running on hv2, which has stale facts:"
        " gather the facts of hv2 anew",
        f"hv2 has stale facts: {FAULT}",
    ]
    assert result["hosts"]["hv2"]["state"] == "stale"
    assert plan_table(result).splitlines()[-1] == f"hv2 has stale facts: {FAULT}"
    assert "hv2" not in result["by_host"]


def test_what_stale_facts_tell_is_not_believed() -> None:
    """An instance that was there is not said to be there."""
    told = {**hosts(hv1=FRESH), "hv2": node(reported_at=OLD, instances=[guest("web", fleet="demo")])}
    result = plan([instance()], told, max_facts_age=60, now=NOW)
    assert not result["placements"]
    assert "may be running on hv2" in result["unplaced"][0]["reason"]


@pytest.mark.parametrize("most", [30, "30", 31])
def test_facts_of_just_that_age_will_do(most: t.Any) -> None:
    """The limit itself is no fault, in either direction."""
    assert places(plan([instance()], hosts(hv1=FRESH), max_facts_age=most, now=NOW)) == {"web": "hv1"}
    assert places(plan([instance()], hosts(hv1=NOW), max_facts_age=most, now=FRESH)) == {"web": "hv1"}


def test_facts_from_the_future_are_as_bad() -> None:
    """A clock that is wrong makes ages wrong, as in Nova."""
    result = plan([instance()], hosts(hv1=NOW), max_facts_age=60, now=OLD, prefix="fleet_")
    assert messages(result)[0].endswith(
        f"they are of {NOW}, 3600 s after now, and fleet_max_facts_age is 60 s; set the clocks right"
    )


@pytest.mark.parametrize(
    ("facts", "options", "text"),
    [
        (
            {},
            {"now": NOW},
            "hosts.hv1: the facts lack reported_at, by which max_facts_age judges them; gather them with",
        ),
        ({"reported_at": "noon"}, {"now": NOW}, "hosts.hv1.reported_at: 'noon' is not a time; write it as 2026-"),
        ({"reported_at": True}, {"now": NOW}, "hosts.hv1.reported_at: True is not a time; write it as 2026-"),
        ({"reported_at": 10**30}, {"now": NOW}, "is not a time; write it as 2026-"),
        ({"reported_at": OLD}, {}, "max_facts_age: it needs to know the time; give now, for example now='2026-"),
        ({"reported_at": OLD}, {"now": "soon"}, "now: 'soon' is not a time; write it as 2026-"),
        ({"reported_at": OLD}, {"now": NOW, "max_facts_age": -1}, "max_facts_age: -1 is too small"),
        ({"reported_at": OLD}, {"now": NOW, "max_facts_age": "1 h"}, "max_facts_age: '1 h' is not a whole number"),
    ],
)
def test_bad_input_is_told_in_one_sentence(facts: dict[str, t.Any], options: dict[str, t.Any], text: str) -> None:
    """The host or option, what is wrong, and the remedy; the moves say the same."""
    asked = {"max_facts_age": 60, **options}
    with pytest.raises(ScheduleError) as caught:
        plan([instance()], {"hv1": node(**facts)}, **asked)
    assert text in str(caught.value)
    for name in ("rebalance", "drain", "capacity"):
        with pytest.raises(ScheduleError) as caught:
            ask(name, {"hosts": {"hv1": node(**facts)}, **asked, **({"drained": ["hv1"]} if name == "drain" else {})})
        assert text in str(caught.value)


def test_nothing_is_moved_to_or_from_a_stale_host() -> None:
    """A drained one can't be said to become empty."""
    full = node(reported_at=FRESH, vcpus_used=4, instances=[guest(f"i{n}", fleet="demo") for n in range(4)])
    told = {"hv1": full, "hv2": node(reported_at=OLD)}
    asked = {"hosts": told, "max_facts_age": 60, "now": NOW}
    assert ask("rebalance", {**asked, "threshold": 0})["moves"] == []
    drained = ask("drain", {**asked, "drained": ["hv1"]})
    assert not drained["complete"]
    assert {one["name"] for one in drained["left"]} == {"i0", "i1", "i2", "i3"}
    assert drained["left"][0]["hosts"] == [
        {"host": "hv2", "filter": "ComputeFilter", "message": f"has stale facts: {FAULT}"}
    ]
    unseen = ask("drain", {**asked, "drained": ["hv2"]})
    assert unseen["problem"] == f"hv2 has stale facts: {FAULT}: what runs there can't be seen."
    assert (
        ask("capacity", {**asked, "flavors": [{"name": "f", "vcpus": 4, "memory_mb": 64, "disk_gb": 1}]})["flavors"][
            "f"
        ]["now"]
        == 3
    )


def test_command_line_looks_at_the_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only where the file does not say what time it is."""
    question: dict[str, t.Any] = {"fleet": "demo", "instances": [instance()], "hosts": hosts(hv1=FRESH)}
    file = tmp_path / "question.json"
    for extra, code in (({}, 0), ({"max_facts_age": 60}, 1), ({"max_facts_age": 60, "now": NOW}, 0)):
        file.write_text(json.dumps({**question, **extra}), encoding="utf-8")
        assert main([str(file)]) == code
    file.write_text(json.dumps({"hosts": hosts(hv1=FRESH), "max_facts_age": 60, "drained": ["hv1"]}), encoding="utf-8")
    assert main(["drain", str(file)]) == 1
    assert "hv1 has stale facts" in capsys.readouterr().out
