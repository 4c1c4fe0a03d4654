# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""How good and how quick the scheduler's plans are, beside Ganeti's allocator and proven bounds."""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import ganeti
from .environment import REPOSITORY, WORK, link_collection
from .plot import Series, plot
from .scheduler_cases import KINDS, SIZES, Case, case

_PLOT = REPOSITORY / "docs" / "scheduler-speed.svg"
_HAIL_HOSTS = 40
"""Beyond so many hosts Ganeti takes minutes to hours."""
_HAIL_KINDS = ("cloud", "tight")
"""Fleets that Ganeti is asked about: each takes it half a minute."""
_GROWTH = {
    "1,000 hosts, growing requests": [(1000, count) for count in (1000, 2500, 5000, 10_000, 15_000)],
    "10,000 requests, growing hosts": [(count, 10_000) for count in (1000, 2500, 5000, 7500, 10_000)],
}


@dataclass(frozen=True)
class Row:
    """One engine on one fleet."""

    case: str
    engine: str
    placed: int
    hosts_used: int
    bound: int | None
    proven: int | None
    """Of how many without a place it is proven that they can have none."""
    deviation: float
    """The standard deviation of the fraction used over hosts, vCPUs, memory and disk added up."""
    cpu_seconds: float


def scheduler(*, with_ganeti: bool = True) -> dict[str, Any]:
    """Run everything; return the figures."""
    link_collection()
    sys.path.insert(0, str(WORK / "collections"))
    if with_ganeti:
        subprocess.run([str(REPOSITORY / "tools" / "packages.sh"), "--bench"], check=True, stdout=sys.stderr)
    has_ganeti = with_ganeti and ganeti.is_there()
    rows = []
    for kind in KINDS:
        for hosts, requests in SIZES:
            for row in _compare(case(kind, hosts, requests), has_ganeti):
                rows.append(row)
                print(_text(row), file=sys.stderr)
    return {
        "rows": [asdict(row) for row in rows],
        "growth": _growth(),
        "table": [_HEAD, *(_text(row) for row in rows)],
    }


def show(report: Mapping[str, Any]) -> None:
    """Print the figures."""
    print("\nScheduler: quality, one run each")
    print("\n".join(report["table"]))
    print(f"\nCPU seconds of a whole plan, policy spread, 20 flavors (plotted in {_PLOT.relative_to(REPOSITORY)})")
    for title, points in report["growth"].items():
        print(f"  {title}: " + ", ".join(f"{hosts}/{requests} {seconds:.2f}" for hosts, requests, seconds in points))


def _compare(fleet: Case, has_ganeti: bool) -> list[Row]:
    rows = []
    for policy in ("spread", "pack"):
        plan, seconds = _answer(fleet.question(policy))
        places = {int(item["name"][1:]): int(item["host"][2:]) for item in plan["placements"]}
        certificate = plan["certificate"]
        proven = sum(item["is_proven"] for item in certificate["unplaced_proven"])
        rows.append(_row(fleet, f"ours, {policy}", places, (certificate["lower_bound"], proven), seconds))
    if has_ganeti and len(fleet.hosts) <= _HAIL_HOSTS and fleet.kind in _HAIL_KINDS:
        places, seconds = ganeti.allocate(fleet, WORK / "hail.json")
        rows.append(_row(fleet, "Ganeti hail", places, (None, None), seconds))
    return rows


def _answer(question: dict[str, Any]) -> tuple[dict[str, Any], float]:
    package = "ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler"
    answer = importlib.import_module(f"{package}.answer").answer
    asked = importlib.import_module(f"{package}.intake.question").Question(**question)
    before = time.process_time()
    plan: dict[str, Any] = answer(asked)
    return plan, time.process_time() - before


def _row(
    fleet: Case, engine: str, places: Mapping[int, int], proof: tuple[int | None, int | None], seconds: float
) -> Row:
    used = [list(amounts) for _total, amounts in fleet.hosts]
    for request, host in places.items():
        for index, amount in enumerate(fleet.requests[request]):
            used[host][index] += amount
    for (total, _before), amounts in zip(fleet.hosts, used):
        if any(amount > whole for amount, whole in zip(amounts, total)):
            raise AssertionError(f"{engine} overcommits a host of {fleet.title}")
    deviation = sum(
        statistics.pstdev(amounts[index] / total[index] for (total, _before), amounts in zip(fleet.hosts, used))
        for index in range(3)
    )
    return Row(fleet.title, engine, len(places), sum(any(amounts) for amounts in used), *proof, deviation, seconds)


_HEAD = f"  {'fleet':<18} {'engine':<13} {'placed':>7} {'hosts':>6} {'bound':>6} {'proven':>7} {'deviation':>10} {'CPU s':>8}"


def _text(row: Row) -> str:
    bound, proven = ("-" if value is None else str(value) for value in (row.bound, row.proven))
    return (
        f"  {row.case:<18} {row.engine:<13} {row.placed:>7} {row.hosts_used:>6} {bound:>6} {proven:>7} "
        f"{row.deviation:>10.4f} {row.cpu_seconds:>8.3f}"
    )


def _growth() -> dict[str, list[tuple[int, int, float]]]:
    found = {}
    for title, sizes in _GROWTH.items():
        points = []
        for hosts, requests in sizes:
            _plan, seconds = _answer(case("cloud", hosts, requests).question("spread"))
            points.append((hosts, requests, seconds))
        found[title] = points
    series = [
        Series(title, [(hosts + requests, seconds) for hosts, requests, seconds in points])
        for title, points in found.items()
    ]
    text = plot("One plan on one core (policy spread, 20 flavors)", "hosts + requests", "CPU seconds", series)
    Path(_PLOT).write_text(text, encoding="utf-8")
    (WORK / "scheduler-speed.json").write_text(json.dumps(found), encoding="ascii")
    return found
