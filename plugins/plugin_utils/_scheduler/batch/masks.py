# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which hosts the static rules let pass, as bits: bit 0 is the first host.

What was removed by each rule is kept, since that is the explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..filters import Filter, dynamic_besides_room
from ..model import DIMENSIONS, Amounts, Demand
from ..state import HostState

_NOTHING = (0,) * len(DIMENSIONS)


@dataclass(frozen=True)
class Mask:
    """The hosts that passed, and those that each rule removed first."""

    passed: int
    removed: tuple[tuple[Filter, int], ...]


class Masks:
    """Asks static rules once for requests that differ only in size, group or the names by which others ask for them."""

    def __init__(self, states: Sequence[HostState], filters: Sequence[Filter]) -> None:
        """Take the hosts in order, and all rules."""
        self._states, self._filters = states, filters
        self._masks: dict[Demand, Mask] = {}
        self._totals: dict[Amounts, int] = {}
        for index, state in enumerate(states):
            total = tuple(state.host.total)
            self._totals[total] = self._totals.get(total, 0) | 1 << index
        self._listed: dict[int, list[int]] = {}

    def static(self, demand: Demand) -> Mask:
        """Return what the static rules say: none of them reads how much is asked for, nor the group."""
        key = replace(demand, amounts=_NOTHING, group=None, marks=())
        if key not in self._masks:
            self._masks[key] = self._asked(demand)
        return self._masks[key]

    def _asked(self, demand: Demand) -> Mask:
        left: list[int] = list(range(len(self._states)))
        removed = []
        for rule in self._filters:
            if not rule.is_static or not rule.applies(demand):
                continue
            out = [index for index in left if not rule.passes(self._states[index], demand)]
            if out:
                gone = set(out)
                removed.append((rule, bits(out)))
                left = [index for index in left if index not in gone]
        return Mask(bits(left), tuple(removed))

    def dynamic(self, demand: Demand) -> tuple[Filter, ...]:
        """Return the rules besides capacity whose answer changes with what is placed."""
        return dynamic_besides_room(self._filters, demand)

    def large_enough(self, amounts: Amounts) -> int:
        """Return the hosts whose totals are no smaller than what one instance takes."""
        mask = 0
        for total, hosts in self._totals.items():
            if all(amount <= whole for amount, whole in zip(amounts, total)):
                mask |= hosts
        return mask

    def indices(self, mask: int) -> list[int]:
        """Return the hosts of a mask in order."""
        if mask not in self._listed:
            self._listed[mask] = [index for index, bit in enumerate(bin(mask)[:1:-1]) if bit == "1"]
        return self._listed[mask]


def bits(indices: Sequence[int]) -> int:
    """Return a mask of hosts."""
    if not indices:
        return 0
    text = bytearray(b"0" * (max(indices) + 1))
    for index in indices:
        text[-1 - index] = 49
    return int(text, 2)
