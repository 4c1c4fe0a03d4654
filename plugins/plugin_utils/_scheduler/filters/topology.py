# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters for what instances have of a host to themselves."""

from __future__ import annotations

from ..model import Demand
from ..state import HostState
from ..topology.explain import short_cells, short_devices
from .base import Filter

_CROWDED = "has room for this beside some of what else is to go there, but not beside all of it"


class NUMATopologyFilter(Filter):
    """The instance's NUMA cells, CPUs and pages fit into the host's cells."""

    name = "NUMATopologyFilter"
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether the instance lies anywhere in particular."""
        return demand.topology is not None and bool(demand.topology.placement.cells)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether there is a way to lay it out."""
        wanted = demand.topology
        if wanted is None or not self.applies(demand):
            return True
        return host.topology.fits(wanted) or short_cells(wanted, host.topology.free()) is None

    def message(self, host: HostState, demand: Demand) -> str:
        """Say how much of what is short in the cell that comes nearest."""
        wanted = demand.topology
        return (short_cells(wanted, host.topology.free()) if wanted else None) or _CROWDED


class PciPassthroughFilter(Filter):
    """The host has the devices that the instance asks for, and nobody has them."""

    name = "PciPassthroughFilter"
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether the instance asks for devices."""
        return demand.topology is not None and bool(demand.topology.pci or demand.topology.mdevs)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether all of them are free."""
        wanted = demand.topology
        if wanted is None or not self.applies(demand):
            return True
        return host.topology.fits(wanted) or short_devices(wanted, host.topology.free()) is None

    def message(self, host: HostState, demand: Demand) -> str:
        """Say which are short."""
        wanted = demand.topology
        return (short_devices(wanted, host.topology.free()) if wanted else None) or _CROWDED


TOPOLOGY_FILTERS: tuple[Filter, ...] = (NUMATopologyFilter(), PciPassthroughFilter())
