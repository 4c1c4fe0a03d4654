# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How many hosts have to be added for what is wanted."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..model import Host
from ..state import HostState, host_states
from .count import Counter

_MILLION = 1_000_000


@dataclass(frozen=True)
class Growth:
    """What is wanted, and what it takes."""

    now: Mapping[str, int]
    """How many of each flavor find a place on the hosts there are, all of the wanted ones together."""
    hosts_to_add: int
    lower_bound: int
    """With fewer it is impossible, however things are arranged."""
    impossible: tuple[str, ...]
    """The flavors that don't fit on such a host even when it is empty."""


def growth(hosts: Sequence[Host], like: Host, counters: Mapping[str, Counter], wanted: Mapping[str, int]) -> Growth:
    """Fill the hosts there are with the biggest first, and then new ones."""
    states = host_states([host for host in hosts if host.is_up and host.is_enabled])
    order = sorted(wanted, key=lambda name: (-_size(counters[name], like), name))
    left = dict(wanted)
    for state in states:
        _fill(state, order, counters, left)
    now = {name: wanted[name] - left[name] for name in wanted}
    empty = replace(
        like,
        name="new host",
        is_enabled=True,
        used=(0,) * len(like.used),
        guests=(),
        facts={**like.facts, "instances": []},
    )
    impossible = tuple(name for name in order if left[name] and not counters[name].number(HostState(empty)))
    for name in impossible:
        left[name] = 0
    bound = _bound(states, empty, counters, {name: wanted[name] for name in wanted if name not in impossible})
    added = 0
    while any(left.values()):
        added += 1
        _fill(HostState(empty), order, counters, left)
    return Growth(now, added, bound, impossible)


def _size(counter: Counter, like: Host) -> int:
    """Return the biggest part of an empty host that one takes."""
    capacity = like.limits.capacity(like.total)
    return max(amount * _MILLION // max(1, whole) for amount, whole in zip(counter.demand.amounts, capacity))


def _fill(state: HostState, order: Sequence[str], counters: Mapping[str, Counter], left: dict[str, int]) -> None:
    for name in order:
        if left[name]:
            number = min(left[name], counters[name].number(state))
            for _instance in range(number):
                state.place(counters[name].demand)
            left[name] -= number


def _bound(
    states: Sequence[HostState], empty: Host, counters: Mapping[str, Counter], wanted: t.Mapping[str, int]
) -> int:
    capacity = empty.limits.capacity(empty.total)
    # Filling has taken room on the states, so that what they had is looked up afresh.
    fresh = [HostState(state.host) for state in states]
    bounds = [0]
    for index, whole in enumerate(capacity):
        needed = sum(number * counters[name].demand.amounts[index] for name, number in wanted.items())
        short = needed - sum(max(0, state.free(index)) for state in fresh)
        if short > 0 and whole:
            bounds.append(-(-short // whole))
    return max(bounds)
