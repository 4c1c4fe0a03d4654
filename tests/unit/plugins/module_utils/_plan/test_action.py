# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what actions take, in a small world where their steps are done, and end anywhere."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan import intent as steps
from ansible_collections.kilonova.compute.plugins.module_utils._plan.action import plan_action
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import plan_absent
from ansible_collections.kilonova.compute.plugins.module_utils._plan.intent import Base, Findings, Intent
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Action
from ansible_collections.kilonova.compute.plugins.module_utils._plan.rebuild import next_volume_name, rebuild_image
from ansible_collections.kilonova.compute.plugins.module_utils._plan.rescue import rescue_image
from ansible_collections.kilonova.compute.plugins.module_utils._spec.action import ActionSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Machine, OsBoot
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import Begun, InstanceRecord, OwnedDisk

MIB = 1024**2
ROOT, DATA = OwnedDisk("vda", "p", "web-vda.qcow2"), OwnedDisk("vdb", "p", "web-data.qcow2")
RECORD = InstanceRecord(flavor="tiny", disk_gb=1, image="old", image_digest="sha256:old", disks=(ROOT, DATA))
MACHINE = Machine(
    type="kvm",
    name="web",
    record=RECORD,
    os=OsBoot(boot_devices=("hd",)),
    disks=tuple(Disk(own.target, "virtio", source=f"/p/{own.volume}", format="qcow2") for own in (ROOT, DATA)),
)


@dataclass(frozen=True)
class World:
    """A host with one instance."""

    machine: Machine = MACHINE
    live: Machine | None = None
    saved: bool = False
    state: str = "running"
    volumes: frozenset[str] = frozenset({ROOT.volume, DATA.volume})
    extra: t.Mapping[str, t.Any] | None = None

    @property
    def record(self) -> InstanceRecord:
        """Return the record in the definition."""
        return self.machine.record or InstanceRecord()

    def existing(self) -> Existing:
        """Return the instance as the service finds it."""
        present = {disk.target: disk.source for disk in self.machine.disks}
        return Existing(
            machine=self.machine,
            state=self.state if self.live else "shutoff",
            active=self.live is not None,
            saved=self.saved,
            live=self.live,
            disks=tuple(
                OwnDisk(
                    target=own.target,
                    pool=own.pool,
                    volume=own.volume,
                    source=present.get(own.target),
                    strayed=own.target in present and present[own.target] != f"/p/{own.volume}",
                    missing=own.volume not in self.volumes,
                )
                for own in self.record.disks
            ),
        )

    def plan(self, spec: ActionSpec) -> Intent:
        """Plan an action, with its image where it needs one."""
        image_of = {"rescue": rescue_image, "rebuild": rebuild_image}.get(spec.action)
        name = image_of(spec, self.record) if image_of else None
        findings = Findings(pool=spec.pool or "p", taken=self.volumes, controllers=("pci:0",), **(self.extra or {}))
        if name is not None:
            findings = replace(findings, image=Base(name, f"sha256:{name}", MIB))
        return plan_action(spec, self.existing(), findings)

    def write(self, record: InstanceRecord | None) -> World:
        """Write the record, if there is one."""
        return self if record is None else replace(self, machine=replace(self.machine, record=record))

    def step(self, intent: Intent, action: Action) -> World:
        """Do one step."""
        own = intent.volumes.get(action.target.rsplit("/", maxsplit=1)[-1])
        changes: dict[str, dict[str, t.Any]] = {
            steps.STOP: {"live": None},
            steps.POWER_OFF: {"live": None},
            steps.START: {"live": self.machine, "saved": False, "state": "running"},
            steps.RESET: {"live": self.machine},
            steps.DISCARD_MEMORY: {"saved": False},
            steps.CREATE_DISK: {"volumes": self.volumes | {own.volume if own else ""}},
            steps.DELETE_DISK: {"volumes": self.volumes - {own.volume if own else ""}},
            steps.FINISH: {},
        }
        if action.verb in changes:
            return replace(self, **changes[action.verb])
        machine = replace(self.machine, record=intent.switched, disks=self.switched_disks(intent, action.verb))
        return replace(self, machine=machine)

    def switched_disks(self, intent: Intent, verb: str) -> tuple[Disk, ...]:
        """Return the disks of the definition that a switch writes."""
        disks = {disk.target: disk for disk in self.machine.disks}
        if verb in (steps.RESCUE, steps.REPLACE_DISK):
            assert intent.new is not None
            volume = intent.new.own.volume
            assert volume in self.volumes, "nothing leads to a disk that is not there"
            disks[intent.new.disk.target] = replace(intent.new.disk, source=f"/p/{volume}")
        elif verb == steps.UNRESCUE:
            assert self.record.rescue is not None
            assert disks.pop(self.record.rescue.target, None), "the way back is gone once"
        else:
            assert verb in (steps.SHELVE, steps.UNSHELVE)
        return tuple(disks[target] for target in sorted(disks))

    def turns(self, spec: ActionSpec) -> t.Iterator[World]:
        """Do an action and give the world before and after every write and step."""
        intent = self.plan(spec)
        world = self
        yield world
        if not intent.plan.changed:
            return
        world = world.write(intent.begin)
        yield world
        for action in intent.plan.actions:
            world = world.step(intent, action)
            yield world
        yield world.write(intent.finished)

    def after(self, spec: ActionSpec) -> World:
        """Do an action to its end."""
        return list(self.turns(spec))[-1]

    def verify(self) -> None:
        """Nothing may ever be lost or left over."""
        lying_on = {(disk.source or "").rsplit("/", maxsplit=1)[-1] for disk in self.machine.disks}
        assert lying_on <= self.volumes, "a disk of the definition is not there"
        assert self.volumes <= {own.volume for own in self.record.disks}, "a volume is nobody's"


