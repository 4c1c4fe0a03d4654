# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a plan starts from, and what is decided on the way."""

from __future__ import annotations

from collections.abc import Sequence

from .explain import Refused
from .filters import default_filters
from .hidden import find_hidden
from .homes import find_homes, removed_guests, with_conflicts
from .model import Migration, Placement, Problem, Request, Score
from .names import natural_key
from .state import HostState, host_states
from .sticky import Resident, Watch, move_violators, stay


class Scene:
    """The hosts as they are once all that runs has been kept, or put right."""

    def __init__(self, problem: Problem) -> None:
        """Take what runs as given."""
        self.problem = problem
        hosts = sorted(problem.hosts, key=lambda host: natural_key(host.name))
        self.states: Sequence[HostState] = host_states(hosts)
        self.by_name = {state.name: state for state in self.states}
        self.hidden = find_hidden(hosts, problem.assume_down_hosts_empty)
        self.filters = default_filters(self.hidden, problem.rules, problem.fleet)
        self.placements: dict[str, Placement] = {}
        self.refused: dict[str, Refused] = {}
        self.migrations: list[Migration] = []
        self.has_made_room = False
        """Whether anything that runs is moved for what is new."""
        homes = find_homes(hosts, problem.fleet)
        self.removed = removed_guests(problem, homes, self.by_name)
        requests = sorted(with_conflicts(problem, hosts), key=lambda request: natural_key(request.name))
        self.new = [request for request in requests if request.name not in homes]
        self.residents = [
            Resident(request, homes[request.name][1], self.by_name[homes[request.name][0]])
            for request in requests
            if request.name in homes
        ]
        self._keep()

    def _keep(self) -> None:
        """Keep what runs; move what breaks its own rules if the user said so."""
        problem = self.problem
        for resident in self.residents:
            refused = stay(resident)
            if refused is None:
                request, name = resident.request, resident.state.name
                self.placements[resident.name] = Placement(
                    request.name, request.flavor, name, "keep", "is there already"
                )
            else:
                self.refused[resident.name] = refused
        watch = Watch(self.residents, self.filters)
        self.violations = [violation for _resident, violation in watch.violations()]
        if problem.fix_violations:
            for resident, move in move_violators(watch, self.states, self.filters, problem.policy == "pack"):
                self.migrate(resident, move)

    def migrate(self, resident: Resident, move: Migration) -> None:
        """Note that a resident moves."""
        self.refused.pop(resident.name, None)
        self.migrations.append(move)
        self.placements[resident.name] = Placement(
            resident.name, resident.request.flavor, move.host, "migrate", move.why, origin=move.origin
        )

    def movable(self) -> list[Resident]:
        """Return what is kept where it is and may be moved."""
        return [
            resident
            for resident in self.residents
            if resident.name in self.placements and self.placements[resident.name].action == "keep"
        ]

    def create(self, request: Request, host: str, why: str, score: Score | None) -> None:
        """Note where a request goes."""
        self.placements[request.name] = Placement(request.name, request.flavor, host, "create", why, score=score)

    def refuse(self, request: Request) -> None:
        """Note that a request goes nowhere."""
        self.refused[request.name] = Refused(request, request.demand, self.filters, None)
