# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters: each removes the hosts that cannot take a request, and says why in units.

A new rule is a new class here, listed in ``default_filters``; whatever it reads of a request is a field of ``Demand``.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

from .hidden import Hidden
from .model import DIMENSIONS, Demand
from .names import natural_key
from .state import HostState


class Filter(abc.ABC):
    """One rule about one host."""

    name: str
    is_static = True
    """Whether claims on the host leave its answer as it is."""

    def applies(self, demand: Demand) -> bool:
        """Tell whether the request says anything that the rule is about: of what does not apply nothing is told."""
        return True

    @abc.abstractmethod
    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the host may take the request."""

    @abc.abstractmethod
    def message(self, host: HostState, demand: Demand) -> str:
        """Say why the host was removed; only asked after ``passes`` said no."""


class ComputeFilter(Filter):
    """The host must be up and take new instances."""

    name = "ComputeFilter"

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the host is in service."""
        return host.host.is_up and host.host.is_enabled

    def message(self, host: HostState, demand: Demand) -> str:
        """Say whether it is down, left out or disabled, and why."""
        return host.host.condition


class SplitBrainFilter(Filter):
    """While a host can't be looked at, what is nowhere to be seen may be running there: it is not created elsewhere."""

    name = "SplitBrainFilter"

    def __init__(self, hidden: Hidden) -> None:
        """Take the hosts that could not be looked at."""
        self._hidden = hidden

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether every host could be looked at."""
        return not self._hidden

    def message(self, host: HostState, demand: Demand) -> str:
        """Name the hosts that could not be looked at."""
        return f"takes nothing new while {self._hidden.conditions(' and ')}: the instance may be running there"


class HostFilter(Filter):
    """A request that names its host goes there or nowhere."""

    name = "HostFilter"

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether this is the host that was named, if one was."""
        return demand.host is None or demand.host == host.name

    def message(self, host: HostState, demand: Demand) -> str:
        """Name the host that was asked for."""
        return f"is not the declared host {demand.host}"


class NameFilter(Filter):
    """Libvirt has each name once on a host."""

    name = "NameFilter"

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the instance's name is free there."""
        return all(name != host.name for name, _holder in demand.taken_on)

    def message(self, host: HostState, demand: Demand) -> str:
        """Say who holds the name."""
        holders = [holder for name, holder in demand.taken_on if name == host.name]
        return f"has the name already, held by {holders[0]}"


class NetworkFilter(Filter):
    """An instance is plugged into networks that are active on its host."""

    name = "NetworkFilter"

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether every declared network is active, or the host does not tell."""
        networks = host.host.networks
        return networks is None or all(networks.get(name) for name in demand.networks)

    def message(self, host: HostState, demand: Demand) -> str:
        """Name what is missing and what there is."""
        networks = host.host.networks
        if not networks:
            return "has no networks"
        active = sorted((name for name, is_active in networks.items() if is_active), key=natural_key)
        missing = ", ".join(name for name in demand.networks if not networks.get(name))
        there = f"active are: {', '.join(active)}" if active else "none is active"
        return f"has no active network {missing} ({there})"


class StickyFilter(Filter):
    """What is on a host stays there, and stays made from its image."""

    name = "StickyFilter"

    def __init__(self, home: str, made_from: str | None, image: str) -> None:
        """Take the instance's host, the image it was made from (None if unknown), and the declared one."""
        self._home, self._made_from, self._image = home, made_from, image

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether this is the instance's host and its image is the declared one."""
        return host.name == self._home and self._made_from in (None, self._image)

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what cannot be done in place."""
        if host.name != self._home:
            return f"would need a move: the instance is on {self._home}"
        origin = f"from image {self._made_from}" if self._made_from else "without an image"
        declared = self._image or "one without an image"
        return f"was made {origin} and can't become {declared} in place; remove it and create it anew"


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


CAPACITY_FILTERS: tuple[CapacityFilter, ...] = (CoreFilter(), RamFilter(), DiskFilter())


def default_filters(hidden: Hidden) -> tuple[Filter, ...]:
    """Return the filters for new instances, in the order in which they are asked."""
    return (
        ComputeFilter(),
        HostFilter(),
        NameFilter(),
        SplitBrainFilter(hidden),
        NetworkFilter(),
        *CAPACITY_FILTERS,
    )


def home_filters(home: str, made_from: str | None, image: str) -> tuple[Filter, ...]:
    """Return the filters for an instance that is on a host already; its name is its own, and hosts in doubt are not."""
    return (HostFilter(), StickyFilter(home, made_from, image), NetworkFilter(), *CAPACITY_FILTERS)


def first_refusal(filters: Sequence[Filter], host: HostState, demand: Demand) -> Filter | None:
    """Return the first filter that removes the host, or None."""
    for rule in filters:
        if not rule.passes(host, demand):
            return rule
    return None
