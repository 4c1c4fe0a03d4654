# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What runs stays where it is; what breaks its own rules there is told, and moved only if the user said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .explain import Refused
from .filters import TOPOLOGY_FILTERS, Filter, first_refusal, home_filters
from .model import Amounts, Demand, Guest, Migration, Request, Violation
from .state import HostState, share_left

_LASTING = frozenset(
    {
        *("HostFilter", "AvailabilityZoneFilter", "TraitsFilter", "ComputeCapabilitiesFilter", "ImagePropertiesFilter"),
        *("IsolatedHostsFilter", "SameHostFilter", "DifferentHostFilter", "SimpleCIDRAffinityFilter", "RequireFilter"),
        *("AggregateInstanceExtraSpecsFilter", "AggregateImagePropertiesIsolation", "AggregateTypeAffinityFilter"),
    }
)
"""Rules that hold for as long as an instance runs; the others are about making it."""
_AFFINITY, _ANTI_AFFINITY = "ServerGroupAffinityFilter", "ServerGroupAntiAffinityFilter"


@dataclass(frozen=True)
class Resident:
    """A declared instance that is on a host already."""

    request: Request
    guest: Guest
    state: HostState

    @property
    def name(self) -> str:
        """Return its name."""
        return self.request.name

    @property
    def demand(self) -> Demand:
        """Return what it takes of its host: what it is declared with, and no less than it has."""
        amounts = tuple(max(new, old) for new, old in zip(self.request.demand.amounts, self.guest.amounts))
        return replace(self.request.demand, amounts=amounts)

    @property
    def growth(self) -> Amounts:
        """Return what it is to grow by; what it shrinks by is not counted on."""
        return tuple(max(0, new - old) for new, old in zip(self.request.demand.amounts, self.guest.amounts))


def stay(resident: Resident) -> Refused | None:
    """Keep an instance where it is: only what it grows by needs room."""
    request, state = resident.request, resident.state
    group = request.demand.group
    state.regroup(resident.guest.group, None if group is None else group.name)
    demand = Demand(resident.growth, host=request.demand.host, networks=request.demand.networks)
    filters = home_filters(state.name, resident.guest.image, request.image)
    if first_refusal(filters, state, demand) is not None:
        return Refused(request, demand, filters, state.name)
    wanted = request.demand.topology
    if wanted is not None and not state.topology.keep(resident.name, wanted):
        return Refused(request, replace(demand, topology=wanted), (*filters, *TOPOLOGY_FILTERS), state.name)
    state.claim(resident.growth)
    return None


class Watch:
    """Finds what breaks its own rules."""

    def __init__(self, residents: Sequence[Resident], filters: Sequence[Filter]) -> None:
        """Take all that runs, in natural order of its names."""
        self._residents = residents
        self._filters = [rule for rule in filters if rule.name in _LASTING]
        names = {rule.name for rule in filters}
        self._keeps_together, self._keeps_apart = _AFFINITY in names, _ANTI_AFFINITY in names
        self._rules: dict[Demand, list[Filter]] = {}

    def violations(self) -> list[tuple[Resident, Violation]]:
        """Return what breaks a rule, in natural order: of a group the members that are too many or too far away."""
        found = self._in_groups()
        for resident in self._residents:
            rule = self._broken(resident)
            if rule is not None:
                message = rule.message(resident.state, resident.request.demand)
                found[resident.name] = Violation(resident.name, resident.state.name, rule.name, message)
        return [(resident, found[resident.name]) for resident in self._residents if resident.name in found]

    def _broken(self, resident: Resident) -> Filter | None:
        demand, state = resident.request.demand, resident.state
        if demand not in self._rules:
            self._rules[demand] = [rule for rule in self._filters if rule.applies(demand)]
        rules = self._rules[demand]
        if all(rule.is_static for rule in rules):
            return first_refusal(rules, state, demand)
        taken = resident.demand
        state.leave(resident.guest, taken)
        rule = first_refusal(rules, state, demand)
        state.join(resident.guest, taken)
        return rule

    def _in_groups(self) -> dict[str, Violation]:
        groups: dict[str, list[Resident]] = {}
        for resident in self._residents:
            if resident.request.demand.group is not None:
                groups.setdefault(resident.request.demand.group.name, []).append(resident)
        found: dict[str, Violation] = {}
        for members in groups.values():
            group = members[0].request.demand.group
            if group is not None and group.policy == "affinity" and self._keeps_together:
                found.update(_torn(group.name, members))
            elif group is not None and group.policy == "anti-affinity" and self._keeps_apart:
                found.update(_crowded(group.name, group.most_per_host, members))
        return found


def _torn(name: str, members: Sequence[Resident]) -> dict[str, Violation]:
    """Return the members that are not where most are."""
    hosts = {member.state.name: member.state for member in members}
    # The first of equals, in natural order.
    most = max(sorted(hosts.values(), key=lambda state: state.order), key=lambda state: state.members[name])
    return {
        member.name: Violation(
            member.name,
            member.state.name,
            _AFFINITY,
            f"has {member.state.members[name]} of affinity group {name}, and {most.name} has {most.members[name]}",
        )
        for member in members
        if member.state is not most
    }


def _crowded(name: str, most: int, members: Sequence[Resident]) -> dict[str, Violation]:
    """Return the members beyond the number that a host may have."""
    seen: dict[str, int] = {}
    found = {}
    for member in members:
        state = member.state
        # Members that are not declared any more have the first places.
        seen[state.name] = seen.get(state.name, state.members[name] - _declared_on(state, members)) + 1
        if seen[state.name] > most:
            message = f"has {state.members[name]} of anti-affinity group {name} and may have {most}"
            found[member.name] = Violation(member.name, state.name, _ANTI_AFFINITY, message)
    return found


def _declared_on(state: HostState, members: Sequence[Resident]) -> int:
    return sum(member.state is state for member in members)


def move_violators(
    watch: Watch, states: Sequence[HostState], filters: Sequence[Filter], is_pack: bool
) -> list[tuple[Resident, Migration]]:
    """Move what breaks a rule to where it breaks none, the smallest first; what can't be moved stays."""
    moves = []
    order = sorted(watch.violations(), key=lambda item: (item[0].guest.amounts[1], item[0].guest.amounts))
    for resident, violation in order:
        state, demand = resident.state, resident.demand
        state.leave(resident.guest, demand)
        rules = [rule for rule in filters if rule.applies(demand)]
        hosts = [host for host in states if host is not state and first_refusal(rules, host, demand) is None]
        if not hosts:
            state.join(resident.guest, demand)
            continue
        best = min(hosts, key=_left) if is_pack else max(hosts, key=_left)
        best.place(demand)
        why = f"{violation.filter}: {state.name} {violation.message}"
        moves.append((resident, Migration(resident.name, state.name, best.name, resident.guest.amounts, why)))
    return moves


def _left(state: HostState) -> int:
    return share_left([state.free(index) for index in range(len(state.capacity))], state.capacity)
