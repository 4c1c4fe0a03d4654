# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters about what a host is: in service, the declared one, with the name free and what is plugged in at hand."""

from __future__ import annotations

from ..hidden import Hidden
from ..model import Demand, Rules
from ..names import natural_key
from ..state import HostState
from .base import Filter

DEFAULT_ZONE = "nova"


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


class PoolFilter(Filter):
    """Volumes lie in storage pools that are there, active, and have room for them."""

    name = "PoolFilter"
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether the request names a pool."""
        return bool(demand.pools)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether every pool has room, or the host does not tell."""
        return not demand.pools or host.host.pools is None or not self._obstacles(host, demand)

    def message(self, host: HostState, demand: Demand) -> str:
        """Name the pools that will not do, and why."""
        return " and ".join(self._obstacles(host, demand))

    @staticmethod
    def _obstacles(host: HostState, demand: Demand) -> list[str]:
        pools = host.host.pools or {}
        obstacles = []
        for name, size_gb in demand.pools:
            pool = pools.get(name)
            if pool is None:
                there = ", ".join(sorted(pools, key=natural_key)) or "none"
                obstacles.append(f"has no storage pool {name} (there are: {there})")
            elif not pool.is_active:
                obstacles.append(f"has storage pool {name}, which is not active")
            elif size_gb and host.pool_claims[name] + size_gb > pool.available_gb:
                free = max(0, pool.available_gb - host.pool_claims[name])
                obstacles.append(f"needs {size_gb} GiB in storage pool {name}, {free} GiB free")
        return obstacles


class AvailabilityZoneFilter(Filter):
    """The host is in the declared zone; one without a zone is in Nova's default one."""

    name = "AvailabilityZoneFilter"

    def applies(self, demand: Demand) -> bool:
        """Tell whether a zone is declared."""
        return demand.zone is not None

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the host is in it."""
        return demand.zone is None or demand.zone == (host.host.zone or DEFAULT_ZONE)

    def message(self, host: HostState, demand: Demand) -> str:
        """Name both zones."""
        return f"is in zone {host.host.zone or DEFAULT_ZONE}, and declared is {demand.zone}"


class IsolatedHostsFilter(Filter):
    """Isolated images run on isolated hosts only and, unless told otherwise, those hosts take no others."""

    name = "IsolatedHostsFilter"

    def __init__(self, rules: Rules) -> None:
        """Take what is isolated."""
        self._rules = rules

    def applies(self, demand: Demand) -> bool:
        """Tell whether anything is isolated."""
        return bool(self._rules.isolated_hosts or self._rules.isolated_images)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether host and image go together."""
        rules = self._rules
        is_host_isolated = host.name in rules.isolated_hosts
        if demand.image in rules.isolated_images:
            return is_host_isolated
        return not (is_host_isolated and rules.restrict_isolated_hosts)

    def message(self, host: HostState, demand: Demand) -> str:
        """Say which of the two is isolated."""
        if host.name in self._rules.isolated_hosts:
            return (
                f"takes isolated images only ({', '.join(sorted(self._rules.isolated_images)) or 'none is declared'})"
            )
        return f"is not isolated, and image {demand.image} is"


class AllHostsFilter(Filter):
    """Every host will do: Nova's name for no filter."""

    name = "AllHostsFilter"

    def applies(self, demand: Demand) -> bool:
        """Say no."""
        return False

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Say yes."""
        return True

    def message(self, host: HostState, demand: Demand) -> str:
        """Say nothing: it removes no host."""
        return ""
