# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether what has no place could have one in another arrangement: proven, or not found."""

from __future__ import annotations

from collections import Counter

from .batch.board import Board
from .batch.units import Kind
from .certificate import Bounds
from .model import DIMENSIONS, Certificate, Demand, Engine, Verdict
from .scene import Scene


class Verdicts:
    """Judges a finished plan."""

    def __init__(self, scene: Scene, board: Board, bounds: Bounds, steps: int, engine: Engine) -> None:
        """Take the plan with the board that it was made on, how many exchanges were tried, and what planned."""
        self._scene, self._board, self._bounds, self._steps, self._engine = scene, board, bounds, steps, engine
        self._kinds: dict[str, Kind] = {}
        for unit in board.units.units:
            self._kinds.update((request.name, unit.kind) for request in unit.requests)
        self._known: dict[Kind, tuple[bool, str]] = {}

    def certificate(self, bounds: Bounds, unplaced: list[str]) -> Certificate:
        """Return the bound on hosts, and a verdict on everything that has no place."""
        counts: Counter[Kind] = Counter()
        for unit in self._board.units.units:
            placed = [self._scene.placements.get(request.name) for request in unit.requests]
            if all(item is not None and item.action == "create" for item in placed):
                counts[unit.kind] += 1
        least, proof = bounds.least_hosts(counts)
        used = sum(state.instances > 0 for state in self._scene.states)
        if self._scene.has_made_room:
            # The bounds hold with what runs staying where it was.
            least, proof = min(used, 1), "what runs was moved"
        elif self._engine.are_hosts_best:
            least, proof = used, "engine exact"
        return Certificate(used, least, proof, tuple(self._verdict(name, unplaced) for name in unplaced))

    def _verdict(self, name: str, unplaced: list[str]) -> Verdict:
        if self._scene.refused[name].home is not None:
            return Verdict(name, True, "it runs already, and what is asked of it can't be done where it is")
        kind = self._kinds[name]
        if kind not in self._known:
            self._known[kind] = self._judge(kind, unplaced)
        return Verdict(name, *self._known[kind])

    def _judge(self, kind: Kind, unplaced: list[str]) -> tuple[bool, str]:
        demand = kind.demands[0]
        if not self._board.masks.static(demand).passed:
            return True, "no host meets its rules, however much room there were"
        if not kind.mask:
            return True, f"no host that meets its rules is large enough: {self._nearest(demand)}"
        alone = self._short_alone(kind)
        if alone:
            return True, f"beside what runs already no host has {alone}"
        return self._apart(kind) or self._judge_all(unplaced)

    def _apart(self, kind: Kind) -> tuple[bool, str] | None:
        """Return the proof where an anti-affinity group has more members than places."""
        group, room = kind.demands[0].group, self._bounds.group_room(kind)
        if room is None or group is None:
            return None
        wanted = sum(
            len(other.units)
            for other in self._board.kinds
            if other.demands[0].group is not None and other.demands[0].group.name == group.name
        )
        if room >= wanted:
            return None
        hosts = "host takes" if room == 1 else "places are left for"
        return True, f"group {group.name} has {wanted} new members that stay apart, and {room} {hosts} them"

    def _judge_all(self, unplaced: list[str]) -> tuple[bool, str]:
        """Return what is known of all that is new together."""
        new = [name for name in unplaced if self._scene.refused[name].home is None]
        wanted = len(self._scene.new)
        most, short = self._bounds.most_placed()
        impossible = self._impossible(new)
        if wanted - len(new) < most:
            # The bound lets more hope, so that it proves nothing.
            short = "engine exact" if self._engine.are_placed_best else ""
        if short:
            return True, f"{len(new) - impossible} of {wanted - impossible} have no place in any arrangement: {short}"
        return False, f"no place was found in {self._steps} exchanges, and it is not proven that there is none"

    def _impossible(self, names: list[str]) -> int:
        """Return how many of those without a place have no room anywhere, each on its own."""
        counts = Counter(self._kinds[name] for name in names)
        return sum(number for kind, number in counts.items() if not self._bounds.is_possible(kind))

    def _short_alone(self, kind: Kind) -> str:
        """Return what no host has for a single request even if nothing else is placed; nothing if one may have it."""
        demand = kind.demands[0]
        if len(kind.demands) > 1:
            return ""
        if not self._bounds.is_possible(kind):
            return f"room for it, even with nothing else placed: {self._nearest(demand)}"
        hosts = [self._board.states[host] for host in self._board.masks.indices(kind.mask)]
        if demand.topology is None or any(host.topology.fits_alone(demand.topology) for host in hosts):
            return ""
        return "the CPUs, pages or devices for it, even with nothing else placed"

    def _nearest(self, demand: Demand) -> str:
        """Return what is needed and the most that a host has, of the dimension that is shortest."""
        masks = self._board.masks
        hosts = masks.indices(masks.static(demand).passed)
        texts = []
        for index, dimension in enumerate(DIMENSIONS):
            most = max(
                min(self._board.states[host].host.total[index], self._bounds.free(host)[index]) for host in hosts
            )
            if demand.amounts[index] > most:
                texts.append(f"needs {demand.amounts[index]} {dimension.unit}, {most} at most")
        return "; ".join(texts) or "no host has enough of everything at once"
