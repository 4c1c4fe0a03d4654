# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""One request after the other, in declared order, as Nova does: each goes to the host that is best at its turn.

Among equals it is the first one by name. Requests of equal demand share what was found out about the hosts; after a
claim only the host that took it is asked again.
"""

from __future__ import annotations

import typing as t
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .filters import Filter, first_refusal
from .model import Demand, Request
from .state import HostState
from .weighers import Policy


class Scorer(t.Protocol):
    """What tells good hosts from better ones."""

    summary: str

    def values(self, host: HostState, demand: Demand) -> tuple[float, ...]:
        """Return what the scores are made from, of one host."""

    def scores(self, places: Sequence[int], columns: Sequence[Sequence[float]]) -> Sequence[float]:
        """Return the scores of hosts; ``columns`` has their values, one column for each."""

    def terms(
        self, index: int, places: Sequence[int], columns: Sequence[Sequence[float]]
    ) -> tuple[tuple[str, float], ...]:
        """Return the parts of one host's score."""


class PolicyScorer:
    """Scores each host by itself, as our own policies do."""

    # pylint: disable=unused-argument # it takes what every scorer does

    def __init__(self, policy: Policy) -> None:
        """Take the policy."""
        self._policy, self.summary = policy, policy.summary

    def values(self, host: HostState, demand: Demand) -> tuple[float, ...]:
        """Return the score itself."""
        return (self._policy.weigh(host, demand),)

    def scores(self, places: Sequence[int], columns: Sequence[Sequence[float]]) -> Sequence[float]:
        """Return the scores as they are."""
        return columns[0]

    def terms(
        self, index: int, places: Sequence[int], columns: Sequence[Sequence[float]]
    ) -> tuple[tuple[str, float], ...]:
        """Return the score as one term."""
        return ((self._policy.name, columns[0][index]),)


@dataclass(frozen=True)
class Turn:
    """What became of one request."""

    request: Request
    host: HostState | None
    """None if no host can take it."""
    choices: int = 0
    """How many hosts could."""
    terms: tuple[tuple[str, float], ...] = ()


def place_in_turn(
    requests: Iterable[Request], states: Sequence[HostState], filters: Sequence[Filter], scorer: Scorer
) -> Iterator[Turn]:
    """Place each request before the next one is looked at."""
    known: dict[tuple[Demand, bool], _Candidates] = {}
    changes: list[int] = []
    for request in requests:
        demand = request.demand
        # The first member of an affinity group changes what all hosts say to the others.
        is_bound = demand.group is not None and states[0].everywhere[demand.group.name] > 0
        key = (demand, is_bound)
        if key not in known:
            known[key] = _Candidates(demand, states, filters, scorer, len(changes))
        candidates = known[key]
        candidates.refresh(changes)
        if not candidates.places:
            yield Turn(request, None)
            continue
        index, choices = candidates.best(), len(candidates.places)
        place = candidates.places[index]
        turn = Turn(request, states[place], choices, candidates.terms(index))
        states[place].place(demand)
        changes.append(place)
        yield turn


class _Candidates:
    """The hosts that can take requests of one demand, and what their scores are made from."""

    def __init__(
        self, demand: Demand, states: Sequence[HostState], filters: Sequence[Filter], scorer: Scorer, seen: int
    ) -> None:
        self._demand, self._states, self._scorer, self._seen = demand, states, scorer, seen
        asked = [rule for rule in filters if rule.applies(demand)]
        static = [rule for rule in asked if rule.is_static]
        self._dynamic = [rule for rule in asked if not rule.is_static]
        self._possible = [first_refusal(static, state, demand) is None for state in states]
        self.places = [place for place in range(len(states)) if self._passes(place)]
        rows = [scorer.values(states[place], demand) for place in self.places]
        width = len(scorer.values(states[0], demand))
        self._columns: list[list[float]] = [[row[number] for row in rows] for number in range(width)]

    def refresh(self, changes: Sequence[int]) -> None:
        """Look again at the hosts that have changed since."""
        for place in sorted(set(changes[self._seen :])):
            index = bisect_left(self.places, place)
            if index < len(self.places) and self.places[index] == place:
                del self.places[index]
                for column in self._columns:
                    del column[index]
            if self._passes(place):
                self.places.insert(index, place)
                row = self._scorer.values(self._states[place], self._demand)
                for column, value in zip(self._columns, row):
                    column.insert(index, value)
        self._seen = len(changes)

    def best(self) -> int:
        """Return the index of the first host with the highest score; where there is but one, nothing is weighed."""
        if len(self.places) == 1:
            return 0
        scores = self._scorer.scores(self.places, self._columns)
        return scores.index(max(scores))

    def terms(self, index: int) -> tuple[tuple[str, float], ...]:
        """Return the parts of one host's score."""
        return self._scorer.terms(index, self.places, self._columns)

    def _passes(self, place: int) -> bool:
        return self._possible[place] and first_refusal(self._dynamic, self._states[place], self._demand) is None
