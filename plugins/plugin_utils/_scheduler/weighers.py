# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Weighers: which of the hosts that passed is the best one. Higher is better; a policy is a sum of weighers."""

from __future__ import annotations

import abc
from dataclasses import dataclass

from .model import Demand
from .state import HostState

_MILLION = 1_000_000
_PERCENT = 100

WEIGHER_NAMES = (
    *("cpu", "ram", "disk", "io_ops", "num_instances", "hypervisor_version", "pci"),
    *("soft_affinity", "soft_anti_affinity", "image_props"),
)
"""Nova's names, whose multipliers users may set."""


class Weigher(abc.ABC):
    """One opinion about one host."""

    name: str

    @abc.abstractmethod
    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return how good the host is for the request, as a whole number."""


class RoomWeigher(Weigher):
    """The fraction of the host that would be left, in parts per million and over all dimensions.

    Nova weighs absolute free amounts, which fills the biggest hosts of a mixed fleet first.
    """

    name = "room"

    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return the sum of the fractions left."""
        return sum(
            (host.free(index) - amount) * _MILLION // host.capacity[index]
            for index, amount in enumerate(demand.amounts)
            if host.capacity[index]
        )


@dataclass(frozen=True)
class Policy:
    """Weighers with their multipliers, and what to tell people."""

    name: str
    weighers: tuple[tuple[Weigher, int], ...]
    summary: str

    def weigh(self, host: HostState, demand: Demand) -> int:
        """Return the weighted sum."""
        return sum(multiplier * weigher.weigh(host, demand) for weigher, multiplier in self.weighers)


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("spread", ((RoomWeigher(), 1),), "most room left"),
        Policy("pack", ((RoomWeigher(), -1),), "least room left"),
    )
}


def room_text(host: HostState) -> str:
    """Return the percentages that are left on a host."""
    parts = zip(("cpu", "ram", "disk"), range(len(host.capacity)))
    texts = [
        f"{name} {max(0, host.free(index)) * _PERCENT // host.capacity[index]}%"
        for name, index in parts
        if host.capacity[index]
    ]
    return ", ".join(texts) or "nothing"
