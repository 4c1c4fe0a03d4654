# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Hosts with what may be moved and what may not: the question of any plan of moves, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ....module_utils._spec.server_group import GROUP_POLICIES
from ..errors import ScheduleError
from ..filters import Filter, default_filters
from ..hidden import Hidden
from ..homes import holder_text
from ..intake.problem import read_problem
from ..intake.question import Question
from ..model import DIMENSIONS, Amounts, Demand, Guest, Host, Problem, Request, ServerGroup
from ..names import natural_key
from ..topology.facts import read_host_facts
from .board import Board
from .question import HostsQuestion
from .units import Fixed, Unit

_AFFINITY = "affinity"
_NO_FLEET = "unnamed"
"""Stands for a fleet where nothing is declared, so that it does not matter whose it would be."""

Reason = Callable[[Guest, int], "str | None"]
"""Says why a guest on a host, by its number, is not to be moved; nothing if it may be."""


@dataclass(frozen=True)
class Scene:
    """What a plan of moves begins with."""

    hosts: tuple[Host, ...]
    filters: Mapping[str, tuple[Filter, ...]]
    """The filters for the instances of each fleet."""
    units: tuple[Unit, ...]
    fixed: tuple[Fixed, ...]

    def board(self) -> Board:
        """Return the hosts as they are now."""
        return Board(self.hosts, self.units, self.filters)


def read_hosts_question(question: HostsQuestion) -> Problem:
    """Return the hosts, the declared instances and the rules, or raise :class:`ScheduleError`."""
    if question.instances and question.fleet is None:
        raise ScheduleError("instances: it does not say whose they are; give the name of their fleet as fleet.")
    return read_problem(
        Question(
            fleet=_NO_FLEET if question.fleet is None else question.fleet,
            instances=question.instances or [],
            hosts=question.hosts,
            limits=question.limits,
            host_limits=question.host_limits,
            aggregates=question.aggregates,
            max_instances_per_host=question.max_instances_per_host,
            isolated_hosts=question.isolated_hosts,
            isolated_images=question.isolated_images,
            restrict_isolated_hosts_to_isolated_images=question.restrict_isolated_hosts_to_isolated_images,
            max_facts_age=question.max_facts_age,
            now=question.now,
        )
    )


def ordered_hosts(problem: Problem) -> tuple[Host, ...]:
    """Return the hosts in the order that people expect, which their numbers follow."""
    return tuple(sorted(problem.hosts, key=lambda host: natural_key(host.name)))


def move_filters(problem: Problem, fleet: str) -> tuple[Filter, ...]:
    """Return the filters for what is seen to run: that it may be on a hidden host is out of the question."""
    return default_filters(Hidden(), problem.rules, fleet)


def set_scene(problem: Problem, reason: Reason, are_tied: bool = True) -> Scene:
    """Return the scene; ``reason`` says what is not to be moved.

    When their host is lost, guests are no longer tied to it by what they are in the middle of.
    """
    hosts = ordered_hosts(problem)
    people = _People(problem, hosts)
    movable: list[tuple[int, Guest]] = []
    fixed = []
    for number, host in enumerate(hosts):
        for guest in sorted(host.guests, key=lambda guest: (natural_key(guest.name), guest.fleet or "")):
            why = (
                reason(guest, number)
                or people.secret(guest, number)
                or (people.tie(guest, number) if are_tied else None)
            )
            if why is None:
                movable.append((number, guest))
            else:
                fixed.append(Fixed(guest.name, guest.fleet, number, why))
    filters = {fleet: move_filters(problem, fleet) for fleet in sorted({guest.fleet or "" for _host, guest in movable})}
    return Scene(hosts, filters, _units(hosts, movable, people), tuple(fixed))


