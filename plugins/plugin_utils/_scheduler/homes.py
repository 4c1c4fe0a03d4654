# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a fleet is on its hosts already, and who holds which names there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .errors import ScheduleError
from .model import Guest, Host, Problem, Removal, Request
from .names import natural_key
from .state import HostState

Homes = dict[str, tuple[str, Guest]]


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


def removed_guests(problem: Problem, homes: Homes, states: dict[str, HostState]) -> tuple[Removal, ...]:
    """Return what is no longer declared; its room is free if it is about to go."""
    declared = {request.name for request in problem.requests}
    gone = sorted((name for name in homes if name not in declared), key=natural_key)
    if problem.purge:
        for name in gone:
            states[homes[name][0]].forget(homes[name][1])
    return tuple(Removal(name, homes[name][0]) for name in gone)


def holder_text(guest: Guest) -> str:
    """Return who has a name, as the rest of a sentence about it."""
    return f"an instance of fleet {guest.fleet}" if guest.fleet else "a machine that is in no fleet"


def with_conflicts(problem: Problem, hosts: Sequence[Host]) -> list[Request]:
    """Return the requests, each with the hosts on which something else has its name."""
    holders: dict[str, list[tuple[str, str]]] = {}
    for host in hosts:
        for guest in host.guests:
            if guest.fleet != problem.fleet:
                holders.setdefault(guest.name, []).append((host.name, holder_text(guest)))
    return [
        (
            replace(request, demand=replace(request.demand, taken_on=tuple(holders[request.name])))
            if request.name in holders
            else request
        )
        for request in problem.requests
    ]
