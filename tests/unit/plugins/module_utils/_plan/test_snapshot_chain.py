# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of chains, in a small world of volumes with blocks: whatever is done, nobody's data is another than it was."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.snapshot_chain import Chains, Merge
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot import Frozen
from hypothesis import given, settings
from hypothesis import strategies as st

Blocks = dict[int, int]
BLOCKS = 4


@dataclass
class World:
    """One disk: volumes by path with what was written to each, and what each lies on."""

    written: dict[str, Blocks] = field(default_factory=lambda: {"image": {0: -1, 3: -2}, "disk": {}})
    backing: dict[str, str] = field(default_factory=lambda: {"disk": "image"})
    active: str = "disk"
    frozen: dict[str, Frozen] = field(default_factory=dict)
    expected: dict[str, Blocks] = field(default_factory=dict)
    """What each snapshot shows, and under "" the present."""
    count: int = 0

    def __post_init__(self) -> None:
        """Begin with what the image shows."""
        self.expected[""] = self.shown(self.active)

    def chains(self) -> Chains:
        """Return what the planner is told."""
        return Chains({"vda": self.active}, self.backing, {name: {"vda": place} for name, place in self.frozen.items()})

    def shown(self, path: str | None) -> Blocks:
        """Return what a guest would read."""
        found: Blocks = {}
        while path is not None:
            found = {**self.written[path], **found}
            path = self.backing.get(path)
        return found

    def over(self, below: str) -> None:
        """Have the disk go over to a new volume."""
        self.count += 1
        path = f"layer{self.count}"
        self.written[path], self.backing[path], self.active = {}, below, path

    def write(self, block: int, value: int) -> None:
        """Have the guest write."""
        self.written[self.active][block] = self.expected[""][block] = value

    def take(self, name: str) -> None:
        """Take a snapshot."""
        self.frozen[name] = Frozen("vda", self.active, "qcow2")
        self.expected[name] = dict(self.expected[""])
        self.over(self.active)

    def go_back(self, name: str) -> None:
        """Go back to a snapshot."""
        self.over(self.frozen[name].path)
        self.expected[""] = dict(self.expected[name])

    def merge(self, merge: Merge, until: int = 3) -> None:
        """Do a merge, or only so many of its parts."""
        if until >= 1:
            for name in merge.moved:
                self.frozen[name] = merge.base
        if until >= 2:
            # As QEMU does it, which can't commit what is not in its guest's chain.
            chain, path = [], t.cast("str | None", self.active)
            while path is not None:
                chain.append(path)
                path = self.backing.get(path)
            assert merge.top in chain
            assert self.backing[merge.top] == merge.base.path
            self.written[merge.base.path].update(self.written[merge.top])
            for path, below in self.backing.items():
                if below == merge.top and path in chain:
                    self.backing[path] = merge.base.path
            if merge.is_active:
                self.active = merge.base.path

    def collect(self) -> None:
        """Delete what nothing needs."""
        needed = self.chains().reachable()
        for path in set(self.written) - needed:
            assert path.startswith("layer")
            del self.written[path]
            self.backing.pop(path, None)

    def check(self) -> None:
        """Compare everybody's data with what it was."""
        assert self.shown(self.active) == self.expected[""]
        for name, place in self.frozen.items():
            assert self.shown(place.path) == self.expected[name], name


operations = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, BLOCKS - 1)),
        st.tuples(st.just("take"), st.just(0)),
        st.tuples(st.sampled_from(["back", "delete", "killed"]), st.integers(0, 5)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=300)
@given(operations, st.integers(0, 2))
def test_nobodys_data_changes(todo: list[tuple[str, int]], until: int) -> None:
    """Through any sequence, with deletions killed in any part of a merge and then done again."""
    world = World()
    for number, (verb, argument) in enumerate(todo):
        names = sorted(world.frozen)
        if verb == "write":
            world.write(argument, number)
        elif verb == "take":
            world.take(f"s{number:02}")
        elif names:
            name = names[argument % len(names)]
            if verb == "back":
                world.go_back(name)
            else:
                _delete(world, name, until if verb == "killed" else None)
        world.collect()
        world.check()


def _delete(world: World, name: str, until: int | None) -> None:
    """Delete a snapshot; first with the last merge killed after so many of its parts, where that is asked for."""
    try:
        merges, after = world.chains().without(name)
    except ConflictError:
        return
    if until is not None and merges:
        world.merge(merges[0], until)
        merges, after = world.chains().without(name)
    for merge in merges:
        world.merge(merge)
    del world.frozen[name]
    del world.expected[name]
    assert world.active == after.active["vda"]
    assert {one: place.path for one, place in world.frozen.items()} == {
        one: places["vda"].path for one, places in after.frozen.items()
    }
    assert after.reachable() == world.chains().reachable()


def test_what_two_lie_on_is_not_deleted() -> None:
    """The sentence names both."""
    world = World()
    for step in (lambda: world.take("s1"), lambda: world.take("s2"), lambda: world.go_back("s1")):
        step()
    with pytest.raises(ConflictError, match=r"s1 can.t be deleted: .*snapshot s2") as refused:
        world.chains().without("s1")
    assert "the present state" in refused.value.message


def test_what_the_guest_does_not_have_is_not_merged() -> None:
    """A branch that the instance left can't be merged by its QEMU."""
    world = World()
    for name in ("s1", "s2", "s3"):
        world.take(name)
    world.go_back("s1")
    with pytest.raises(ConflictError, match="s2 can't be deleted: snapshot s3 lies on its state of disk vda"):
        world.chains().without("s2")
