# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is placed: requests on their own, and groups that stay together as one; those of equal demand are of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..filters import Filter
from ..model import DIMENSIONS, Amounts, Demand, Request
from ..names import natural_key
from .masks import Masks

MILLION = 1_000_000
_TOGETHER = "ServerGroupAffinityFilter"


@dataclass(eq=False)
class Kind:
    """Units that are interchangeable."""

    index: int
    demands: tuple[Demand, ...]
    amounts: Amounts
    mask: int
    """The hosts that static rules let pass and that are large enough in total."""
    dynamic: tuple[tuple[Filter, ...], ...]
    """For each demand the rules besides capacity that depend on what is placed."""
    units: list[int] = field(default_factory=list)
    size: int = 0
    """How much of all room it takes, in millionths and over all dimensions, scarce ones counting more."""

    @property
    def is_plain(self) -> bool:
        """Tell whether nothing but room matters once the static rules have been asked."""
        return not any(self.dynamic)

    @property
    def soft(self) -> str | None:
        """Return the name of the group that it would rather be with or apart from."""
        group = self.demands[0].group
        return group.name if group is not None and group.policy.startswith("soft-") else None


@dataclass(frozen=True)
class Unit:
    """Requests that go to one host, in natural order of their names."""

    requests: tuple[Request, ...]
    kind: Kind


class Units:
    """All that a plan has to place."""

    def __init__(self, requests: Sequence[Request], masks: Masks, *, fuse: bool = True) -> None:
        """Take the requests in natural order of their names; ``fuse`` makes one of groups that stay together."""
        self.kinds: list[Kind] = []
        self.units: list[Unit] = []
        self._masks = masks
        self._dynamic: dict[Demand, tuple[Filter, ...]] = {}
        by_demands: dict[tuple[Demand, ...], Kind] = {}
        for members in self._together(requests) if fuse else [(request,) for request in requests]:
            demands = tuple(request.demand for request in members)
            kind = by_demands.get(demands)
            if kind is None:
                kind = by_demands[demands] = self._kind(demands)
            kind.units.append(len(self.units))
            self.units.append(Unit(members, kind))

    def _rules(self, demand: Demand) -> tuple[Filter, ...]:
        if demand not in self._dynamic:
            self._dynamic[demand] = self._masks.dynamic(demand)
        return self._dynamic[demand]

    def _together(self, requests: Sequence[Request]) -> list[tuple[Request, ...]]:
        fused: dict[str, list[Request]] = {}
        alone = []
        for request in requests:
            group = request.demand.group
            if group is not None and any(rule.name == _TOGETHER for rule in self._rules(request.demand)):
                fused.setdefault(group.name, []).append(request)
            else:
                alone.append((request,))
        groups = [tuple(members) for _name, members in sorted(fused.items(), key=lambda item: natural_key(item[0]))]
        return groups + alone

    def _kind(self, demands: tuple[Demand, ...]) -> Kind:
        mask = -1
        for demand in set(demands):
            mask &= self._masks.static(demand).passed & self._masks.large_enough(demand.amounts)
        amounts = tuple(sum(demand.amounts[index] for demand in demands) for index in range(len(DIMENSIONS)))
        kind = Kind(len(self.kinds), demands, amounts, mask, tuple(self._rules(demand) for demand in demands))
        self.kinds.append(kind)
        return kind

    def split(self, unit: int) -> list[int]:
        """Take a unit of several requests apart; return its parts, which are units of their own."""
        parts = []
        for request in self.units[unit].requests:
            kind = self._kind((request.demand,))
            kind.size = self.units[unit].kind.size
            kind.units.append(len(self.units))
            parts.append(len(self.units))
            self.units.append(Unit((request,), kind))
        return parts
