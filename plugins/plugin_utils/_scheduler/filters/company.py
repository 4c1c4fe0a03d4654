# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters about which instances a host has already."""

from __future__ import annotations

import ipaddress

from ..model import Demand
from ..state import HostState
from .base import Filter


class ServerGroupAntiAffinityFilter(Filter):
    """No host has more members of an anti-affinity group than the group allows."""

    name = "ServerGroupAntiAffinityFilter"
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether the request is of such a group."""
        return demand.group is not None and demand.group.policy == "anti-affinity"

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether one more is allowed."""
        group = demand.group
        return group is None or group.policy != "anti-affinity" or host.members[group.name] < group.most_per_host

    def message(self, host: HostState, demand: Demand) -> str:
        """Say how many there are and may be."""
        group = demand.group
        if group is None:
            return "is open to all groups"
        return f"has {host.members[group.name]} of anti-affinity group {group.name} and may have {group.most_per_host}"


class ServerGroupAffinityFilter(Filter):
    """The members of an affinity group are where its first one is."""

    name = "ServerGroupAffinityFilter"
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether the request is of such a group."""
        return demand.group is not None and demand.group.policy == "affinity"

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether members are there, or nowhere yet."""
        group = demand.group
        if group is None or group.policy != "affinity":
            return True
        return host.members[group.name] > 0 or host.everywhere[group.name] <= 0

    def message(self, host: HostState, demand: Demand) -> str:
        """Say that the group is elsewhere."""
        name = "" if demand.group is None else demand.group.name
        return f"has none of affinity group {name}, whose {host.everywhere[name]} members are elsewhere"


class SameHostFilter(Filter):
    """The host has one of the instances that the hint same_host names."""

    name = "SameHostFilter"
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether there is such a hint."""
        return bool(demand.hints.same_host)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether at least one is there."""
        wanted = demand.hints.same_host
        return not wanted or any(host.names[name] > 0 for name in wanted)

    def message(self, host: HostState, demand: Demand) -> str:
        """Name them."""
        return f"has none of {', '.join(demand.hints.same_host)}"


class DifferentHostFilter(Filter):
    """The host has none of the instances that the hint different_host names."""

    name = "DifferentHostFilter"
    is_static = False

    def applies(self, demand: Demand) -> bool:
        """Tell whether there is such a hint."""
        return bool(demand.hints.different_host)

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether none is there."""
        return not any(host.names[name] > 0 for name in demand.hints.different_host)

    def message(self, host: HostState, demand: Demand) -> str:
        """Name those that are there."""
        there = [name for name in demand.hints.different_host if host.names[name] > 0]
        return f"has {', '.join(there)}, from which it must stay away"


class SimpleCIDRAffinityFilter(Filter):
    """The host's address is in the network of the hints build_near_host_ip and cidr."""

    name = "SimpleCIDRAffinityFilter"

    def applies(self, demand: Demand) -> bool:
        """Tell whether there are such hints."""
        return demand.hints.near is not None

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether the address is in it."""
        if demand.hints.near is None:
            return True
        try:
            address = ipaddress.ip_address(str(host.host.facts.get("host_ip")))
        except ValueError:
            return False
        return address in ipaddress.ip_network(demand.hints.near)

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what the address is and in which network it should be."""
        address = host.host.facts.get("host_ip")
        there = f"has address {address}" if address else "does not tell its address (host_ip)"
        return f"{there}, and asked for is one in {demand.hints.near}"
