# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The engine: what runs stays, the hardest of the rest goes first, claims accumulate.

Requests of equal demand are placed together from one heap of hosts, so the work grows with hosts times distinct
demands, plus requests. Nothing here depends on the order of hosts or requests: every tie is broken by name.
"""

from __future__ import annotations

import heapq
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .errors import ScheduleError
from .explain import Refused, explain
from .filters import Filter, default_filters, first_refusal, home_filters
from .hidden import find_hidden
from .model import DIMENSIONS, Amounts, Demand, Guest, Host, Placement, Plan, Problem, Removal, Request
from .names import natural_key
from .nova_weighers import NOVA, NovaScorer
from .sequential import PolicyScorer, Scorer, place_in_turn
from .state import HostState, host_states
from .topology.result import with_allocations
from .weighers import PACK, SPREAD, Policy, own_policy, room_text

_MILLION = 1_000_000

Homes = dict[str, tuple[str, Guest]]


@dataclass(frozen=True)
class _Rules:
    filters: tuple[Filter, ...]
    policy: Policy | None
    """Spread or pack; None for Nova's, which can only weigh all hosts at once."""
    scorer: Scorer


def make_plan(problem: Problem) -> Plan:
    """Return where every request goes, or why it goes nowhere."""
    hosts = sorted(problem.hosts, key=lambda host: natural_key(host.name))
    states = {state.name: state for state in host_states(hosts)}
    hidden = find_hidden(hosts, problem.assume_down_hosts_empty)
    filters = default_filters(hidden, problem.rules, problem.fleet)
    rules = _Rules(filters, *_weighing(problem, list(states.values())))
    homes = find_homes(hosts, problem.fleet)
    removed = _removed(problem, homes, states)
    requests = sorted(_with_conflicts(problem, hosts), key=lambda request: natural_key(request.name))

    placements: dict[str, Placement] = {}
    refused: dict[str, Refused] = {}
    for request in requests:
        if request.name in homes:
            _stay(request, homes[request.name], states, placements, refused)
    declared = [request.name for request in problem.requests]
    new = [request for request in requests if request.name not in homes]
    if problem.order == "declared":
        turns = {name: number for number, name in enumerate(declared)}
        new.sort(key=lambda request: turns[request.name])
        _place_in_turn(new, list(states.values()), rules, placements, refused)
    else:
        for batch in _hardest_first(new, list(states.values()), rules):
            _place(batch, list(states.values()), rules, placements, refused)
    return Plan(
        policy=problem.policy,
        purge=problem.purge,
        placements=with_allocations(
            [placements[name] for name in declared if name in placements], problem.requests, states
        ),
        unplaced=tuple(
            explain(refused[name], list(states.values()), hidden, problem.prefix)
            for name in declared
            if name in refused
        ),
        removed=removed,
        usage=tuple(state.as_usage() for state in states.values()),
    )


def find_homes(hosts: Sequence[Host], fleet: str) -> Homes:
    """Return where the fleet's instances are; the same name on two hosts is for people to sort out."""
    homes: Homes = {}
    for host in hosts:
        for guest in host.guests:
            if guest.fleet != fleet:
                continue
            if guest.name in homes:
                raise ScheduleError(
                    f"Instance {guest.name} of fleet {fleet} is on two hosts, {homes[guest.name][0]} and {host.name}; "
                    "find out which one is right and remove the other."
                )
            homes[guest.name] = (host.name, guest)
    return homes


def _weighing(problem: Problem, states: Sequence[HostState]) -> tuple[Policy | None, Scorer]:
    name = problem.policy
    if name == NOVA:
        return None, NovaScorer(problem.rules, states)
    if name not in (SPREAD, PACK):
        raise ScheduleError(f"Policy {name!r} is unknown; take one of {', '.join(sorted((SPREAD, PACK, NOVA)))}.")
    policy = own_policy(problem)
    return policy, PolicyScorer(policy)


def _removed(problem: Problem, homes: Homes, states: dict[str, HostState]) -> tuple[Removal, ...]:
    declared = {request.name for request in problem.requests}
    gone = sorted((name for name in homes if name not in declared), key=natural_key)
    if problem.purge:
        for name in gone:
            states[homes[name][0]].release(homes[name][1].amounts)
    return tuple(Removal(name, homes[name][0]) for name in gone)


