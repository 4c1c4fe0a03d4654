# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how a move is planned, and of moves that end anywhere: one copy counts, and the next run gets there."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, NotFoundError
from ansible_collections.kilonova.compute.plugins.module_utils._plan import migration as verbs
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing
from ansible_collections.kilonova.compute.plugins.module_utils._plan.migration import (
    FRESH,
    HALF,
    THERE,
    Baggage,
    DiskMove,
    End,
    Ends,
    ImageMove,
    plan_move,
    plan_tidy,
    stage_of,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Plan
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.migration import (
    ARRIVE,
    COLD,
    LIVE,
    MIGRATE,
    MOVED,
    Destination,
    LiveOptions,
    MigrationSpec,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    FixedIp,
    InstanceRecord,
    OwnedDisk,
    SeedRecord,
)
from hypothesis import given
from hypothesis import strategies as st

DISK = OwnedDisk("vda", "default", "web-vda.qcow2")
RECORD = InstanceRecord(
    disks=(DISK,),
    seed=SeedRecord("vdz", "default", "web-seed.iso", "digest"),
    fixed_ips=(FixedIp("52:54:00:00:00:01", "192.0.2.7", "lan"), FixedIp("52:54:00:00:00:02", "192.0.2.8")),
)
SPEC = MigrationSpec("web", None, Destination("b"), None, LiveOptions(), Limits(4.0, 1.0, 1.0, 0, 512, 0))
UUIDS = {"a": "host-a", "b": "host-b"}


@dataclass(frozen=True)
class Copy:
    """What a host has of the instance; ``written`` is the newest write that its disks hold."""

    begun: Begun | None = None
    state: str = "shutoff"
    written: int = 0

    @property
    def existing(self) -> Existing:
        """Return it as the planner wants it."""
        machine = Machine(type="qemu", name="web", uuid="u", record=replace(RECORD, begun=self.begun))
        return Existing(machine, self.state, self.state != "shutoff")


def ends(source: Copy | None, target: Copy | None) -> Ends:
    """Return both hosts."""
    return Ends(*(End(uri, UUIDS[uri], copy.existing if copy else None) for uri, copy in zip("ab", (source, target))))


def baggage(mode: str) -> Baggage:
    """Return what is brought along."""
    disk = DiskMove(DISK, "qcow2", 1024, "/b/web-vda.qcow2")
    seed = DiskMove(OwnedDisk("vdz", "default", "web-seed.iso"), "raw", 1024, "/b/web-seed.iso")
    return Baggage(mode, RECORD, (disk,), seed, (ImageMove("debian", "debian", "default", "v"),))


MARKS = {action: Begun(action, running=True, target="host-b") for action in (MIGRATE, MOVED)}
ARRIVING = Begun(ARRIVE, running=True, target="host-a")
ELSEWHERE = Begun(MIGRATE, target="host-c")


@pytest.mark.parametrize(
    ("source", "target", "stage"),
    [
        (Copy(), None, FRESH),
        (Copy(state="running"), None, FRESH),
        (None, Copy(), THERE),
        (None, Copy(state="running"), THERE),
        (Copy(), Copy(ARRIVING), FRESH),
        (Copy(MARKS[MIGRATE]), Copy(ARRIVING), FRESH),
        (Copy(MARKS[MIGRATE]), None, FRESH),
        (Copy(MARKS[MIGRATE], "running"), Copy(ARRIVING), FRESH),
        (Copy(MARKS[MIGRATE], "running"), Copy(), FRESH),
        (Copy(MARKS[MIGRATE]), Copy(state="running"), HALF),
        (Copy(MARKS[MIGRATE]), Copy(), HALF),
        (Copy(MARKS[MIGRATE], "paused"), Copy(state="running"), HALF),
        (Copy(MARKS[MOVED]), Copy(ARRIVING), HALF),
        (Copy(MARKS[MOVED]), Copy(ARRIVING, "running"), HALF),
        (Copy(MARKS[MOVED]), Copy(state="running"), HALF),
        (Copy(), Copy(), FRESH),
    ],
)
def test_how_far_it_is(source: Copy | None, target: Copy | None, stage: str) -> None:
    """The marks at both hosts tell."""
    assert stage_of(SPEC, ends(source, target)) == stage


@pytest.mark.parametrize(
    ("source", "target", "kind", "words"),
    [
        (None, None, NotFoundError, "neither at a nor at b"),
        (None, Copy(ARRIVING), ConflictError, "left in the middle of a move"),
        (None, Copy(ARRIVING, "running"), ConflictError, "left in the middle of a move"),
        (Copy(ELSEWHERE), None, ConflictError, "the other host is host-c"),
        (Copy(Begun(ARRIVE, target="host-b")), Copy(), ConflictError, "run that again"),
        (Copy(MARKS[MIGRATE], "running"), Copy(ARRIVING, "running"), ConflictError, "beside the one that counts"),
        (Copy(MARKS[MIGRATE]), Copy(ARRIVING, "running"), ConflictError, "beside the one that counts"),
        (Copy(MARKS[MIGRATE], "running"), Copy(state="running"), ConflictError, "beside the one that counts"),
        (Copy(MARKS[MOVED], "running"), Copy(ARRIVING), ConflictError, "not touched"),
        (Copy(MARKS[MOVED]), None, ConflictError, "not touched"),
        (Copy(MARKS[MOVED]), Copy(Begun(ARRIVE, target="host-c")), ConflictError, "not touched"),
    ],
)
def test_what_the_user_must_decide(source: Copy | None, target: Copy | None, kind: type[Exception], words: str) -> None:
    """Where it can't be told which of two counts, neither is touched."""
    with pytest.raises(kind, match=words):
        stage_of(SPEC, ends(source, target))


def test_steps_of_a_live_move() -> None:
    """In this order: room, image, seed, addresses, disks, the move, and then what is left at the source."""
    plan = plan_move(SPEC, ends(Copy(state="running"), Copy(ARRIVING)), baggage(LIVE))
    assert [action.describe() for action in plan.actions] == [
        "discard_copy web",
        "define web",
        "fetch_image debian",
        "copy_seed web",
        "reserve_address web/52:54:00:00:00:01",
        "create_disk web/vda",
        "migrate web",
        "finish web",
        "delete_disk web/vda",
        "delete_disk web/vdz",
        "undefine web",
    ]


def test_steps_of_a_cold_move() -> None:
    """It is off while its disks are copied, and started before anything is removed."""
    running = plan_move(SPEC, ends(Copy(state="running"), None), baggage(COLD))
    shown = [action.verb for action in running.actions]
    assert shown[4:9] == ["stop", "copy_disk", "switch", "start", "finish"]
    off = plan_move(SPEC, ends(Copy(), None), baggage(COLD))
    assert [verb for verb in shown if verb not in ("stop", "start")] == [action.verb for action in off.actions]


def test_one_in_two_parts_goes_on() -> None:
    """Neither part is taken for the instance, whatever the marks say."""
    for target in (Copy(ARRIVING, "paused"), Copy(state="paused")):
        found = ends(Copy(MARKS[MIGRATE], "paused"), target)
        split = replace(found, source=replace(found.source, is_split=True))
        assert stage_of(SPEC, split) == verbs.SPLIT
        assert not verbs.is_in_doubt(split)
        shown = [action.verb for action in verbs.plan_go_on(SPEC, split, frozenset()).actions]
        assert shown == ["go_on", "finish", "delete_disk", "delete_disk", "undefine"]


@pytest.mark.parametrize("mode", [LIVE, COLD])
def test_what_both_hosts_have_stays(mode: str) -> None:
    """What lies in a pool that is the destination's as well is never deleted, in a run from the beginning or one that tidies up."""
    shared = frozenset({"default"})
    stays = Baggage(mode, RECORD, shared=shared)
    for plan in (
        plan_move(SPEC, ends(Copy(state="running"), None), stays),
        plan_tidy(SPEC, ends(Copy(MARKS[MOVED]), Copy()), shared),
        verbs.plan_go_on(SPEC, ends(Copy(MARKS[MIGRATE]), Copy()), shared),
    ):
        assert not any(plan.has(verb) for verb in (verbs.DELETE, verbs.CREATE, verbs.COPY, verbs.COPY_SEED))
        assert plan.actions[-1].verb == "undefine"


@pytest.mark.parametrize(
    ("source", "target", "is_so"),
    [
        (Copy(MARKS[MIGRATE], "running"), Copy(ARRIVING, "paused"), True),
        (Copy(MARKS[MIGRATE], "running"), Copy(state="paused"), True),
        (Copy(MARKS[MIGRATE], "paused"), Copy(state="running"), False),
        (Copy(MARKS[MIGRATE], "running"), Copy(ARRIVING), False),
        (Copy(MARKS[MOVED]), Copy(ARRIVING, "running"), False),
        (Copy(state="running"), None, False),
        (None, Copy(state="running"), False),
    ],
)
def test_what_is_waited_for(source: Copy | None, target: Copy | None, is_so: bool) -> None:
    """A guest at the destination beside the one that counts is about to come or to go."""
    assert verbs.is_in_doubt(ends(source, target)) is is_so


def test_one_that_was_switched_off_meanwhile_stays_off() -> None:
    """What is left of a move that had ended at the destination is only tidied up."""
    verbs_of = [action.verb for action in plan_tidy(SPEC, ends(Copy(MARKS[MOVED]), Copy())).actions]
    assert verbs_of == ["finish", "delete_disk", "delete_disk", "undefine"]
    arrived = plan_tidy(SPEC, ends(Copy(MARKS[MIGRATE], "paused"), Copy(state="running")))
    assert [action.verb for action in arrived.actions][:2] == ["power_off", "finish"]


class World:
    """Both hosts, and the steps done to them as libvirt would."""

    def __init__(self, running: bool) -> None:
        """Begin with the instance at the source."""
        self.hosts: dict[str, Copy | None] = {
            "a": Copy(state="running" if running else "shutoff", written=1),
            "b": None,
        }
        self.newest = 1

    def ends(self) -> Ends:
        """Return both."""
        return ends(self.hosts["a"], self.hosts["b"])

    def plan(self, mode: str) -> Plan:
        """Return what the next run does."""
        now = self.ends()
        stage = stage_of(SPEC, now)
        if stage == FRESH:
            chosen = mode if now.source.active else COLD
            return plan_move(SPEC, now, baggage(chosen))
        return plan_tidy(SPEC, now) if stage == HALF else Plan("instance web")

    def change(self, host: str, **changes: t.Any) -> None:
        """Change what a host has."""
        copy = self.hosts[host]
        assert copy is not None
        self.hosts[host] = replace(copy, **changes)

    def write(self) -> None:
        """Let the guest that runs write something."""
        for host, copy in self.hosts.items():
            if copy is not None and copy.state == "running":
                self.newest += 1
                self.change(host, written=self.newest)

    def perform(self, verb: str, running: bool) -> None:
        """Do a step."""
        marks = {
            verbs.DEFINE: Begun(MIGRATE, running=running, target="host-b"),
            verbs.SWITCH: Begun(MOVED, running=running, target="host-b"),
        }
        source = self.hosts["a"]
        written = source.written if source else 0
        if verb in marks:
            self.change("a", begun=marks[verb])
        if verb in (verbs.STOP, verbs.POWER_OFF, verbs.LIVE_MOVE):
            self.change("a", state="shutoff")
        if verb == verbs.COPY:
            assert source is not None
            assert source.state == "shutoff"
            self.change("b", written=written)
        self.perform_there(verb, running, written)

    def perform_there(self, verb: str, running: bool, written: int) -> None:
        """Do what else belongs to the step: at the destination, and at the end."""
        arriving = Copy(Begun(ARRIVE, running=running, target="host-a"))
        made = {verbs.DISCARD: None, verbs.DEFINE: arriving, verbs.LIVE_MOVE: Copy(state="running", written=written)}
        if verb in made:
            self.hosts["b"] = made[verb]
        elif verb == verbs.START:
            self.change("b", state="running")
        elif verb == verbs.FINISH:
            self.change("b", begun=None)
        elif verb == verbs.DELETE and self.hosts["a"]:
            self.change("a", written=0)
        elif verb == verbs.UNDEFINE:
            self.hosts["a"] = None


@given(st.booleans(), st.sampled_from([LIVE, COLD]), st.lists(st.integers(0, 12), max_size=6), st.booleans())
def test_moves_that_end_anywhere(running: bool, mode: str, deaths: list[int], writes: bool) -> None:
    """However often it is killed: never two guests, no write lost, and in the end it is there as it was."""
    world = World(running)
    for steps in (*deaths, 99):
        plan = world.plan(mode)
        was_running = verbs.runs(world.ends().source)
        for action in plan.actions[:steps]:
            world.perform(action.verb, was_running)
            if writes:
                world.write()
            states = [copy.state for copy in world.hosts.values() if copy is not None]
            assert states.count("running") <= 1
            assert world.newest in [copy.written for copy in world.hosts.values() if copy is not None]
    assert stage_of(SPEC, world.ends()) == THERE
    assert world.hosts == {"a": None, "b": Copy(state="running" if running else "shutoff", written=world.newest)}
