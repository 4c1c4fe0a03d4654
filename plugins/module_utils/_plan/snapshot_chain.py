# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What lies on what in an instance with external snapshots, and what it takes to forget one of these. Pure.

A snapshot froze what each disk lay on then, and the disk went over to a new volume on top. So a snapshot is no more than
a volume that nobody writes to. To forget it, what was written after it, in the volume right above, is merged down into it;
afterwards it holds the state of whatever the volume above held, be that the present or a later snapshot. Where nothing is
above, because the instance went back to an earlier snapshot since, it is just deleted.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from .._errors import ConflictError
from .._spec.snapshot import Frozen

_Places = t.Mapping[str, Frozen]


@dataclass(frozen=True)
class Merge:
    """Write the volume ``top`` down into ``base``, right below it; both are paths."""

    target: str
    base: Frozen
    top: str
    is_active: bool
    """The disk lies on ``top`` now."""
    moved: tuple[str, ...] = ()
    """Snapshots whose state ``top`` holds, and ``base`` after that."""


@dataclass(frozen=True)
class Chains:
    """What lies on what: ``active`` is where each disk lies, ``backing`` leads from a path to the one below."""

    active: t.Mapping[str, str]
    backing: t.Mapping[str, str]
    frozen: t.Mapping[str, _Places] = field(default_factory=dict)
    """By snapshot and target, where the state of then is."""

    def reachable(self) -> frozenset[str]:
        """Return all paths that the disks or any snapshot need."""
        roots = [*self.active.values(), *(place.path for places in self.frozen.values() for place in places.values())]
        return frozenset(path for root in roots for path in self._down(root))

    def without(self, snapshot: str) -> tuple[tuple[Merge, ...], Chains]:
        """Return what it takes to forget a snapshot, and what is left; raise :class:`ConflictError` where that can't be."""
        merges = []
        chains = replace(self, frozen={name: places for name, places in self.frozen.items() if name != snapshot})
        for target, place in sorted(self.frozen.get(snapshot, {}).items()):
            merge = chains.merge_of(snapshot, target, place)
            if merge is not None:
                merges.append(merge)
                chains = chains.merged(merge)
        return tuple(merges), chains

    def merged(self, merge: Merge) -> Chains:
        """Return what is left after a merge."""
        backing = {
            path: merge.base.path if below == merge.top else below
            for path, below in self.backing.items()
            if path != merge.top
        }
        frozen = {name: dict(places) for name, places in self.frozen.items()}
        for name in merge.moved:
            frozen[name][merge.target] = merge.base
        active = {**self.active, merge.target: merge.base.path} if merge.is_active else self.active
        return Chains(active, backing, frozen)

    def merge_of(self, snapshot: str, target: str, place: Frozen) -> Merge | None:
        """Return the merge that forgets a snapshot's state of one disk, ``self`` being without that snapshot."""
        active = self.active.get(target)
        if active == place.path:
            return None
        needed = self.reachable()
        above = sorted(path for path in needed if self.backing.get(path) == place.path)
        if self._named(target, place.path):
            # It is a later snapshot's by now, from below which nothing may be taken; what was not yet merged into it is
            # what nobody names: a run before was about to.
            unnamed = [path for path in above if path != active and not self._named(target, path)]
            return self._checked(snapshot, target, place, unnamed) if unnamed else None
        return self._checked(snapshot, target, place, above) if above else None

    def _checked(self, snapshot: str, target: str, place: Frozen, above: list[str]) -> Merge:
        active = self.active.get(target)
        top = above[0]
        if len(above) > 1:
            raise ConflictError(
                f"Snapshot {snapshot} can't be deleted: {self._users(above)} lie on its state of disk {target}, each on its"
                " own. Delete the others first."
            )
        if active is None or top not in self._down(active):
            raise ConflictError(
                f"Snapshot {snapshot} can't be deleted: {self._users(above)} lies on its state of disk {target}, and the"
                " present state does not, so that no guest could merge them. Delete that first."
            )
        return Merge(target, place, top, top == active, tuple(self._named(target, top)))

    def _named(self, target: str, path: str) -> list[str]:
        return sorted(name for name, places in self.frozen.items() if target in places and places[target].path == path)

    def _users(self, above: list[str]) -> str:
        """Return in words what needs each of the volumes."""
        words = []
        for top in above:
            names = {
                f"snapshot {name}"
                for name, places in self.frozen.items()
                for one in places.values()
                if top in self._down(one.path)
            }
            if any(top in self._down(path) for path in self.active.values()):
                names.add("the present state")
            words += sorted(names)
        return " and ".join(dict.fromkeys(words))

    def _down(self, path: str | None) -> list[str]:
        found: list[str] = []
        while path is not None and path not in found:
            found.append(path)
            path = self.backing.get(path)
        return found
