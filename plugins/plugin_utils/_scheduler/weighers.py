# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Weighers: which of the hosts that passed is the best one. Higher is better; a policy is a sum of weighers.

These look at one host at a time, so that a batch need not ask all hosts again after each claim. What Nova does instead
is in ``nova.weighers``.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .model import DIMENSIONS, Demand, Host, Problem
from .nova.view import free_devices
from .state import HostState

_MILLION = 1_000_000
_PERCENT = 100

WEIGHER_NAMES = (
    *("cpu", "ram", "disk", "io_ops", "num_instances", "hypervisor_version", "pci"),
    *("soft_affinity", "soft_anti_affinity", "image_props"),
)
"""Nova's names, whose multipliers users may set."""

SPREAD, PACK = "spread", "pack"
_SUMMARIES = {SPREAD: "most room left", PACK: "least room left"}


Terms = tuple[tuple[str, float], ...]
"""(weigher, its part of a host's score)."""
Extent = tuple[float, float]
"""The smallest and the largest of some weights."""


class Weigher(abc.ABC):
    """One opinion about one host."""

    name: str

    @abc.abstractmethod
    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return how good the host is for the request, as a whole number: a million is one whole host."""


class RoomWeigher(Weigher):
    """The fraction of one dimension that would be left, in parts per million.

    Nova weighs absolute free amounts, which fills the biggest hosts of a mixed fleet first.
    """

    def __init__(self, name: str, dimension: int) -> None:
        """Take the dimension under its name in Nova."""
        self.name, self._dimension = name, dimension

    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return the fraction left."""
        index = self._dimension
        capacity = host.capacity[index]
        return (host.free(index) - demand.amounts[index]) * _MILLION // capacity if capacity else 0


class CountWeigher(Weigher):
    """A number of things, each of which is worth the same."""

    def __init__(self, name: str, worth: int, count: Callable[[HostState, Demand], int]) -> None:
        """Take what one of them is worth, and how they are counted."""
        self.name, self._worth, self._count = name, worth, count

    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return what all of them are worth."""
        return self._worth * self._count(host, demand)


class VersionWeigher(Weigher):
    """How new the hypervisor is: nothing for the oldest of the fleet, a million for the newest."""

    name = "hypervisor_version"

    def __init__(self, hosts: Sequence[Host]) -> None:
        """Take the fleet."""
        versions = [_version(host) for host in hosts if host.is_up] or [0]
        self._oldest, self._newest = min(versions), max(versions)

    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return where it is between the oldest and the newest."""
        span = self._newest - self._oldest
        return (_version(host.host) - self._oldest) * _MILLION // span if span else 0


def _version(host: Host) -> int:
    version = host.facts.get("hypervisor_version")
    return version if isinstance(version, int) else 0


def group_members(host: HostState, demand: Demand, policy: str) -> int:
    """Return how many of the request's group are there, if its policy is the one that is asked for."""
    return host.members[demand.group.name] if demand.group is not None and demand.group.policy == policy else 0


def shared_properties(host: HostState, demand: Demand) -> int:
    """Return how often the properties of the request's image are there already."""
    return sum(host.properties[pair] for pair in demand.properties)


# One member of a soft group outweighs all the room there is; anything else that is counted, a hundredth of a host.
_MEMBER, _THING = 10 * _MILLION, _MILLION // _PERCENT


def _counters() -> tuple[CountWeigher, ...]:
    return (
        CountWeigher("io_ops", _THING, lambda host, demand: host.starting),
        CountWeigher("num_instances", _THING, lambda host, demand: host.instances),
        CountWeigher("pci", -_THING, lambda host, demand: min(free_devices(host), _PERCENT)),
        CountWeigher("soft_affinity", _MEMBER, lambda host, demand: group_members(host, demand, "soft-affinity")),
        CountWeigher(
            "soft_anti_affinity", -_MEMBER, lambda host, demand: group_members(host, demand, "soft-anti-affinity")
        ),
        CountWeigher("image_props", _THING, shared_properties),
    )


_COUNTED = {"soft_affinity": Fraction(1), "soft_anti_affinity": Fraction(1)}
"""What counts unless users say otherwise."""


@dataclass(frozen=True)
class Policy:
    """Weighers with their multipliers, and what to tell people."""

    name: str
    weighers: tuple[tuple[Weigher, int], ...]
    summary: str
    scale: int = 1
    """By how much the multipliers were raised to make them whole numbers."""

    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return the weighted sum."""
        return sum(multiplier * weigher.weigh(host, demand) for weigher, multiplier in self.weighers)

    def terms(self, host: HostState, demand: Demand) -> Terms:
        """Return (weigher, its part of the sum in whole hosts)."""
        unit = _MILLION * self.scale
        return tuple(
            (weigher.name, multiplier * weigher.weigh(host, demand) / unit) for weigher, multiplier in self.weighers
        )


def own_policy(problem: Problem) -> Policy:
    """Return the policy spread or pack, with the multipliers that users gave."""
    direction = 1 if problem.policy == SPREAD else -1
    weights = dict(problem.rules.weights)
    chosen: list[tuple[Weigher, Fraction]] = [
        (RoomWeigher(name, index), direction * weights.get(name, Fraction(1)))
        for name, index in zip(("cpu", "ram", "disk"), range(len(DIMENSIONS)))
    ]
    others: tuple[Weigher, ...] = (*_counters(), VersionWeigher(problem.hosts))
    chosen += [(weigher, weights.get(weigher.name, _COUNTED.get(weigher.name, Fraction(0)))) for weigher in others]
    used = [(weigher, multiplier) for weigher, multiplier in chosen if multiplier and _matters(weigher, problem)]
    scale = math.lcm(*(multiplier.denominator for _weigher, multiplier in used))
    return Policy(
        problem.policy,
        tuple((weigher, int(multiplier * scale)) for weigher, multiplier in used),
        _SUMMARIES[problem.policy],
        scale,
    )


def _matters(weigher: Weigher, problem: Problem) -> bool:
    """Tell whether a weigher can say anything about these requests."""
    if not weigher.name.startswith("soft_"):
        return True
    policy = weigher.name.replace("_", "-")
    groups = (request.demand.group for request in problem.requests)
    return any(group is not None and group.policy == policy for group in groups)


def room_text(host: HostState) -> str:
    """Return the percentages that are left on a host."""
    parts = zip(("cpu", "ram", "disk"), range(len(host.capacity)))
    texts = [
        f"{name} {max(0, host.free(index)) * _PERCENT // host.capacity[index]}%"
        for name, index in parts
        if host.capacity[index]
    ]
    return ", ".join(texts) or "nothing"
