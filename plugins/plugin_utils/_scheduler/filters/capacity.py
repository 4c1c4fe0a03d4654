# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters about room, with the arithmetic of Nova's placement."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import DIMENSIONS, Demand
from ..state import HostState
from .base import Filter


class CapacityFilter(Filter):
    """Nova's arithmetic: ``used + n <= (total - reserved) * ratio`` and ``n <= total``."""

    dimension: int
    is_static = False

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether there is room; what takes nothing always fits, as on a host that is overcommitted already."""
        needed = demand.amounts[self.dimension]
        return needed == 0 or (needed <= host.host.total[self.dimension] and needed <= host.free(self.dimension))

    def shortage(self, host: HostState, demand: Demand) -> int:
        """Return how much more room the host would need."""
        return demand.amounts[self.dimension] - min(host.host.total[self.dimension], host.free(self.dimension))

    def message(self, host: HostState, demand: Demand) -> str:
        """Return what is needed, what is free, and of what."""
        unit = DIMENSIONS[self.dimension].unit
        needed = demand.amounts[self.dimension]
        total = host.host.total[self.dimension]
        if needed > total:
            return f"needs {needed} {unit}, the whole host has {total} {unit}"
        reserved = host.host.limits.reserved[self.dimension]
        whole = f"({total} - {reserved} reserved)" if reserved else f"{total}"
        ratio = float(host.host.limits.ratios[self.dimension])
        return f"needs {needed} {unit}, {max(0, host.free(self.dimension))} {unit} free of {whole} {unit} x {ratio}"


class CoreFilter(CapacityFilter):
    """Enough vCPUs."""

    name = "CoreFilter"
    dimension = 0


class RamFilter(CapacityFilter):
    """Enough memory."""

    name = "RamFilter"
    dimension = 1


class DiskFilter(CapacityFilter):
    """Enough disk."""

    name = "DiskFilter"
    dimension = 2


def dynamic_besides_room(filters: Sequence[Filter], demand: Demand) -> tuple[Filter, ...]:
    """Return the rules for a request, besides those on room, whose answer changes with what is placed."""
    return tuple(
        rule for rule in filters if not rule.is_static and not isinstance(rule, CapacityFilter) and rule.applies(demand)
    )


CAPACITY_FILTERS: tuple[CapacityFilter, ...] = (CoreFilter(), RamFilter(), DiskFilter())
