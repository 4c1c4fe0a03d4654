# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How much room there is: how many more of each flavor fit, what runs out first, which hosts may fail, what to add."""

from __future__ import annotations

import typing as t
from collections import Counter as Tally
from collections.abc import Mapping, Sequence

from ..._values import ValuesError, check_name, mapping, mappings, whole_number
from ..errors import ScheduleError
from ..intake.requests import read_requests
from ..model import DIMENSIONS, Demand, Guest, Host, Problem
from ..moves.question import CapacityQuestion
from ..moves.report import usage_rows
from ..moves.scene import Scene, move_filters, ordered_hosts, read_hosts_question, set_scene
from ..state import HostState, host_states
from .count import Count, Counter
from .failures import Failure, failures
from .growth import growth

_MOST_WANTED = 1_000_000


def capacity(question: CapacityQuestion) -> dict[str, t.Any]:
    """Return the figures, or raise :class:`ScheduleError` with one sentence."""
    problem = read_hosts_question(question)
    hosts = ordered_hosts(problem)
    try:
        flavors = _flavors(question.flavors, problem)
        wanted = _wanted(question.wanted, flavors)
        like = _like(question.new_host, hosts)
    except ValuesError as exc:
        raise ScheduleError(str(exc)) from exc
    scene = set_scene(problem, _foreign, are_tied=False)
    filters = move_filters(problem, problem.fleet)
    counters = {name: Counter(demand, filters) for name, demand in flavors.items()}
    return _figures(scene, counters, wanted, like)


def _foreign(guest: Guest, unused_host: int) -> str | None:
    return "is in no fleet" if guest.fleet is None else None


def _flavors(value: t.Any, problem: Problem) -> dict[str, Demand]:
    """Return what each flavor asks for; they are given by name or as a list."""
    if isinstance(value, dict):
        rows = [{**mapping(flavor, f"flavors.{name}"), "name": name} for name, flavor in value.items()]
    else:
        rows = mappings([] if value is None else value, "flavors")
    if not rows:
        raise ValuesError("flavors: there is none; give at least one, with vcpus, memory_mb and disk_gb.")
    instances = [{"name": check_name(row.get("name"), "flavors"), "flavor": row} for row in rows]
    requests = read_requests(instances, {host.name for host in problem.hosts}, problem.rules, False)
    return {request.name: request.demand for request in requests}


def _wanted(value: t.Any, flavors: Mapping[str, Demand]) -> dict[str, int]:
    wanted = mapping({} if value is None else value, "wanted")
    for name in wanted:
        if name not in flavors:
            raise ValuesError(f"wanted: {name!r} is not among the flavors; take some of {', '.join(flavors)}.")
    return {name: whole_number(number, f"wanted.{name}", 0, _MOST_WANTED) for name, number in wanted.items()}


def _like(name: t.Any, hosts: Sequence[Host]) -> Host | None:
    """Return the host that new ones are like: the biggest if none is named."""
    usable = [host for host in hosts if host.is_up]
    if name is None:
        return max(usable, key=lambda host: [host.limits.capacity(host.total)[i] for i in (1, 0, 2)], default=None)
    found = [host for host in usable if host.name == name]
    if not found:
        raise ValuesError(f"new_host: {name!r} is not a hypervisor that is up, so that its size is not known.")
    return found[0]


def _figures(
    scene: Scene, counters: Mapping[str, Counter], wanted: Mapping[str, int], like: Host | None
) -> dict[str, t.Any]:
    states = host_states(scene.hosts)
    counts = {name: [counter.count(state) for state in states] for name, counter in counters.items()}
    now = {index: tuple(counts[name][index].number for name in counters) for index in range(len(states))}
    lost = failures(scene, list(counters.values()), now)
    result: dict[str, t.Any] = {
        "flavors": {
            name: _flavor_row(states, counter, counts[name], [failure.numbers[position] for failure in lost])
            for position, (name, counter) in enumerate(counters.items())
        },
        "totals": _totals(states),
        "may_fail": [failure.host for failure in lost if not failure.homeless],
        "n_plus_1": all(not failure.homeless for failure in lost),
        "failures": {failure.host: _failure_row(failure) for failure in lost},
        "wanted": None,
        "hosts": usage_rows(states),
    }
    if wanted and like is not None:
        grown = growth(scene.hosts, like, counters, wanted)
        result["wanted"] = {
            "now": dict(grown.now),
            "missing": {name: wanted[name] - grown.now[name] for name in wanted},
            "new_host": like.name,
            "hosts_to_add": grown.hosts_to_add,
            "lower_bound": grown.lower_bound,
            "impossible": list(grown.impossible),
        }
    return result


def _flavor_row(
    states: Sequence[HostState], counter: Counter, counts: Sequence[Count], after_failures: Sequence[int]
) -> dict[str, t.Any]:
    stops = Tally(stop for count in counts for stop in count.stops)
    ordered = dict(sorted(stops.items(), key=lambda item: (-item[1], item[0])))
    number = sum(count.number for count in counts)
    return {
        **{dimension.key: amount for dimension, amount in zip(DIMENSIONS, counter.demand.amounts)},
        "now": number,
        "at_most": max(number, _bound(states, counter)),
        "after_failure": min(after_failures, default=0),
        "first": next(iter(ordered), None),
        "runs_out": ordered,
        "by_host": {state.name: count.number for state, count in zip(states, counts)},
        "stranded": _stranded(states, counter.demand, counts),
    }


def _bound(states: Sequence[HostState], counter: Counter) -> int:
    """Return how many fit at most, however the instances that are there may be moved."""
    inside = [state for state in states if state.host.is_up and state.host.is_enabled]
    # Rules on what else is there are left out, which only makes the bound higher.
    empty = sum(counter.most(state, state.capacity) for state in inside if counter.could(state))
    volumes = [
        sum(max(0, state.free(index)) for state in inside) // amount
        for index, amount in enumerate(counter.demand.amounts)
        if amount
    ]
    return min([empty, *volumes])


def _stranded(states: Sequence[HostState], demand: Demand, counts: Sequence[Count]) -> dict[str, int]:
    """Return what is left over once as many as possible are there."""
    return {
        dimension.key: sum(
            max(0, state.free(index) - count.number * demand.amounts[index])
            for state, count in zip(states, counts)
            if state.host.is_up and state.host.is_enabled
        )
        for index, dimension in enumerate(DIMENSIONS)
    }


def _totals(states: Sequence[HostState]) -> dict[str, dict[str, int]]:
    inside = [state for state in states if state.host.is_up and state.host.is_enabled]
    return {
        dimension.key: {
            "limit": sum(state.capacity[index] for state in inside),
            "used": sum(state.used[index] for state in inside),
            "free": sum(max(0, state.free(index)) for state in inside),
        }
        for index, dimension in enumerate(DIMENSIONS)
    }


def _failure_row(failure: Failure) -> dict[str, t.Any]:
    return {
        "fits": not failure.homeless,
        "instances": failure.instances,
        "homeless": [{"name": name, "fleet": fleet, "why": why} for name, fleet, why in failure.homeless],
        "foreign": list(failure.foreign),
    }
