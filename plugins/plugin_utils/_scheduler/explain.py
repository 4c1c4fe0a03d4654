# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why an instance has no place: one sentence, and one message for every host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .filters import CAPACITY_FILTERS, Filter, HostFilter, first_refusal
from .model import Demand, Refusal, Request, Unplaced
from .state import HostState

STICKY = "StickyFilter"


@dataclass(frozen=True)
class Refused:
    """A request that no host took."""

    request: Request
    demand: Demand
    """What was looked for: of an instance that is somewhere already, only what it grows by."""
    home: str | None
    """The host that has it already."""


def explain(refused: Refused, states: Sequence[HostState], filters: Sequence[Filter], down: Sequence[str]) -> Unplaced:
    """Return the reasons, in the figures of the finished plan: claims only grow, so what did not fit still does not."""
    if refused.home is None:
        refusals = tuple(_refusal(state, filters, refused.demand) for state in states)
    else:
        refusals = tuple(_sticky_refusal(state, refused) for state in states)
    return Unplaced(refused.request.name, refused.request.flavor, _reason(refused, refusals, down), refusals)


def by_filter(refusals: Sequence[Refusal]) -> dict[str, int]:
    """Return how many hosts each filter removed, the busiest first."""
    names = [refusal.filter for refusal in refusals]
    return {name: names.count(name) for name in sorted(set(names), key=lambda name: (-names.count(name), name))}


def _refusal(state: HostState, filters: Sequence[Filter], demand: Demand) -> Refusal:
    rule = first_refusal(filters, state, demand)
    if rule is None:
        raise RuntimeError(f"host {state.name} was refused, yet every filter lets it pass")
    return Refusal(state.name, rule.name, rule.message(state, demand))


def _sticky_refusal(state: HostState, refused: Refused) -> Refusal:
    if state.name == refused.home:
        return _refusal(state, (HostFilter(), *CAPACITY_FILTERS), refused.demand)
    return Refusal(state.name, STICKY, f"would need a move: the instance is on {refused.home}")


def _reason(refused: Refused, refusals: Sequence[Refusal], down: Sequence[str]) -> str:
    request = refused.request
    if refused.home is not None:
        return _sticky_reason(refused, refusals)
    counts = by_filter(refusals)
    if "SplitBrainFilter" in counts:
        hosts = ", ".join(down)
        return (
            f"{request.describe()} is nowhere to be seen and may be running on {hosts}, which "
            f"{'is' if len(down) == 1 else 'are'} down: bring {'it' if len(down) == 1 else 'them'} back, or say assume_down_hosts_empty: true "
            "if nothing can be running there"
        )
    removed = ", ".join(f"{name} removed {count} host{'' if count == 1 else 's'}" for name, count in counts.items())
    capacity = {rule.name for rule in CAPACITY_FILTERS}
    verdict = "has room for" if capacity & set(counts) else "can take"
    return f"No host {verdict} {request.describe()}: {removed}"


def _sticky_reason(refused: Refused, refusals: Sequence[Refusal]) -> str:
    request, home = refused.request, refused.home
    if request.demand.host not in (None, home):
        return (
            f"{request.describe()} is on {home}, but its declared host is {request.demand.host}: "
            f"nothing is moved by itself, so declare host {home}, or remove the instance there first"
        )
    own = next(refusal for refusal in refusals if refusal.host == home)
    return f"{home} has no room for {request.describe()} to grow into: {own.filter}: {own.message}"
