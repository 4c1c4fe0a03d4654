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
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .filters import Filter, first_refusal
from .model import Demand, Request
from .state import HostState
from .weighers import Extent, Policy, Terms


class Scorer(t.Protocol):
    """What tells good hosts from better ones."""

    summary: str

    def values(self, host: HostState, demand: Demand) -> tuple[float, ...]:
        """Return what the score is made from, of one host."""

    def spans(self, extents: Sequence[Extent]) -> tuple[Extent, ...]:
        """Return what all scores depend on, from the extents of each value over all hosts that passed."""

    def score(self, place: int, row: Sequence[float], spans: Sequence[Extent]) -> float:
        """Return one host's score."""

    def scores(self, places: Sequence[int], columns: Sequence[Sequence[float]], spans: Sequence[Extent]) -> list[float]:
        """Return the scores of hosts; ``columns`` has their values, one column for each."""

    def terms(self, place: int, row: Sequence[float], spans: Sequence[Extent]) -> Terms:
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

    def spans(self, extents: Sequence[Extent]) -> tuple[Extent, ...]:
        """Return nothing: no score depends on other hosts."""
        return ()

    def score(self, place: int, row: Sequence[float], spans: Sequence[Extent]) -> float:
        """Return the score as it is."""
        return row[0]

    def scores(self, places: Sequence[int], columns: Sequence[Sequence[float]], spans: Sequence[Extent]) -> list[float]:
        """Return the scores as they are."""
        return list(columns[0])

    def terms(self, place: int, row: Sequence[float], spans: Sequence[Extent]) -> Terms:
        """Return the score as one term."""
        return ((self._policy.name, row[0]),)


@dataclass(frozen=True)
class Turn:
    """What became of one request."""

    request: Request
    host: HostState | None
    """None if no host can take it."""
    choices: int = 0
    """How many hosts could."""
    terms: Terms = ()


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
        index = candidates.best()
        place = candidates.places[index]
        turn = Turn(request, states[place], len(candidates.places), candidates.terms(index))
        states[place].place(demand)
        changes.append(place)
        yield turn


class _Candidates:
    """The hosts that can take requests of one demand, what their scores are made from, and the scores."""

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
        self._columns: list[list[float]] = [list(column) for column in zip(*rows)]
        self._counts = [Counter(column) for column in self._columns]
        self._extents: list[Extent] = [(min(counts), max(counts)) for counts in self._counts]
        self._spans: tuple[Extent, ...] | None = None
        self._scores: list[float] = [0.0] * len(self.places)

    def refresh(self, changes: Sequence[int]) -> None:
        """Look again at the hosts that have changed since."""
        for place in sorted(set(changes[self._seen :])):
            index = bisect_left(self.places, place)
            if index < len(self.places) and self.places[index] == place:
                self._remove(index)
            if self._passes(place):
                self._insert(index, place)
        self._seen = len(changes)

    def best(self) -> int:
        """Return the index of the first host with the highest score."""
        spans = self._scorer.spans(self._extents)
        if spans != self._spans:
            self._spans = spans
            self._scores = self._scorer.scores(self.places, self._columns, spans)
        return self._scores.index(max(self._scores))

    def terms(self, index: int) -> Terms:
        """Return the parts of the score of one host."""
        row = [column[index] for column in self._columns]
        return self._scorer.terms(self.places[index], row, self._spans or ())

    def _passes(self, place: int) -> bool:
        return self._possible[place] and first_refusal(self._dynamic, self._states[place], self._demand) is None

    def _remove(self, index: int) -> None:
        del self.places[index]
        del self._scores[index]
        for number, column in enumerate(self._columns):
            value, counts = column.pop(index), self._counts[number]
            counts[value] -= 1
            if not counts[value]:
                del counts[value]
                if value in self._extents[number] and counts:
                    self._extents[number] = (min(counts), max(counts))

    def _insert(self, index: int, place: int) -> None:
        row = self._scorer.values(self._states[place], self._demand)
        if not self.places:
            self._columns, self._extents = [[] for _value in row], [(value, value) for value in row]
            self._counts = [Counter() for _value in row]
        self.places.insert(index, place)
        for number, value in enumerate(row):
            self._columns[number].insert(index, value)
            self._counts[number][value] += 1
            least, most = self._extents[number]
            self._extents[number] = (min(least, value), max(most, value))
        # As long as the spans stay, so do the scores of all others.
        self._scores.insert(index, self._scorer.score(place, row, self._spans or ()))
