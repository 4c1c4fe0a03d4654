# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a plan of moves is still right after some of it failed. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

Move = Mapping[str, t.Any]


def due(moves: Iterable[Move], wave: int, not_moved: Sequence[Move]) -> dict[str, t.Any]:
    """Return the moves of a wave that may be made, and those that depend on what was not moved."""
    known = {_key(move) for move in not_moved}
    stayed = {_instance(move): move["from"] for move in reversed(not_moved)}
    crowded = {move["from"]: move["name"] for move in reversed(not_moved)}
    result: dict[str, t.Any] = {"due": [], "stopped": []}
    for move in moves:
        if move["wave"] != wave or _key(move) in known:
            continue
        name, origin, target = move["name"], move["from"], move["to"]
        reason = ""
        if _instance(move) in stayed:
            reason = f"it is still on {stayed[_instance(move)]}"
        elif target in crowded:
            reason = f"{crowded[target]} did not leave {target}"
        if reason:
            why = f"{name} was not moved from {origin} to {target}, because {reason}."
            result["stopped"].append({**move, "why": why})
        else:
            result["due"].append(dict(move))
    return result


def _instance(move: Move) -> tuple[t.Any, ...]:
    return move.get("fleet"), move["name"]


def _key(move: Move) -> tuple[t.Any, ...]:
    return *_instance(move), move["from"], move["to"], move["wave"]


def undone(moves: Iterable[Move], results: Sequence[Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return the moves that failed, by what tasks returned, and those that were not begun since others could not be."""
    told = {entry["name"]: (entry, _has_failed(one)) for one in results for entry in one.get("migrations") or ()}
    general = " ".join(str(one.get("msg")) for one in results if _has_failed(one))
    found: dict[str, t.Any] = {"failed": [], "waiting": []}
    for move in moves:
        label = f"{move['name']} was not moved from {move['from']} to {move['to']}"
        entry, is_of_failed = told.get(move["name"], (None, True))
        if entry is None:
            found["failed"].append({**move, "why": f"{label}: {general or 'no task had it'}"})
        elif entry.get("failed"):
            found["failed"].append({**move, "why": f"{label}: {entry.get('msg')}"})
        elif is_of_failed and not entry.get("changed"):
            found["waiting"].append({**move, "why": f"{label}, since others could not be."})
    return found


def _has_failed(result: Mapping[str, t.Any]) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))