OFF, ON = World(), World(live=MACHINE)
RESCUED, SHELVED = ON.after(ActionSpec("web", None, "rescue", image="fix")), ON.after(ActionSpec("web", None, "shelve"))
SPECS: dict[str, tuple[World, dict[str, t.Any]]] = {
    "reboot": (ON, {}),
    "hard": (ON, {"action": "reboot", "hard": True, "force": True}),
    "reset": (ON, {"force": True}),
    "rescue": (ON, {"image": "fix"}),
    "rescue-off": (OFF, {"action": "rescue"}),
    "unrescue": (RESCUED, {}),
    "rebuild": (ON, {"image": "new"}),
    "rebuild-off": (OFF, {"action": "rebuild"}),
    "shelve": (ON, {}),
    "shelve-off": (OFF, {"action": "shelve"}),
    "unshelve": (SHELVED, {}),
}
"""From where, and how."""


def case(name: str) -> tuple[World, ActionSpec]:
    """Return a world and an action in it."""
    world, options = SPECS[name]
    return world, spec_of(**{"action": name, **options})


def spec_of(action: str, **options: t.Any) -> ActionSpec:
    """Return an action."""
    return ActionSpec("web", None, action, **options)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_an_action_that_ends_anywhere_is_finished_by_the_same(name: str) -> None:
    """Whatever was the last turn, the next run gets where one run would have got, and loses and leaves nothing."""
    world, spec = case(name)
    whole = world.after(spec)
    assert whole.record.begun is None
    for turn in world.turns(spec):
        turn.verify()
        try:
            finished = turn.after(spec)
        except ConflictError:
            # A guest that is off can't be reset, nor rebooted softly unless that was what stopped it.
            assert name == "reset"
            continue
        finished.verify()
        assert finished.record.begun is None
        assert bool(finished.live) == bool(whole.live)
        if name not in ("rebuild", "rebuild-off"):
            assert finished == whole
        else:
            assert len(finished.volumes) == 2
            assert replace(finished.record, disks=()) == replace(whole.record, disks=())


@pytest.mark.parametrize("name", ["rescue", "rescue-off", "unrescue"])
@pytest.mark.parametrize("other", ["rescue", "unrescue"])
def test_a_rescue_that_ends_anywhere_can_go_either_way(name: str, other: str) -> None:
    """On to the rescue, or back to where it was."""
    world, spec = case(name)
    for turn in world.turns(spec):
        end = turn.after(spec_of(other))
        end.verify()
        assert end.record.begun is None
        assert (end.record.rescue is not None) == (other == "rescue")
        assert end.live is not None or (name == "rescue-off" and other == "unrescue")
        assert end.record.disks[:2] == (ROOT, DATA)
        assert len(end.volumes) == (3 if other == "rescue" else 2)
        assert not end.plan(spec_of(other)).plan.changed


