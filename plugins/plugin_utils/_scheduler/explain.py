# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Why an instance has no place: one sentence, and one message for every host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .filters import (
    CAPACITY_FILTERS,
    CapacityFilter,
    Filter,
    HostFilter,
    NetworkFilter,
    NUMATopologyFilter,
    SameHostFilter,
    SplitBrainFilter,
    StickyFilter,
    first_refusal,
)
from .hidden import Hidden
from .model import Demand, Refusal, Request, Unplaced
from .state import HostState


@dataclass(frozen=True)
class Refused:
    """A request that no host took."""

    request: Request
    demand: Demand
    """What was looked for: of an instance that is somewhere already, only what it grows by."""
    filters: tuple[Filter, ...]
    home: str | None
    """The host that has it already."""


class Explainer:
    """Explains in the figures of the finished plan; requests of equal demand share what is found out."""

    def __init__(self, states: Sequence[HostState], hidden: Hidden, prefix: str) -> None:
        """Take the hosts with everything on them; ``prefix`` is what the names of options begin with."""
        self._states, self._hidden, self._prefix = states, hidden, prefix
        self._known: dict[Demand, tuple[Refusal, ...]] = {}
        self._removed: dict[Demand, tuple[str, str]] = {}

    def explain(self, refused: Refused) -> Unplaced:
        """Return the reasons of one request."""
        if refused.home is not None:
            refusals = tuple(_refusal(state, refused) for state in self._states)
            return Unplaced(refused.request.name, refused.request.flavor, _home_reason(refused, refusals), refusals)
        demand = refused.demand
        if demand not in self._known:
            asked = replace(refused, filters=tuple(rule for rule in refused.filters if rule.applies(demand)))
            self._known[demand] = tuple(_refusal(state, asked) for state in self._states)
        refusals = self._known[demand]
        return Unplaced(refused.request.name, refused.request.flavor, self._new_reason(refused, refusals), refusals)

    def _new_reason(self, refused: Refused, refusals: Sequence[Refusal]) -> str:
        request, hidden = refused.request, self._hidden
        if refused.demand not in self._removed:
            counts = by_filter(refusals)
            capacity = {rule.name for rule in CAPACITY_FILTERS}
            verdict = (
                "" if SplitBrainFilter.name in counts else "has room for" if capacity & set(counts) else "can take"
            )
            text = ", ".join(_removed(name, count, refusals) for name, count in counts.items())
            self._removed[refused.demand] = verdict, text
        verdict, text = self._removed[refused.demand]
        if not verdict:
            return (
                f"{request.describe()} can't be seen and may be running on {hidden.conditions(' or on ', ', which')}: "
                f"{hidden.remedy(self._prefix)}"
            )
        return f"No host {verdict} {request.describe()}: {text}"


def by_filter(refusals: Sequence[Refusal]) -> dict[str, int]:
    """Return how many hosts each filter removed, the busiest first."""
    names = [refusal.filter for refusal in refusals]
    return {name: names.count(name) for name in sorted(set(names), key=lambda name: (-names.count(name), name))}


def _refusal(state: HostState, refused: Refused) -> Refusal:
    # Elsewhere it is the move that stands in the way, whatever else does.
    stays_away = refused.home not in (None, state.name)
    filters = [rule for rule in refused.filters if isinstance(rule, StickyFilter)] if stays_away else refused.filters
    rule = first_refusal(filters, state, refused.demand)
    if rule is None and refused.demand.hints.same_host:
        others = ", ".join(refused.demand.hints.same_host)
        return Refusal(
            state.name, SameHostFilter.name, f"had none of {others} yet when it was asked; declare it after them"
        )
    if rule is None and refused.demand.topology is not None:
        return Refusal(state.name, NUMATopologyFilter.name, "had no way to lay it out when it was asked")
    if rule is None:
        raise RuntimeError(f"host {state.name} was refused, yet every filter lets it pass")
    shortage = rule.shortage(state, refused.demand) if isinstance(rule, CapacityFilter) else 0
    return Refusal(state.name, rule.name, rule.message(state, refused.demand), shortage)


def _removed(name: str, count: int, refusals: Sequence[Refusal]) -> str:
    """Return what a filter did, with the message of the host that was nearest to pass."""
    text = f"{name} removed {count} host{'' if count == 1 else 's'}"
    if name == HostFilter.name:
        return text
    nearest = min((refusal for refusal in refusals if refusal.filter == name), key=lambda refusal: refusal.shortage)
    return f"{text} ({nearest.host} {nearest.message})"


def _home_reason(refused: Refused, refusals: Sequence[Refusal]) -> str:
    request, home = refused.request, refused.home
    own = next(refusal for refusal in refusals if refusal.host == home)
    if own.filter == HostFilter.name:
        return (
            f"{request.describe()} is on {home}, but its declared host is {request.demand.host}: "
            f"nothing is moved by itself, so declare host {home}, or remove the instance there first"
        )
    if own.filter == StickyFilter.name:
        return f"{request.describe()} on {home} {own.message}"
    if own.filter == NetworkFilter.name:
        return f"{home}, where {request.describe()} is, {own.message}"
    return f"{home} has no room for {request.describe()} to grow into: {own.filter}: {own.message}"