def _with_conflicts(problem: Problem, hosts: Sequence[Host]) -> list[Request]:
    """Return the requests, each with the hosts on which something else has its name."""
    holders: dict[str, list[tuple[str, str]]] = {}
    for host in hosts:
        for guest in host.guests:
            if guest.fleet != problem.fleet:
                holder = f"an instance of fleet {guest.fleet}" if guest.fleet else "a machine that is in no fleet"
                holders.setdefault(guest.name, []).append((host.name, holder))
    return [
        (
            replace(request, demand=replace(request.demand, taken_on=tuple(holders[request.name])))
            if request.name in holders
            else request
        )
        for request in problem.requests
    ]


def _stay(
    request: Request,
    home: tuple[str, Guest],
    states: dict[str, HostState],
    placements: dict[str, Placement],
    refused: dict[str, Refused],
) -> None:
    """Keep an instance where it is; only what it grows by needs room, and what it shrinks by is not counted on."""
    state = states[home[0]]
    growth = tuple(max(0, new - old) for new, old in zip(request.demand.amounts, home[1].amounts))
    demand = Demand(growth, host=request.demand.host, networks=request.demand.networks)
    filters = home_filters(state.name, home[1].image, request.image)
    if first_refusal(filters, state, demand) is not None:
        refused[request.name] = Refused(request, demand, filters, state.name)
        return
    state.claim(growth)
    placements[request.name] = Placement(request.name, request.flavor, state.name, "keep", "is there already")


def _hardest_first(requests: Sequence[Request], states: Sequence[HostState], rules: _Rules) -> list[list[Request]]:
    """Return the requests in batches of equal demand: those with the fewest hosts, then the biggest, first."""
    batches: dict[Demand, list[Request]] = {}
    for request in requests:
        batches.setdefault(request.demand, []).append(request)
    room = tuple(sum(max(0, state.free(index)) for state in states) for index in range(len(DIMENSIONS)))

    def hardness(demand: Demand) -> tuple[t.Any, ...]:
        candidates = sum(first_refusal(rules.filters, state, demand) is None for state in states)
        return (
            # Those that go where another one is wait for it.
            bool(demand.hints.same_host),
            candidates,
            -_share(demand.amounts, room),
            [-amount for amount in demand.amounts],
            demand.host or "",
            demand.taken_on,
            demand.networks,
        )

    return [batches[demand] for demand in sorted(batches, key=hardness)]


def _share(amounts: Amounts, room: Amounts) -> int:
    """Return the biggest part, in millionths, that a request takes of all room there is."""
    return max(amount * _MILLION // max(1, free) for amount, free in zip(amounts, room))


def _place(
    batch: list[Request],
    states: Sequence[HostState],
    rules: _Rules,
    placements: dict[str, Placement],
    refused: dict[str, Refused],
) -> None:
    """Place requests of one demand, each on the host that is best at its turn."""
    demand, policy = batch[0].demand, rules.policy
    # The first member of an affinity group changes what all hosts say to the others.
    if policy is None or (demand.group is not None and demand.group.policy == "affinity"):
        _place_in_turn(batch, states, rules, placements, refused)
        return
    heap = [
        (-policy.weigh(state, demand), state.order, state)
        for state in states
        if first_refusal(rules.filters, state, demand) is None
    ]
    heapq.heapify(heap)
    for request in batch:
        if not heap:
            refused[request.name] = Refused(request, demand, rules.filters, None)
            continue
        choices = len(heap)
        state = heapq.heappop(heap)[2]
        state.place(demand)
        why = _why(demand, state, choices, policy.summary)
        placements[request.name] = Placement(request.name, request.flavor, state.name, "create", why)
        # Only this host's room has changed.
        if first_refusal(rules.filters, state, demand) is None:
            heapq.heappush(heap, (-policy.weigh(state, demand), state.order, state))


def _place_in_turn(
    requests: Sequence[Request],
    states: Sequence[HostState],
    rules: _Rules,
    placements: dict[str, Placement],
    refused: dict[str, Refused],
) -> None:
    """Place requests one after the other."""
    for turn in place_in_turn(requests, states, rules.filters, rules.scorer):
        request = turn.request
        if turn.host is None:
            refused[request.name] = Refused(request, request.demand, rules.filters, None)
        else:
            why = _why(request.demand, turn.host, turn.choices, rules.scorer.summary)
            placements[request.name] = Placement(request.name, request.flavor, turn.host.name, "create", why)


def _why(demand: Demand, state: HostState, choices: int, summary: str) -> str:
    if demand.host is not None:
        return "is the declared host"
    if choices == 1:
        return f"the only host that can take it ({room_text(state)} left)"
    return f"{summary} of {choices} hosts ({room_text(state)})"
