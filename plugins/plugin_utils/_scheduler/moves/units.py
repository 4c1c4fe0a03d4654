# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is moved: one guest, or those of an affinity group that are on one host, which leave it together."""

from __future__ import annotations

from dataclasses import dataclass

from ..model import DIMENSIONS, Amounts, Demand, Guest

_MEMORY = [dimension.key for dimension in DIMENSIONS].index("memory_mb")
_DISK = [dimension.key for dimension in DIMENSIONS].index("disk_gb")


@dataclass(frozen=True, eq=False)
class Unit:
    """Guests that are moved together."""

    index: int
    guests: tuple[Guest, ...]
    demands: tuple[Demand, ...]
    home: int
    """The host that has them when the plan begins, by its number."""
    amounts: Amounts
    home_amounts: Amounts
    """What becomes free at home when they leave: less where the host counts less than its guests add up to."""
    kind: int
    """Units of equal kind ask for the same, so that each could be the other."""

    @property
    def fleet(self) -> str:
        """Return the fleet that they are in."""
        return self.guests[0].fleet or ""

    @property
    def memory_mb(self) -> int:
        """Return the MiB that a move carries."""
        return self.amounts[_MEMORY]

    @property
    def is_grouped(self) -> bool:
        """Tell whether it matters to its rules where it is now."""
        return any(demand.group for demand in self.demands)

    def taken(self, host: int) -> Amounts:
        """Return what of a host it takes while it is there."""
        return self.home_amounts if host == self.home else self.amounts

    def describe(self) -> str:
        """Return the names."""
        return " and ".join(guest.name for guest in self.guests)


@dataclass(frozen=True)
class Fixed:
    """A guest that is counted and never moved."""

    name: str
    fleet: str | None
    host: int
    why: str


def memory_of(guest: Guest) -> int:
    """Return a guest's MiB."""
    return guest.amounts[_MEMORY]


def disk_of(guest: Guest) -> int:
    """Return a guest's GiB."""
    return guest.amounts[_DISK]