@pytest.mark.parametrize("name", ["rescue", "unrescue", "rebuild"])
def test_an_instance_can_be_removed_at_any_turn(name: str) -> None:
    """All volumes that were made for it go with it."""
    world, spec = case(name)
    for turn in world.turns(spec):
        removal = plan_absent("web", None, turn.existing())
        gone = {change.before for change in removal.changes if change.path.endswith(".volume")}
        assert gone == turn.volumes


@pytest.mark.parametrize("name", ["rescue", "rebuild", "reboot"])
def test_what_failed_before_the_switch_is_taken_back(name: str) -> None:
    """The record is then what it was before."""
    world, spec = case(name)
    assert world.plan(spec).abandoned == world.record


def test_each_action_says_what_it_does() -> None:
    """In its steps and its changes."""
    shown = {name: [action.describe() for action in case(name)[0].plan(case(name)[1]).plan.actions] for name in SPECS}
    assert shown == {
        "reboot": ["stop web", "start web"],
        "hard": ["power_off web", "start web"],
        "reset": ["reset web"],
        "rescue": ["create_disk web/vdc", "stop web", "rescue web", "start web"],
        "rescue-off": ["create_disk web/vdc", "rescue web", "start web"],
        "unrescue": ["stop web", "unrescue web", "delete_disk web/vdc", "start web"],
        "rebuild": [
            "create_disk web/vda.next",
            "stop web",
            "replace_disk web/vda",
            "delete_disk web/vda.old",
            "start web",
        ],
        "rebuild-off": ["create_disk web/vda.next", "replace_disk web/vda", "delete_disk web/vda.old"],
        "shelve": ["stop web", "shelve web"],
        "shelve-off": ["shelve web"],
        "unshelve": ["unshelve web", "start web"],
    }
    world, spec = case("rebuild")
    assert [change.as_result() for change in world.plan(spec).plan.changes] == [
        {"path": "disks[vda].volume", "before": ROOT.volume, "after": "web-vda.2.qcow2", "effect": "recreate"},
        {"path": "image", "before": "old", "after": "new", "effect": "recreate"},
        {"path": "image_digest", "before": "sha256:old", "after": "sha256:new", "effect": "recreate"},
        {"path": "boot", "before": "present", "after": "new", "effect": "power_cycle"},
    ]
    shelved = ON.plan(spec_of("shelve")).plan.as_diff()
    assert (shelved["before"], shelved["after"]) == (
        "power_state: running\nshelved: False\n",
        "power_state: stopped\nshelved: True\n",
    )
    paused = replace(ON, state="paused").plan(spec_of("reboot")).plan.as_diff()
    assert (paused["before"], paused["after"]) == ("power_state: paused\n", "power_state: running\n")


def test_an_end_that_is_there_already_takes_nothing() -> None:
    """Rescued, not rescued, shelved, not shelved."""
    for world, action in ((RESCUED, "rescue"), (ON, "unrescue"), (SHELVED, "shelve"), (ON, "unshelve")):
        intent = world.plan(spec_of(action))
        assert not intent.plan.changed
        assert intent.finished is None


def test_where_an_end_was_left_by_hand_it_is_brought_back() -> None:
    """Off though rescued, running though shelved, running with the old devices though rescued."""
    off = replace(RESCUED, live=None)
    assert [action.verb for action in off.plan(spec_of("rescue")).plan.actions] == ["start"]
    stale = replace(RESCUED, live=MACHINE)
    assert [action.verb for action in stale.plan(spec_of("rescue")).plan.actions] == ["stop", "start"]
    running = replace(SHELVED, live=MACHINE)
    assert [action.verb for action in running.plan(spec_of("shelve")).plan.actions] == ["stop"]
    assert [action.verb for action in running.plan(spec_of("unshelve")).plan.actions] == ["unshelve"]


def interrupted(name: str, turn: int) -> World:
    """Return the world at a turn of an action."""
    world, spec = case(name)
    return list(world.turns(spec))[turn]


def without_image(disk_gb: int = 1) -> World:
    """Return an instance without an image, whose root disk was made for it if it is of some size."""
    return ON.write(replace(RECORD, image=None, image_digest=None, disk_gb=disk_gb))


