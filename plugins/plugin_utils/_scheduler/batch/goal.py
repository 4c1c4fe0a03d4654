# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a batch aims at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from ..model import DIMENSIONS, Problem
from ..weighers import PACK, SPREAD, Policy, own_policy

_ROOM = ("cpu", "ram", "disk")
_SOFT = ("soft_affinity", "soft_anti_affinity")


@dataclass(frozen=True)
class Goal:
    """A policy, as far as a batch can follow it as a whole."""

    policy: str
    weights: tuple[int, ...] = (1,) * len(DIMENSIONS)
    """How much each dimension counts."""
    soft: tuple[int, int] = (1, 1)
    """How much each member of a soft group counts: of an affinity group, and of an anti-affinity group."""
    own: Policy | None = None
    """Weighers that look at more than room and groups, where users chose such: then each unit goes to the best host."""

    @property
    def is_pack(self) -> bool:
        """Tell whether few hosts are wanted."""
        return self.policy == PACK and self.own is None

    @property
    def summary(self) -> str:
        """Return what to tell people of a host that was chosen."""
        if self.own is not None:
            return f"{self.own.summary}, as weighed, of"
        return "fills few of" if self.is_pack else "most even use of"


def goal_of(problem: Problem) -> Goal:
    """Return what the problem asks for; Nova's policy is ours where what it chose is put right."""
    weights = dict(problem.rules.weights)
    known = {name: weights.pop(name, Fraction(1)) for name in _ROOM + _SOFT}
    is_ours = problem.policy in (SPREAD, PACK)
    if is_ours and (any(weights.values()) or min(known.values()) < 0):
        return Goal(problem.policy, own=own_policy(problem))
    if not is_ours or not any(known[name] for name in _ROOM):
        return Goal(problem.policy)
    scale = math.lcm(*(weight.denominator for weight in known.values()))
    numbers = {name: int(weight * scale) for name, weight in known.items()}
    affinity, anti_affinity = (numbers[name] for name in _SOFT)
    return Goal(problem.policy, tuple(numbers[name] for name in _ROOM), (affinity, anti_affinity))
