# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A plan as a table for people."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

_NAMED = 5
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
    conditions += disabled_hosts(plan["hosts"])
    below = [_reasons(plan["unplaced"]), _moves(plan), _violations(plan), _certificate(plan), _paragraph(conditions)]
    return "\n".join([*lines, *(line for part in below for line in part)])


def _paragraph(lines: Sequence[str]) -> list[str]:
    return ["", *lines] if lines else []


def _moves(plan: dict[str, t.Any]) -> list[str]:
    lines = [
        f"{move['name']} moves from {move['from']} to {move['to']} ({move['memory_mb']} MiB, {move['disk_gb']} GiB): {move['why']}"
        for move in plan.get("migrations") or []
    ]
    return _paragraph(lines)


def _violations(plan: dict[str, t.Any]) -> list[str]:
    """Return what breaks its own rules, less what is moved because of that."""
    moved = {move["name"] for move in plan.get("migrations") or []}
    lines = [
        f"{item['name']} breaks a rule where it is: {item['filter']}: {item['host']} {item['message']}"
        for item in plan.get("violations") or []
        if item["name"] not in moved
    ]
    return _paragraph(lines)


def _certificate(plan: dict[str, t.Any]) -> list[str]:
    """Return how many hosts are used and must be, and of what has no place what is proven."""
    certificate = plan.get("certificate")
    if not certificate:
        return []
    used, bound = certificate["hosts_used"], certificate["lower_bound"]
    note = (plan.get("engine") or {}).get("note")
    lines = [f"{used} {'host is' if used == 1 else 'hosts are'} used; {_least(plan, used, bound)}"] if used else []
    lines += [note] if note else []
    shared: dict[tuple[bool, str], list[str]] = {}
    for item in certificate["unplaced_proven"]:
        shared.setdefault((item["is_proven"], item["message"]), []).append(item["name"])
    for (is_proven, message), names in shared.items():
        lines.append(f"{_shortened(names)}: {'proven: ' if is_proven else ''}{message}")
    return _paragraph(lines)


def _least(plan: dict[str, t.Any], used: int, bound: int) -> str:
    """Return how few hosts would do, so that nobody takes it for a flaw of a plan that spreads out."""
    proof = plan["certificate"]["proof"]
    if used == bound:
        return f"no plan uses fewer ({proof})"
    aim = (
        "policy pack aims at that"
        if plan["policy"] == "pack"
        else "policy pack would aim at that, this policy does not"
    )
    return f"at least {bound} would be needed in any plan ({proof}); {aim}"


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


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


def disabled_hosts(hosts: dict[str, t.Any]) -> list[str]:
    """Return a line for every host that takes nothing new."""
    return [
        f"{name} is disabled" + (f": {host['reason']}" if host["reason"] else "")
        for name, host in hosts.items()
        if host.get("service_status") == "disabled"
    ]


def _conditions(hosts: dict[str, t.Any]) -> list[str]:
    """Return a line for every host that is down, left out or known by stale facts only."""
    lines = []
    for name, host in hosts.items():
        if host["state"] == "down":
            lines.append(f"{name} is down: {host['reason'] or 'no reason known'}")
        elif host["state"] == "left_out":
            lines.append(f"{name} is left out of this run" + (f" ({host['reason']})" if host["reason"] else ""))
        elif host["state"] == "stale":
            lines.append(f"{name} has stale facts: {host['reason']}")
    return lines
