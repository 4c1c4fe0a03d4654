# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A plan as a table for people."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

_HEAD = ("INSTANCE", "FLAVOR", "HOST", "ACTION", "WHY")


def plan_table(plan: dict[str, t.Any]) -> str:
    """Return a plan, as the filter schedule returns it, in lines for a terminal."""
    rows = [(item["name"], item["flavor"], item["host"], item["action"], item["why"]) for item in plan["placements"]]
    fate = ("remove", "is no longer declared") if plan["purge"] else ("leave", "is no longer declared, but not purged")
    rows += [(item["name"], "-", item["host"], *fate) for item in plan["removed"]]
    rows += [(item["name"], item["flavor"], "-", "UNPLACED", "see below") for item in plan["unplaced"]]
    lines = _aligned([_HEAD, *rows]) if rows else ["Nothing is declared."]
    conditions = _conditions(plan["hosts"])
    if conditions and len(conditions) == len(plan["hosts"]):
        return "\n".join([*lines, "", "No hypervisor can be used:", *(f"  {line}" for line in conditions)])
    return "\n".join([*lines, *_reasons(plan["unplaced"]), *([""] if conditions else []), *conditions])


def _reasons(unplaced: Sequence[dict[str, t.Any]]) -> list[str]:
    """Return the sentences, and below those that share them the hosts' messages."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for item in unplaced:
        messages = tuple(f"  {refusal['host']}: {refusal['filter']}: {refusal['message']}" for refusal in item["hosts"])
        groups.setdefault(messages, []).append(item["reason"])
    return [line for messages, reasons in groups.items() for line in ("", *reasons, *messages)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _conditions(hosts: dict[str, t.Any]) -> list[str]:
    """Return a line for every host that is down or left out."""
    lines = []
    for name, host in hosts.items():
        if host["state"] == "down":
            lines.append(f"{name} is down: {host['reason'] or 'no reason known'}")
        elif host["state"] == "left_out":
            lines.append(f"{name} is left out of this run" + (f" ({host['reason']})" if host["reason"] else ""))
    return lines
