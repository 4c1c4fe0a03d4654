# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""All filters, and which of them are asked."""

from __future__ import annotations

from ..hidden import Hidden
from ..model import Rules
from .aggregates import (
    AggregateImagePropertiesIsolation,
    AggregateInstanceExtraSpecsFilter,
    AggregateMultiTenancyIsolation,
    AggregateTypeAffinityFilter,
)
from .base import Filter, first_refusal, refused_in_turn
from .capabilities import (
    ComputeCapabilitiesFilter,
    ImagePropertiesFilter,
    JsonFilter,
    RequireFilter,
    TraitsFilter,
)
from .capacity import CAPACITY_FILTERS, CapacityFilter, CoreFilter, DiskFilter, RamFilter, dynamic_besides_room
from .company import (
    DifferentHostFilter,
    SameHostFilter,
    ServerGroupAffinityFilter,
    ServerGroupAntiAffinityFilter,
    SimpleCIDRAffinityFilter,
)
from .counts import (
    MAX_INSTANCES,
    MAX_IO_OPS,
    AggregateIoOpsFilter,
    AggregateNumInstancesFilter,
    IoOpsFilter,
    NumInstancesFilter,
)
from .home import StickyFilter
from .places import (
    AllHostsFilter,
    AvailabilityZoneFilter,
    ComputeFilter,
    HostFilter,
    IsolatedHostsFilter,
    NameFilter,
    NetworkFilter,
    PoolFilter,
    SplitBrainFilter,
)
from .topology import TOPOLOGY_FILTERS, NUMATopologyFilter

__all__ = [
    "ALWAYS",
    "CAPACITY_FILTERS",
    "FILTER_NAMES",
    "TOPOLOGY_FILTERS",
    "CapacityFilter",
    "ComputeFilter",
    "CoreFilter",
    "DiskFilter",
    "Filter",
    "HostFilter",
    "NUMATopologyFilter",
    "NameFilter",
    "NetworkFilter",
    "RamFilter",
    "SameHostFilter",
    "SplitBrainFilter",
    "StickyFilter",
    "default_filters",
    "dynamic_besides_room",
    "first_refusal",
    "home_filters",
    "refused_in_turn",
]

ALWAYS = frozenset(
    {
        *("ComputeFilter", "HostFilter", "NameFilter", "SplitBrainFilter", "CoreFilter", "RamFilter", "DiskFilter"),
        *("AvailabilityZoneFilter", "TraitsFilter", "NUMATopologyFilter", "PciPassthroughFilter"),
    }
)
"""What nobody can leave out: it keeps data safe, or is what Nova's placement sees to whichever filters there are."""


def known_filters(hidden: Hidden, rules: Rules, fleet: str) -> tuple[Filter, ...]:
    """Return every filter for new instances, in the order in which they are asked: what never changes first."""
    return (
        ComputeFilter(),
        HostFilter(),
        NameFilter(),
        SplitBrainFilter(hidden),
        AllHostsFilter(),
        AvailabilityZoneFilter(),
        IsolatedHostsFilter(rules),
        AggregateInstanceExtraSpecsFilter(),
        AggregateImagePropertiesIsolation(),
        AggregateMultiTenancyIsolation(fleet, rules.aggregate_keys),
        AggregateTypeAffinityFilter(),
        TraitsFilter(),
        ImagePropertiesFilter(),
        ComputeCapabilitiesFilter(),
        RequireFilter(),
        JsonFilter(),
        SimpleCIDRAffinityFilter(),
        NetworkFilter(),
        *_count_filters(rules),
        ServerGroupAffinityFilter(),
        ServerGroupAntiAffinityFilter(),
        SameHostFilter(),
        DifferentHostFilter(),
        *CAPACITY_FILTERS,
        PoolFilter(),
        *TOPOLOGY_FILTERS,
    )


def _count_filters(rules: Rules) -> tuple[Filter, ...]:
    """Return the filters that count; Nova's limits hold only for those who choose the filters by name."""
    instances, io_ops = rules.max_instances_per_host, rules.max_io_ops_per_host
    if rules.filters is not None:
        instances = MAX_INSTANCES if instances is None else instances
        io_ops = MAX_IO_OPS if io_ops is None else io_ops
    keys, is_alone = rules.aggregate_keys, rules.filters is not None
    return (
        NumInstancesFilter(instances, keys, is_alone),
        AggregateNumInstancesFilter(instances, keys, is_alone),
        IoOpsFilter(io_ops, keys, is_alone),
        AggregateIoOpsFilter(io_ops, keys, is_alone),
    )


FILTER_NAMES = frozenset(rule.name for rule in known_filters(Hidden(), Rules(), ""))


def default_filters(hidden: Hidden, rules: Rules | None = None, fleet: str = "") -> tuple[Filter, ...]:
    """Return the filters for new instances that are chosen, all if none is."""
    rules = rules or Rules()
    known = known_filters(hidden, rules, fleet)
    if rules.filters is None:
        return known
    chosen = ALWAYS.union(rules.filters)
    return tuple(rule for rule in known if rule.name in chosen)


def home_filters(home: str, made_from: str | None, image: str) -> tuple[Filter, ...]:
    """Return the filters for an instance that is on a host already; its name is its own, and hosts in doubt are not."""
    return (HostFilter(), StickyFilter(home, made_from, image), NetworkFilter(), *CAPACITY_FILTERS)