@pytest.mark.parametrize(
    ("world", "spec", "words"),
    [
        (OFF, spec_of("reboot"), "is stopped and can't be rebooted softly"),
        (World(saved=True), spec_of("reboot"), "is suspended and can't be rebooted softly"),
        (ON, spec_of("reboot", hard=True), "Option force: a hard reboot of web, which is running,"),
        (World(live=MACHINE, state="paused"), spec_of("reboot", hard=True), "which is paused,"),
        (World(saved=True), spec_of("reboot", hard=True), "which is suspended,"),
        (ON, spec_of("reset"), "Option force: a reset of web"),
        (OFF, spec_of("reset", force=True), "is stopped and can't be reset"),
        (World(live=MACHINE, state="crashed"), spec_of("reset", force=True), "is crashed and can't be reset"),
        (World(live=MACHINE, state="crashed"), spec_of("rebuild"), "has crashed.*force: true to rebuild"),
        (World(saved=True), spec_of("rescue"), "is suspended, and rescue would lose"),
        (World(saved=True), spec_of("rebuild"), "is suspended, and rebuild would lose"),
        (replace(RESCUED, live=None, saved=True), spec_of("unrescue"), "unrescue would lose"),
        (RESCUED, spec_of("rescue", image="other"), "rescued with image fix already"),
        (RESCUED, spec_of("rebuild"), "is rescued; run action unrescue before rebuild"),
        (RESCUED, spec_of("shelve"), "is rescued"),
        (SHELVED, spec_of("reboot"), "is shelved; run action unshelve before reboot"),
        (SHELVED, spec_of("rebuild"), "is shelved"),
        (ON.write(replace(RECORD, begun=Begun("restore"))), spec_of("reboot"), "is being made from a backup"),
        (
            ON.write(replace(RECORD, begun=Begun("arrive", target="u"))),
            spec_of("reboot"),
            "run compute_migration again",
        ),
        (interrupted("rebuild", 2), spec_of("reboot"), "A rebuild of instance web was interrupted"),
        (interrupted("rescue", 2), spec_of("shelve"), "Action rescue of instance web was interrupted"),
        (interrupted("rebuild", 5), spec_of("rebuild", image="other"), "with image new was interrupted"),
        (interrupted("rescue", 2), spec_of("rescue", pool="q"), "left its disk in pool p"),
        (without_image(), spec_of("rebuild"), "Option image: instance web was made from none"),
        (without_image(), spec_of("rescue"), "Option image: instance web was made from none"),
        (ON, spec_of("rebuild", pool="q"), "Option pool: the root disk of web is in pool p"),
        (ON.write(replace(RECORD, protected=True)), spec_of("rebuild"), "is protected"),
        (ON.write(replace(RECORD, disks=())), spec_of("rebuild"), "has no root disk"),
        (without_image(disk_gb=0), spec_of("rebuild", image="new"), "has no root disk"),
        (ON.write(replace(RECORD, fleet="shop")), spec_of("reboot"), "belongs to fleet shop"),
        (replace(ON, extra={"has_snapshots": True}), spec_of("rebuild"), "has snapshots"),
        (
            replace(ON, volumes=ON.volumes | {"web-rescue.qcow2"}),
            spec_of("rescue"),
            "web-rescue.qcow2 is in pool p already",
        ),
    ],
)
def test_what_is_refused(world: World, spec: ActionSpec, words: str) -> None:
    """One sentence that says what stands against it and what would be right."""
    with pytest.raises((ConflictError, SpecError), match=words):
        world.plan(spec)


def test_a_disk_below_a_snapshot_is_not_replaced() -> None:
    """Nor is a rescue disk deleted then."""
    moved = tuple(replace(disk, source="/p/snapshot") for disk in MACHINE.disks)
    with pytest.raises(ConflictError, match="after a snapshot"):
        replace(ON, machine=replace(MACHINE, disks=moved)).plan(spec_of("rebuild"))
    disks = tuple(replace(disk, source="/p/s") if disk.target == "vdc" else disk for disk in RESCUED.machine.disks)
    with pytest.raises(ConflictError, match="after a snapshot"):
        replace(RESCUED, machine=replace(RESCUED.machine, disks=disks)).plan(spec_of("unrescue"))


