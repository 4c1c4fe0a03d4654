# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Runs that die at any call while snapshots are made, deleted and gone back to: the same run again finishes.

The guest boots nothing, so what lies on its disks is written and read beside it, with QEMU's own tool.
"""

from __future__ import annotations

import subprocess
import typing as t

import pytest

from .conftest import Hypervisor
from .killing import Runs
from .subjects import FLAVOR, SWITCHED_OFF, removed_after, said
from .test_snapshot import Guest, own

FIRST, SECOND = "0x11", "0x22"
RUNNING, OFF = "running", "shut off"


class Blank(Guest):
    """A guest that runs from the first moment and writes nothing."""

    def __init__(self, host: Hypervisor, name: str, runs: Runs) -> None:
        """Begin with two disks."""
        super().__init__(host, name, runs, image=None, flavor=FLAVOR, networks=[])

    def switch(self, state: str) -> None:
        """Have it run or be off, by hand."""
        if self.state != state:
            self.host.virsh("start" if state == RUNNING else "destroy", self.name)

    def brought(self, snapshot: str, state: str = "present", **options: t.Any) -> None:
        """Have a snapshot there or not, whatever was before."""
        result = self.snapshot(snapshot, state=state, **options)
        assert not result.failed, result.message

    def fill(self, pattern: str) -> None:
        """Write to both disks while it is off."""
        for path in self.disks("--inactive").values():
            self._tool(path, "-c", f"write -q -P {pattern} 0 64k")

    def has(self, pattern: str) -> None:
        """See what is on both disks, through all that they lie on."""
        for path in self.disks("--inactive").values():
            self._tool("-U", "-r", path, "-c", f"read -q -P {pattern} 0 64k")

    @staticmethod
    def _tool(*arguments: str) -> None:
        done = subprocess.run(["qemu-io", "-f", "qcow2", *arguments], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs() -> t.Iterator[Runs]:
    """Return what runs the modules."""
    with Runs("compute_instance", "compute_snapshot") as opened:
        yield opened


@pytest.fixture(scope="module")
def blank(shared_host: Hypervisor, runs: Runs) -> t.Iterator[Blank]:
    """Return the guest of all these tests."""
    guest = Blank(shared_host, "t-blank", runs)
    with removed_after(guest):
        said(guest.attempt())
        yield guest


def begin_nothing(guest: Blank, state: str) -> None:
    """Have no snapshots, and the first pattern on the disks."""
    for name in ("s2", "s1"):
        guest.brought(name, "absent")
    guest.switch(OFF)
    guest.fill(FIRST)
    guest.switch(state)
    assert guest.files() == own(guest)


def begin_one(guest: Blank, state: str, **options: t.Any) -> None:
    """Have one snapshot with the first pattern, and the second pattern written since."""
    begin_nothing(guest, state)
    guest.brought("s1", **options)
    guest.switch(OFF)
    guest.fill(SECOND)
    guest.switch(state)


def begin_two(guest: Blank, state: str) -> None:
    """Have two snapshots, one over the other."""
    begin_one(guest, state)
    guest.brought("s2")


class Case(t.NamedTuple):
    """What is begun with, what is killed, and what is there after the same run again."""

    begin: t.Callable[[Blank], None]
    snapshot: str
    options: dict[str, t.Any]
    listed: list[str]
    layers: int
    """Volumes beside the instance's own."""
    pattern: str
    state: str


MEMORY: dict[str, t.Any] = {"memory": True}
INTERNAL: dict[str, t.Any] = {"type": "internal"}
GONE: dict[str, t.Any] = {"state": "absent"}
BACK: dict[str, t.Any] = {"state": "reverted", "discard_changes": True}
CASES = {
    "take-memory": Case(lambda guest: begin_nothing(guest, RUNNING), "s1", MEMORY, ["s1"], 3, FIRST, RUNNING),
    "delete-below": Case(lambda guest: begin_two(guest, RUNNING), "s1", GONE, ["s2"], 2, SECOND, RUNNING),
    "delete-off": Case(lambda guest: begin_one(guest, OFF), "s1", GONE, [], 0, SECOND, OFF),
    "revert-memory": Case(lambda guest: begin_one(guest, RUNNING, **MEMORY), "s1", BACK, ["s1"], 3, FIRST, RUNNING),
    "revert-internal": Case(
        lambda guest: begin_one(guest, RUNNING, **INTERNAL), "s1", BACK, ["s1"], 0, FIRST, "running"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_run_finishes(blank: Blank, runs: Runs, case: Case) -> None:
    """Nothing of the guest's is lost, no volume is left over, and its declaration has nothing to add."""
    wanted: dict[str, t.Any] = {"uri": blank.host.uri, "name": blank.name, "snapshot": case.snapshot, **case.options}
    for death in runs.killed_here_and_there("compute_snapshot", lambda: case.begin(blank), **wanted):
        assert not runs.run("compute_snapshot", **wanted).done.failed
        assert blank.listed() == case.listed, death
        assert len(blank.files() - own(blank)) == case.layers, death
        assert own(blank) <= blank.files(), death
        assert blank.state == case.state, death
        blank.has(case.pattern)
        again = blank.attempt(check=True, power_state="running" if case.state == RUNNING else "stopped")
        assert (again.failed, again.data["instance"]["actions"]) == (False, []), death
        if case.options is not BACK:
            assert not runs.run("compute_snapshot", **wanted).done.changed
    assert runs.calls


def test_the_instance_can_go(blank: Blank, runs: Runs) -> None:
    """Whatever a run that died while it took a snapshot left: with the instance all of it goes."""
    wanted: dict[str, t.Any] = {"uri": blank.host.uri, "name": blank.name, "snapshot": "s1", "memory": True}
    begin_nothing(blank, RUNNING)
    for death in runs.killed_here_and_there("compute_snapshot", lambda: said(blank.attempt()), **wanted):
        gone = runs.run("compute_instance", uri=blank.host.uri, name=blank.name, state="absent", **SWITCHED_OFF)
        assert gone.done.changed, death
        assert blank.name not in blank.host.domains()
        assert blank.files() == set(), death
