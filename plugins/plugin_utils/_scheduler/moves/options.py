# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What users choose about moves, checked."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from ..._values import ValuesError, known_keys, mapping, whole_number
from ..intake.values import MOST, fraction_of, name_set, time_of
from ..model import DIMENSIONS, Guest, Host
from .question import MovesQuestion
from .scene import Reason

_MOST_FRACTION = 1000


@dataclass(frozen=True)
class MoveOptions:
    """What holds for every plan of moves."""

    fleets: tuple[str, ...] | None
    pinned: frozenset[str]
    concurrent_per_host: int
    cooldown: int
    now: datetime | None


def read_move_options(question: MovesQuestion) -> MoveOptions:
    """Return the options, or raise :class:`ValuesError`."""
    cooldown = whole_number(question.cooldown, "cooldown", 0, MOST)
    if cooldown and question.now is None:
        raise ValuesError("cooldown: it needs to know the time; give now, for example now='2026-01-31T12:00:00Z'.")
    return MoveOptions(
        fleets=None if question.fleets is None else name_set(question.fleets, "fleets"),
        pinned=frozenset(name_set(question.pinned, "pinned")),
        concurrent_per_host=whole_number(question.concurrent_per_host, "concurrent_per_host", 1, MOST),
        cooldown=cooldown,
        now=None if question.now is None else time_of(question.now, "now"),
    )


def fraction(value: t.Any, where: str) -> Fraction:
    """Return a number that is not negative."""
    number = fraction_of(value)
    if number is None or not 0 <= number <= _MOST_FRACTION:
        raise ValuesError(f"{where}: {value!r} is not a number of 0 or more; write for example 0.05.")
    return number


def dimension_weights(value: t.Any) -> tuple[Fraction, ...]:
    """Return the weight of each dimension, 1 where none is given."""
    weights = mapping({} if value is None else value, "weights")
    known_keys(weights, "weights", [dimension.key for dimension in DIMENSIONS])
    found = tuple(fraction(weights.get(one.key, 1), f"weights.{one.key}") for one in DIMENSIONS)
    if not any(found):
        raise ValuesError("weights: all are 0, so that nothing could be uneven; give one of them more.")
    return found


def reasons(options: MoveOptions, hosts: Sequence[Host]) -> Reason:
    """Return what says which guests are not to be moved whatever the plan."""
    changed = _changes(hosts) if options.cooldown else {}

    def reason(guest: Guest, number: int) -> str | None:
        if guest.fleet is None:
            return "is in no fleet, so that it is not ours to move"
        if options.fleets is not None and guest.fleet not in options.fleets:
            return f"is of fleet {guest.fleet}, which is not among those that may be moved"
        if guest.name in options.pinned:
            return "is pinned"
        when, what = changed.get((number, guest.name, guest.fleet), (None, ""))
        if when is not None and options.now is not None and (options.now - when).total_seconds() < options.cooldown:
            return f"was {what} at {when.isoformat()}, less than {options.cooldown} s ago"
        return None

    return reason


def _changes(hosts: Sequence[Host]) -> dict[tuple[int, str, str | None], tuple[datetime, str]]:
    """Return when each guest was made or moved, whichever was last."""
    found = {}
    for number, host in enumerate(hosts):
        for guest, row in zip(host.guests, host.facts.get("instances") or []):
            times = [
                (time_of(row[key], f"hosts.{host.name}.instances.{guest.name}.{key}"), what)
                for key, what in (("created_at", "made"), ("moved_at", "moved"))
                if row.get(key) is not None
            ]
            if times:
                found[number, guest.name, guest.fleet] = max(times)
    return found
