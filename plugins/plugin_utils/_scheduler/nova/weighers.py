# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Nova's weighers as they are: absolute amounts, each normalised over the hosts that passed, in the same floats.

A sum of floats depends on its order. Nova adds in the order in which its files lie in their directory, which is none;
here, and in the session against the real Nova, it is that of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..model import Demand, Host, Rules
from ..state import HostState
from ..weighers import Extent, Terms, group_members, shared_properties
from .view import free_devices, free_disk_mb, free_ram_mb, vcpus_used

NOVA = "nova"
SUMMARY = "highest weight"
_MOST_DEVICES = 100

Raw = Callable[[HostState, Demand], float]


@dataclass(frozen=True)
class NovaWeigher:
    """One of Nova's weighers."""

    name: str
    raw: Raw
    multiplier: float
    """Nova's default."""
    is_from_zero: bool = False
    """Whether weights are normalised from 0 and not from the smallest, and none is below."""

    @property
    def key(self) -> str:
        """Return the key of aggregates that overrides the multiplier."""
        return f"{self.name}_weight_multiplier"


def _free_vcpus(host: HostState, _demand: Demand) -> float:
    return host.host.total[0] * float(host.host.limits.ratios[0]) - vcpus_used(host)


def _version(host: HostState, _demand: Demand) -> float:
    version = host.host.facts.get("hypervisor_version")
    return float(version) if isinstance(version, int) else 0.0


WEIGHERS = (
    NovaWeigher("soft_affinity", lambda host, demand: group_members(host, demand, "soft-affinity"), 1.0),
    NovaWeigher("soft_anti_affinity", lambda host, demand: -group_members(host, demand, "soft-anti-affinity"), 1.0),
    NovaWeigher("cpu", _free_vcpus, 1.0, is_from_zero=True),
    NovaWeigher("disk", lambda host, demand: free_disk_mb(host), 1.0, is_from_zero=True),
    NovaWeigher("hypervisor_version", _version, 1.0),
    NovaWeigher("image_props", shared_properties, 0.0),
    NovaWeigher("io_ops", lambda host, demand: host.starting, -1.0, is_from_zero=True),
    NovaWeigher("num_instances", lambda host, demand: host.instances, 0.0),
    NovaWeigher("pci", lambda host, demand: _MOST_DEVICES - min(free_devices(host), _MOST_DEVICES - 1), 1.0),
    NovaWeigher("ram", lambda host, demand: free_ram_mb(host), 1.0, is_from_zero=True),
)


class NovaScorer:
    """Scores hosts as Nova does: all that passed at once."""

    summary = SUMMARY

    def __init__(self, rules: Rules, states: Sequence[HostState]) -> None:
        """Take the multipliers that users set, and those that aggregates of the hosts have."""
        own = dict(rules.weights)
        chosen = []
        for weigher in WEIGHERS:
            default = float(own.get(weigher.name, Fraction(weigher.multiplier)))
            # Of these Nova switches itself off where the common multiplier is 0, whatever aggregates say.
            is_off = weigher.name == "image_props" and not default
            multipliers = [default if is_off else _multiplier(state.host, weigher.key, default) for state in states]
            if any(multipliers):
                chosen.append((weigher, multipliers))
        self._weighers = tuple(chosen)

    def values(self, host: HostState, demand: Demand) -> tuple[float, ...]:
        """Return the raw weights of one host."""
        return tuple(
            max(0.0, float(weigher.raw(host, demand))) if weigher.is_from_zero else float(weigher.raw(host, demand))
            for weigher, _multipliers in self._weighers
        )

    def spans(self, extents: Sequence[Extent]) -> tuple[Extent, ...]:
        """Return from where to where each weigher's weights are normalised."""
        return tuple(
            (0.0 if weigher.is_from_zero else least, most)
            for (weigher, _multipliers), (least, most) in zip(self._weighers, extents)
        )

    def score(self, place: int, row: Sequence[float], spans: Sequence[Extent]) -> float:
        """Return the sum for one host."""
        score = 0.0
        for (_weigher, multipliers), value, (least, most) in zip(self._weighers, row, spans):
            if least != most:
                score += multipliers[place] * ((value - least) / (most - least))
        return score

    def scores(self, places: Sequence[int], columns: Sequence[Sequence[float]], spans: Sequence[Extent]) -> list[float]:
        """Return the sums for the hosts at ``places``, of which ``columns`` are the raw weights."""
        scores = [0.0] * len(places)
        for (_weigher, multipliers), column, (least, most) in zip(self._weighers, columns, spans):
            if least == most:
                continue
            span = most - least
            scores = [
                score + multipliers[place] * ((value - least) / span)
                for score, place, value in zip(scores, places, column)
            ]
        return scores

    def terms(self, place: int, row: Sequence[float], spans: Sequence[Extent]) -> Terms:
        """Return (weigher, its part of the score) of one host."""
        return tuple(
            (weigher.name, multipliers[place] * ((value - least) / (most - least)) if least != most else 0.0)
            for (weigher, multipliers), value, (least, most) in zip(self._weighers, row, spans)
        )


def _multiplier(host: Host, key: str, default: float) -> float:
    """Return the smallest multiplier that the host's aggregates have, or the default."""
    own = host.least_said(key, float)
    return default if own is None else own
