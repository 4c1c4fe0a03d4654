# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What plans of moves have in common when they are told as plain data."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from ..model import DIMENSIONS
from ..result import usage_row
from ..state import HostState
from .balance import Balance
from .board import Board
from .scene import Scene
from .units import Unit, disk_of, memory_of
from .waves import Order, Step

_DIGITS = 6

Refusals = tuple[tuple[str, str, str], ...]
"""(host, filter, message): why hosts don't take something."""


def number(value: Fraction) -> float:
    """Return a fraction as data."""
    return round(float(value), _DIGITS)


def evenness(balance: Balance) -> dict[str, t.Any]:
    """Return how uneven hosts are, all together and in each dimension."""
    found: dict[str, t.Any] = {"score": number(balance.as_score(balance.value))}
    for index, dimension in enumerate(DIMENSIONS):
        found[dimension.key] = {"sd": number(balance.deviation(index)), "max": number(balance.most(index))}
    return found


def move_rows(scene: Scene, order: Order, whys: Sequence[str]) -> list[dict[str, t.Any]]:
    """Return the moves as data, one for each guest."""
    return [
        {
            "name": guest.name,
            "fleet": guest.fleet,
            "from": scene.hosts[step.origin].name,
            "to": scene.hosts[step.target].name,
            "memory_mb": memory_of(guest),
            "disk_gb": disk_of(guest),
            "wave": step.wave,
            "temporary": step.is_temporary,
            "why": why,
        }
        for step, why in zip(order.steps, whys)
        for guest in step.unit.guests
    ]


def evening_rows(scene: Scene, order: Order, balance: Balance) -> list[dict[str, t.Any]]:
    """Return the moves as data with what each gains, and carry them out on the balance."""
    whys = []
    gains = []
    for step in order.steps:
        whys.append(_why(scene, step, balance))
        before = balance.value
        balance.apply(step.origin, step.unit.taken(step.origin), -1)
        balance.apply(step.target, step.unit.taken(step.target), 1)
        number_of = len(step.unit.guests)
        gains += [number(balance.as_gain(before - balance.value) / number_of)] * number_of
    return [{**row, "gain": gain} for row, gain in zip(move_rows(scene, order, whys), gains)]


def _why(scene: Scene, step: Step, balance: Balance) -> str:
    origin, target = (scene.hosts[host].name for host in (step.origin, step.target))
    if step.is_temporary:
        return "makes way for another move, and goes on in a later wave"
    fullness = f"({balance.percentages(step.origin)})", f"({balance.percentages(step.target)})"
    if balance.heat(step.origin) > balance.heat(step.target):
        why = f"{origin} {fullness[0]} is fuller than {target} {fullness[1]}"
    else:
        why = f"is exchanged with what leaves {target} {fullness[1]}; {origin} is at {fullness[0]}"
    return f"{why}; its affinity group moves as one" if len(step.unit.guests) > 1 else why


def fixed_rows(scene: Scene, hosts: Sequence[int] | None = None) -> list[dict[str, t.Any]]:
    """Return what is never moved, of some hosts or of all."""
    return [
        {"name": one.name, "fleet": one.fleet, "host": scene.hosts[one.host].name, "why": one.why}
        for one in scene.fixed
        if hosts is None or one.host in hosts
    ]


def usage_rows(states: Sequence[HostState]) -> dict[str, t.Any]:
    """Return every host with its figures."""
    return {state.name: {**usage_row(state.as_usage()), "instances": state.instances} for state in states}


def refusals_of(board: Board, unit: Unit, hosts: Iterable[int]) -> Refusals:
    """Return why each host does not take a unit, as all else is now."""
    found = []
    for host in hosts:
        refusal = board.refusal(unit, host)
        # In the figures after all moves there may be room that came too late.
        rule, message = refusal or ("Order", "takes it once all else is moved")
        found.append((board.states[host].name, rule, message))
    return tuple(found)


def no_place(refusals: Refusals) -> str:
    """Say that something has no place, as the rest of a sentence about it."""
    counts = Counter(rule for _host, rule, _message in refusals)
    told = ", ".join(
        f"{rule} refuses {count}" for rule, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"finds no other host ({told})" if told else "has no other host to go to"
