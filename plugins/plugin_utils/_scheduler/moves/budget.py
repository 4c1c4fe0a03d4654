# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How much may be moved."""

from __future__ import annotations

from dataclasses import dataclass

from .units import Unit


@dataclass
class Budget:
    """What is left to spend; a unit costs once, however often it is moved on, and nothing once it is home again."""

    max_moves: int | None
    max_mb: int | None
    moves: int = 0
    memory_mb: int = 0

    @property
    def is_limited(self) -> bool:
        """Tell whether there is any limit."""
        return self.max_moves is not None or self.max_mb is not None

    def allows(self, units: list[tuple[Unit, bool]]) -> bool:
        """Tell whether units may be moved; each comes with whether it is away from home already."""
        fresh = [unit for unit, is_away in units if not is_away]
        moves = self.moves + sum(len(unit.guests) for unit in fresh)
        memory_mb = self.memory_mb + sum(unit.memory_mb for unit in fresh)
        return (self.max_moves is None or moves <= self.max_moves) and (self.max_mb is None or memory_mb <= self.max_mb)

    def spend(self, unit: Unit, was_away: bool, is_away: bool) -> None:
        """Count a move."""
        number = int(is_away) - int(was_away)
        self.moves += number * len(unit.guests)
        self.memory_mb += number * unit.memory_mb
