# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters about what a host's aggregates say."""

from __future__ import annotations

import functools

from ..extra_specs import AGGREGATE
from ..model import Demand, Pairs
from ..operators import matches
from ..state import HostState
from .base import Filter

_TENANT = "filter_tenant_id"
FLAVOR_KEY = "instance_type"


def _choices(values: frozenset[str]) -> str:
    return " or ".join(sorted(values))


class AggregateInstanceExtraSpecsFilter(Filter):
    """The host's aggregates say what the flavor asks for, in ``aggregate_instance_extra_specs:`` or without a scope."""

    name = "AggregateInstanceExtraSpecsFilter"

    def applies(self, demand: Demand) -> bool:
        """Tell whether there is such an extra spec."""
        return bool(_aggregate_specs(demand.extra_specs))

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether one value of each key matches."""
        return self._unmet(host, demand) is None

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what the aggregates say and what is wanted."""
        unmet = self._unmet(host, demand)
        if unmet is None:
            return "meets all extra specs"
        key, requirement = unmet
        values = host.host.metadata.get(key)
        if not values:
            return f"is in no aggregate that says what {key} is, and wanted is {requirement}"
        return f"is in aggregates whose {key} is {_choices(values)}, and wanted is {requirement}"

    def _unmet(self, host: HostState, demand: Demand) -> tuple[str, str] | None:
        for key, requirement in _aggregate_specs(demand.extra_specs):
            if not any(matches(value, requirement) for value in host.host.metadata.get(key, ())):
                return key, requirement
        return None


@functools.lru_cache(maxsize=1024)
def _aggregate_specs(specs: Pairs) -> Pairs:
    """Return the keys of aggregates with what is asked of them."""
    found = []
    for key, requirement in specs:
        scope, colon, rest = key.partition(":")
        if not colon or scope == AGGREGATE:
            found.append((rest if colon else scope, requirement))
    return tuple(found)


class AggregateImagePropertiesIsolation(Filter):
    """Where aggregates say what a property of images is, images that have it otherwise stay away."""

    name = "AggregateImagePropertiesIsolation"

    def applies(self, demand: Demand) -> bool:
        """Tell whether the image has properties."""
        return bool(demand.properties)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether no property is another one; what the image does not say is no obstacle."""
        return not self._foreign(host, demand)

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what the aggregates take and what the image is."""
        parts = [
            f"is in aggregates that take images whose {key} is {_choices(host.host.metadata[key])}, and the image's is {value}"
            for key, value in self._foreign(host, demand)
        ]
        return " and ".join(parts)

    @staticmethod
    def _foreign(host: HostState, demand: Demand) -> Pairs:
        metadata = host.host.metadata
        return tuple(
            (key, value) for key, value in demand.properties if value and key in metadata and value not in metadata[key]
        )


class AggregateMultiTenancyIsolation(Filter):
    """Where aggregates name the fleets they are for (``filter_tenant_id...``), others stay away: a fleet is a tenant."""

    name = "AggregateMultiTenancyIsolation"

    def __init__(self, fleet: str, keys: frozenset[str]) -> None:
        """Take the fleet's name, and all keys that aggregates have."""
        self._fleet, self._applies = fleet, any(key.startswith(_TENANT) for key in keys)

    def applies(self, demand: Demand) -> bool:
        """Tell whether some aggregate names fleets."""
        return self._applies

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the fleet is one of those, if any are named."""
        tenants = self._tenants(host)
        return not tenants or self._fleet in tenants

    def message(self, host: HostState, demand: Demand) -> str:
        """Name the fleets."""
        return f"is in aggregates for fleet {_choices(self._tenants(host))}, and this is fleet {self._fleet}"

    @staticmethod
    def _tenants(host: HostState) -> frozenset[str]:
        metadata = host.host.metadata
        return frozenset[str]().union(*(values for key, values in metadata.items() if key.startswith(_TENANT)))


class AggregateTypeAffinityFilter(Filter):
    """Where aggregates name the flavors they take (``instance_type``), others stay away."""

    name = "AggregateTypeAffinityFilter"

    def applies(self, demand: Demand) -> bool:
        """Tell whether flavors' names matter."""
        return bool(demand.flavor)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the flavor is one of those, if any are named."""
        flavors = host.host.metadata.get(FLAVOR_KEY)
        return not flavors or not demand.flavor or demand.flavor in flavors

    def message(self, host: HostState, demand: Demand) -> str:
        """Name the flavors."""
        flavors = host.host.metadata.get(FLAVOR_KEY, frozenset())
        return f"is in aggregates that take flavor {_choices(flavors)}, and this is {demand.flavor}"