def test_an_image_must_fit_the_declared_disk() -> None:
    """A disk that is as large as its image always does."""
    large = Findings(image=Base("new", "sha256:new", 1024**3 + 1), pool="p")
    with pytest.raises(SpecError, match="needs a disk of 2 GiB and instance web has 1 GiB"):
        plan_action(spec_of("rebuild"), ON.existing(), large)
    own_size = ON.write(replace(RECORD, disk_gb=0))
    new = plan_action(spec_of("rebuild"), own_size.existing(), large).new
    assert new is not None
    assert new.size_bytes == 1024**3 + 1


def test_another_image_replaces_that_of_an_interrupted_rebuild() -> None:
    """Before the disks are swapped; the disk that was begun is the one that is made again."""
    turn = interrupted("rebuild", 2)
    assert rebuild_image(spec_of("rebuild"), turn.record) == "new"
    end = turn.after(spec_of("rebuild", image="other"))
    assert end.record.image == "other"
    assert end.volumes == {"web-vda.2.qcow2", DATA.volume}
    assert end.live is not None


def test_a_lost_root_disk_is_rebuilt() -> None:
    """There is nothing left to delete."""
    lost = replace(OFF, volumes=frozenset({DATA.volume}))
    assert [action.verb for action in lost.plan(spec_of("rebuild")).plan.actions] == ["create_disk", "replace_disk"]


@pytest.mark.parametrize("bus", ["virtio", "scsi", "sata", "ide"])
@pytest.mark.parametrize("is_block", [False, True])
def test_a_rescue_disk_is_on_the_bus_of_the_root_disk(bus: str, is_block: bool) -> None:
    """A guest that boots from the one can boot from the other."""
    prefix = {"virtio": "vd", "ide": "hd"}.get(bus, "sd")
    record = replace(RECORD, disks=(replace(ROOT, target=f"{prefix}a"),))
    disk = Disk(f"{prefix}a", bus, source=f"/p/{ROOT.volume}", cache="none", discard="unmap")
    world = replace(OFF, machine=replace(MACHINE, record=record, disks=(disk,)), extra={"is_block": is_block})
    new = world.plan(spec_of("rescue")).new
    assert new is not None
    assert (new.disk.target, new.disk.bus, new.disk.cache, new.disk.discard) == (f"{prefix}b", bus, "none", "unmap")
    assert (new.disk.type, new.disk.format) == (("block", "raw") if is_block else ("file", "qcow2"))


def test_an_adopted_instance_is_rescued_on_the_bus_it_has() -> None:
    """Its disks are not ours; one without any is rescued on virtio."""
    record = replace(RECORD, image=None, disk_gb=0, disks=())
    disks = (Disk("hdc", "ide", device="cdrom"), Disk("sda", "sata", source="/elsewhere"))
    spec = spec_of("rescue", image="fix")
    adopted = replace(OFF, machine=replace(MACHINE, record=record, disks=disks)).plan(spec).new
    bare = replace(OFF, machine=replace(MACHINE, record=record, disks=())).plan(spec).new
    assert adopted is not None
    assert bare is not None
    assert (adopted.disk.target, adopted.disk.bus) == ("sdb", "sata")
    assert (bare.disk.target, bare.disk.bus) == ("vda", "virtio")


def test_a_full_bus_takes_no_rescue_disk() -> None:
    """There are no more names."""
    disks = tuple(Disk(f"vd{chr(letter)}", "virtio", source=f"/p/{ROOT.volume}") for letter in range(97, 123))
    with pytest.raises(ConflictError, match="no free place for another virtio disk"):
        replace(OFF, machine=replace(MACHINE, disks=disks)).plan(spec_of("rescue"))


@pytest.mark.parametrize(
    ("present", "following"),
    [
        ("web-vda.qcow2", "web-vda.2.qcow2"),
        ("web-vda.2.qcow2", "web-vda.3.qcow2"),
        ("web-vda.9.raw", "web-vda.10.raw"),
        ("web.5-vda.qcow2", "web.5-vda.2.qcow2"),
        ("web-vda", "web-vda.2"),
        ("taken.qcow2", "taken.4.qcow2"),
    ],
)
def test_volumes_are_numbered(present: str, following: str) -> None:
    """Names that are taken are left out."""
    assert next_volume_name(present, frozenset({"taken.2.qcow2", "taken.3.qcow2"})) == following