class _People:
    """What is known of guests: what is declared, else what the facts say."""

    def __init__(self, problem: Problem, hosts: Sequence[Host]) -> None:
        self._fleet = problem.fleet
        self._requests = {request.name: request for request in problem.requests}
        self._groups = {group.name: group for request in problem.requests for group in (request.demand.group,) if group}
        self._holders: dict[str, list[tuple[int, Guest]]] = {}
        for number, host in enumerate(hosts):
            for guest in host.guests:
                self._holders.setdefault(guest.name, []).append((number, guest))
        self._hosts = hosts
        self._held = [read_host_facts(host.name, host.facts).held or {} for host in hosts]
        self._apart = _seekers(problem.requests, lambda request: request.demand.hints.different_host)
        self._beside = _seekers(problem.requests, lambda request: request.demand.hints.same_host)
        self._homes = {
            name: number
            for name, found in self._holders.items()
            for number, guest in found
            if guest.fleet == self._fleet
        }

    def secret(self, guest: Guest, number: int) -> str | None:
        """Say that nobody knows what a guest would need elsewhere."""
        if self._is_declared(guest) or guest.name not in self._held[number]:
            return None
        return "has CPUs, memory or devices of its host to itself, and only its declaration among instances says which"

    def tie(self, guest: Guest, number: int) -> str | None:
        """Say what ties a guest to its host that no filter sees."""
        twins = [other for other, twin in self._holders[guest.name] if twin.fleet == guest.fleet and other != number]
        if twins:
            return f"is on {self._hosts[twins[0]].name} as well; find out which one is right and remove the other"
        if guest.power_state in ("suspended", "crashed", "nostate"):
            return f"is {guest.power_state}: start it or stop it first"
        for name in guest.names:
            followers = [other for other in self._beside.get(name, ()) if self._homes.get(other) == number]
            if followers:
                return f"{followers[0]} has to be on its host (scheduler_hints.same_host)"
        return None

    def demand(self, guest: Guest, number: int) -> Demand:
        """Return all that filters may read of a guest."""
        request = self._requests[guest.name] if self._is_declared(guest) else None
        base = request.demand if request else Demand((), flavor=guest.flavor or "", image=guest.image or "")
        names = guest.names
        apart = {other for name in names for other in self._apart.get(name, ())} - set(names)
        hints = base.hints
        if apart - set(hints.different_host):
            hints = replace(hints, different_host=tuple(sorted({*hints.different_host, *apart})))
        return replace(
            base,
            amounts=guest.amounts,
            taken_on=tuple(
                (self._hosts[other].name, holder_text(twin))
                for other, twin in self._holders[guest.name]
                if other != number
            ),
            group=base.group if request else self._group(guest),
            hints=hints,
            marks=tuple(name for name in names if name in self._apart or name in self._beside or name in base.marks),
        )

    def _is_declared(self, guest: Guest) -> bool:
        return guest.fleet == self._fleet and guest.name in self._requests

    def _group(self, guest: Guest) -> ServerGroup | None:
        if guest.group is None:
            return None
        if guest.group in self._groups:
            return self._groups[guest.group]
        return ServerGroup(guest.group, guest.group_policy) if guest.group_policy in GROUP_POLICIES else None


def _seekers(
    requests: Sequence[Request], wanted: Callable[[Request], tuple[str, ...]]
) -> Mapping[str, tuple[str, ...]]:
    """Return who asks for each name in a hint."""
    found: dict[str, tuple[str, ...]] = {}
    for request in requests:
        for name in wanted(request):
            found[name] = (*found.get(name, ()), request.name)
    return found


_Bundles = dict[tuple[int, "int | str"], list[tuple[Guest, Demand]]]
"""Guests that move together with their demands, by their host's number and what makes them differ from others there."""


def _units(hosts: Sequence[Host], movable: Sequence[tuple[int, Guest]], people: _People) -> tuple[Unit, ...]:
    uncounted = [_uncounted(host) for host in hosts]
    kinds: dict[tuple[str | None, tuple[Demand, ...]], int] = {}
    units: list[Unit] = []
    for (home, _key), members in _bundles(movable, people).items():
        guests, demands = zip(*members)
        kind = kinds.setdefault((guests[0].fleet, demands), len(kinds))
        amounts = tuple(sum(column) for column in zip(*(demand.amounts for demand in demands)))
        freed = tuple(0 if more else amount for amount, more in zip(amounts, uncounted[home]))
        units.append(Unit(len(units), guests, demands, home, amounts, freed, kind))
    return tuple(units)


def _bundles(movable: Sequence[tuple[int, Guest]], people: _People) -> _Bundles:
    bundles: _Bundles = {}
    for position, (number, guest) in enumerate(movable):
        demand = people.demand(guest, number)
        is_bound = demand.group is not None and demand.group.policy == _AFFINITY
        key = demand.group.name if is_bound and demand.group else position
        bundles.setdefault((number, key), []).append((guest, demand))
    return bundles


def _uncounted(host: Host) -> Amounts:
    """Return by how much guests add up to more than the host counts, as shelved ones do.

    Which of them are not counted the facts don't tell. So no room is taken to become free there, which is safe.
    """
    sums = [sum(guest.amounts[index] for guest in host.guests) for index in range(len(DIMENSIONS))]
    return tuple(max(0, whole - used) for whole, used in zip(sums, host.used))
