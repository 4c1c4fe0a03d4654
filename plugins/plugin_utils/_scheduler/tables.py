# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Any of the scheduler's answers as a table for people."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from .model import DIMENSIONS
from .table import disabled_hosts, plan_table

_MOVES = ("WAVE", "INSTANCE", "FROM", "TO", "MEMORY", "GAIN", "WHY")
_FLAVORS = ("FLAVOR", "NOW", "AT MOST", "IF A HOST FAILS", "RUNS OUT FIRST")


def any_table(answer: dict[str, t.Any]) -> str:
    """Return the lines for what schedule, rebalance, drain or capacity returned."""
    if "flavors" in answer:
        return _capacity_table(answer)
    if "placements" in answer:
        return plan_table(answer)
    return _drain_table(answer) if "drained" in answer else _rebalance_table(answer)


def _rebalance_table(plan: dict[str, t.Any]) -> str:
    lines = _moves(plan["moves"], True)
    if plan["reason"]:
        lines.append(plan["reason"])
    rows: list[tuple[str, ...]] = [("", "SD BEFORE", "AFTER", "MOST BEFORE", "AFTER")]
    rows += [
        (
            one.key,
            *(f"{plan[when][one.key]['sd']:.3f}" for when in ("before", "after")),
            *(_percent(plan[when][one.key]["max"]) for when in ("before", "after")),
        )
        for one in DIMENSIONS
    ]
    lines += ["", *aligned(rows), f"imbalance {plan['before']['score']:.3f} -> {plan['after']['score']:.3f}"]
    if plan["fixed"]:
        lines += ["", f"Never moved: {len(plan['fixed'])}"]
        lines += [f"  {one['name']} on {one['host']}: {one['why']}" for one in plan["fixed"]]
    return "\n".join([*lines, *_disabled(plan)])


def _drain_table(plan: dict[str, t.Any]) -> str:
    lines = _moves(plan["moves"], False)
    hosts = ", ".join(plan["drained"])
    verb = "is" if len(plan["drained"]) == 1 else "are"
    lines.append(f"{hosts} {verb} empty then." if plan["complete"] else f"{hosts} can't be emptied:")
    lines += [] if plan["complete"] else [f"  {line}" for line in plan["problem"].splitlines()]
    for one in plan["left"]:
        lines += [f"    {one['name']}: {host['host']}: {host['filter']}: {host['message']}" for host in one["hosts"]]
    return "\n".join([*lines, *_disabled(plan)])


def _disabled(plan: dict[str, t.Any]) -> list[str]:
    lines = disabled_hosts(plan.get("hosts") or {})
    return ["", *lines] if lines else []


def _moves(moves: Sequence[dict[str, t.Any]], has_gain: bool) -> list[str]:
    """Return the moves and their sum."""
    if not moves:
        return ["Nothing is moved."]
    rows = [_MOVES] + [
        (
            str(move["wave"]),
            move["name"],
            move["from"],
            move["to"] + (" (for now)" if move["temporary"] else ""),
            f"{move['memory_mb']} MiB",
            f"{move['gain']:.3f}" if has_gain else "",
            move["why"],
        )
        for move in moves
    ]
    rows = rows if has_gain else [(*row[:5], *row[6:]) for row in rows]
    memory_mb, waves = sum(move["memory_mb"] for move in moves), len({move["wave"] for move in moves})
    return [
        *aligned(rows),
        "",
        f"{_number(len(moves), 'move')} in {_number(waves, 'wave')}, {memory_mb} MiB of memory",
    ]


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _capacity_table(figures: dict[str, t.Any]) -> str:
    rows = [_FLAVORS] + [
        (name, str(row["now"]), str(row["at_most"]), str(row["after_failure"]), row["first"] or "nothing")
        for name, row in figures["flavors"].items()
    ]
    lines = [*aligned(rows), ""]
    lines += [
        f"{key}: {row['used']} of {row['limit']} used, {row['free']} free" for key, row in figures["totals"].items()
    ]
    return "\n".join([*lines, "", *_failures(figures), *_wanted(figures["wanted"])])


def _failures(figures: dict[str, t.Any]) -> list[str]:
    if figures["n_plus_1"]:
        return ["Any one host may fail: all that is on it fits on the others."]
    lines = []
    for host, row in figures["failures"].items():
        if not row["fits"]:
            lines.append(f"If {host} fails, {len(row['homeless'])} of {row['instances']} have no place:")
            lines += [f"  {one['name']} {one['why']}" for one in row["homeless"]]
    return lines


def _wanted(wanted: dict[str, t.Any] | None) -> list[str]:
    if wanted is None:
        return []
    parts = ", ".join(f"{number} {name}" for name, number in wanted["missing"].items() if number)
    if not parts:
        return ["", "All that is wanted fits."]
    lines = [
        f"Short of {parts}: add {wanted['hosts_to_add']} like {wanted['new_host']}, at least {wanted['lower_bound']}."
    ]
    lines += [f"{name} fits on no host like {wanted['new_host']}." for name in wanted["impossible"]]
    return ["", *lines]


def _percent(value: float) -> str:
    return f"{value:.0%}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows with columns below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
