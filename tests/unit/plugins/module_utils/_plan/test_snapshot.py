# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a declared snapshot takes."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ComputeError, ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing
from ansible_collections.kilonova.compute.plugins.module_utils._plan.snapshot import plan_snapshot
from ansible_collections.kilonova.compute.plugins.module_utils._plan.snapshot_chain import Chains
from ansible_collections.kilonova.compute.plugins.module_utils._plan.snapshot_intent import (
    DiskPlace,
    Scene,
    SnapshotIntent,
    Step,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    InstanceRecord,
    OwnedDisk,
    Rescue,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.retention import Retention
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot import (
    CREATE,
    DELETE,
    FINISH_REVERT,
    REVERT,
    Frozen,
    Snapshot,
    SnapshotSpec,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot_disk import DiskTraits, SnapshotTraits

RECORD = InstanceRecord(vcpus=1, memory_mb=64, disks=(OwnedDisk("vda", "p", "web-vda.qcow2"),))
LAYER = OwnedDisk("vda", "p", "web-vda.layer1.qcow2")
LAYERED = replace(RECORD, layers=(LAYER,))


def snapshot(name: str = "s1", created: int = 0, **more: t.Any) -> Snapshot:
    """Return a snapshot of ours, of the instance's own volume."""
    values: dict[str, t.Any] = {
        "external": True,
        "frozen": (Frozen("vda", "/p/web-vda.qcow2", "qcow2"),),
        "sources": (("vda", "/p/web-vda.qcow2"),),
        "record": replace(RECORD, begun=Begun(CREATE, target=name)),
    }
    return Snapshot(name, created, **{**values, **more})


INTERNAL = snapshot("i1", external=False, frozen=(), memory=True)


def scene(*parts: InstanceRecord | Snapshot, state: str = "running", saved: bool = False, **more: t.Any) -> Scene:
    """Return an instance with one disk, which lies on its newest layer."""
    record = next((part for part in parts if isinstance(part, InstanceRecord)), RECORD)
    snapshots = tuple(part for part in parts if isinstance(part, Snapshot))
    paths = ["/p/web-vda.qcow2", *(f"/p/{layer.volume}" for layer in record.layers)]
    frozen = {one.name: {place.target: place for place in one.frozen} for one in snapshots if one.external}
    values: dict[str, t.Any] = {
        "traits": SnapshotTraits((DiskTraits("vda", paths[-1], "qcow2"),), ("vda", "sda")),
        "chains": Chains({"vda": paths[-1]}, dict(zip(paths[1:], paths)), frozen),
        "layers": dict(zip(paths[1:], record.layers)),
        "places": {path: DiskPlace("p", "/p") for path in paths},
        "capacities": dict.fromkeys(paths, 2**30),
        "taken": frozenset(path.rpartition("/")[2] for path in paths),
    }
    existing = Existing(Machine("qemu", "web", record=record), state, state != "shutoff", saved)
    return Scene(existing, record, snapshots=snapshots, **{**values, **more})


def plan(where: Scene, state: str = "present", name: str = "s1", **more: t.Any) -> SnapshotIntent:
    """Return what a declaration comes to."""
    return plan_snapshot(SnapshotSpec("web", None, name, state, **more), where)


def told(intent: SnapshotIntent) -> list[str]:
    """Return its actions."""
    return [action.describe() for action in intent.plan.actions]


def first(intent: SnapshotIntent) -> InstanceRecord:
    """Return the record that is written before anything is done."""
    step = intent.plan.actions[0]
    assert isinstance(step, Step)
    assert step.record is not None
    return step.record


def test_a_new_snapshot_is_announced_with_its_volumes() -> None:
    """And what is left out of it is named to libvirt."""
    intent = plan(scene(), memory=True, description="d")
    assert told(intent) == [
        "create_disk web/web-vda.layer1.qcow2",
        "create_disk web/web-memory.layer2",
        "create_snapshot web/s1",
    ]
    assert first(intent).begun == Begun(CREATE, running=True, target="s1")
    assert [layer.volume for layer in first(intent).layers] == ["web-vda.layer1.qcow2", "web-memory.layer2"]
    step = intent.plan.actions[-1]
    assert isinstance(step, Step)
    assert (step.what.others, step.what.description) == (("sda",), "d")
    assert intent.finished == replace(first(intent), begun=None)
    assert intent.abandoned == RECORD


def test_what_is_there_is_left() -> None:
    """Nothing is to do, and what nobody needs of an interrupted run goes."""
    assert told(plan(scene(LAYERED, snapshot()))) == []
    more = replace(
        LAYERED, layers=(LAYER, OwnedDisk("vda", "p", "web-vda.layer2.qcow2")), begun=Begun(CREATE, target="s2")
    )
    where = replace(scene(more, snapshot()), chains=scene(LAYERED, snapshot()).chains)
    intent = plan(where)
    assert told(intent) == ["delete_disk web/web-vda.layer2.qcow2"]
    assert intent.finished == LAYERED
    gone = plan(replace(where, gone=frozenset({"/p/web-vda.layer2.qcow2"})))
    assert told(gone) == ["finish web"]
    assert gone.finished == LAYERED


def test_deleting_while_it_runs_and_while_it_is_off() -> None:
    """An instance that is off is held for the merge, and let go of before anything is deleted."""
    merge = ["merge_disk web/vda"]
    end = ["delete_snapshot web/s1", "delete_disk web/web-vda.layer1.qcow2"]
    intent = plan(scene(LAYERED, snapshot()), "absent")
    assert told(intent) == [*merge, *end]
    off = plan(scene(LAYERED, snapshot(), state="shutoff"), "absent")
    assert told(off) == ["start_held web", *merge, "stop_held web", *end]
    for one in (intent, off):
        assert first(one).begun == Begun(DELETE, target="s1")
        assert one.finished == RECORD
        assert one.abandoned is None
    assert told(plan(scene(), "absent")) == []
    assert told(plan(scene(RECORD, INTERNAL), "absent", "i1")) == ["delete_snapshot web/i1"]


def test_going_back_makes_all_before_it_gives_up_anything() -> None:
    """The present state goes last; with memory that is loaded instead of a boot."""
    intent = plan(scene(LAYERED, snapshot()), "reverted", discard_changes=True)
    assert told(intent) == [
        "create_disk web/web-vda.layer2.qcow2",
        "power_off web",
        "revert web/s1",
        "set_current web/s1",
        "start web",
        "delete_disk web/web-vda.layer1.qcow2",
    ]
    assert first(intent).begun == Begun(REVERT, running=True, target="s1")
    assert [layer.volume for layer in (intent.finished or RECORD).layers] == ["web-vda.layer2.qcow2"]
    off = plan(scene(LAYERED, snapshot(), state="shutoff"), "reverted", discard_changes=True)
    assert "start web" not in told(off)
    memory = snapshot(memory=True, memory_path="/p/m", state="paused")
    assert "restore_memory web/s1" in told(plan(scene(LAYERED, memory), "reverted", discard_changes=True))


def test_going_back_is_gone_on_with() -> None:
    """What was given up is not made again."""
    begun = Begun(FINISH_REVERT, running=True, target="s1")
    where = scene(replace(LAYERED, begun=begun), snapshot(), state="shutoff")
    assert told(plan(where, "reverted", discard_changes=True)) == ["set_current web/s1", "start web"]
    runs = scene(replace(LAYERED, begun=begun), snapshot())
    assert told(plan(runs, "reverted", discard_changes=True)) == ["set_current web/s1"]
    inside = plan(
        scene(replace(RECORD, begun=replace(begun, target="i1")), INTERNAL), "reverted", "i1", discard_changes=True
    )
    assert told(inside) == ["finish web"]


def test_going_back_to_an_internal_one_keeps_what_is_the_instances_own_by_now() -> None:
    """Libvirt brings the definition of then, which knows nothing of it."""
    more = OwnedDisk("vdb", "p", "more")
    now = replace(RECORD, disks=(*RECORD.disks, more))
    intent = plan(scene(now, INTERNAL), "reverted", "i1", discard_changes=True)
    assert told(intent) == ["revert web/i1"]
    assert (intent.finished or RECORD).disks == now.disks
    without = replace(INTERNAL, memory=False)
    assert told(plan(scene(now, without), "reverted", "i1", discard_changes=True)) == ["revert web/i1", "start web"]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (Retention("n", keep=2), ["n1", "n2"]),
        (Retention("n", keep=9), []),
        (Retention("n", seconds=65), ["n1", "n2"]),
        (Retention("n", keep=3, seconds=0), ["n1"]),
        (Retention("n", keep=1, seconds=75), ["n1"]),
        (Retention("x", keep=1), []),
    ],
)
def test_retention(rule: Retention, names: list[str]) -> None:
    """Those that no rule keeps, oldest first; the declared one counts and stays."""
    theirs = snapshot("n0", record=RECORD, external=False, frozen=())
    ours = [
        replace(
            INTERNAL, name=f"n{one}", created=10 * one, record=replace(RECORD, begun=Begun(CREATE, target=f"n{one}"))
        )
        for one in (1, 2, 3, 4)
    ]
    where = scene(RECORD, theirs, *ours, now=90.0)
    spec = SnapshotSpec("web", None, "n4", retention=rule)
    assert told(plan_snapshot(spec, where)) == [f"delete_snapshot web/{name}" for name in names]


def test_retention_passes_over_what_cannot_go() -> None:
    """And says so."""
    where = scene(LAYERED, snapshot("n1"), users={"/p/web-vda.qcow2": "volume other"})
    intent = plan(where, name="n2", retention=Retention("n", keep=1))
    assert told(intent)[-1] == "create_snapshot web/n2"
    assert "volume other lies on its state" in intent.warnings[0]


PFLASH = replace(scene().traits, pflash=True)
RAW = SnapshotTraits((DiskTraits("vda", "/p/web-vda.qcow2", "raw"),), ("vda",))
LOCKED = SnapshotTraits((DiskTraits("vda", "/p/web-vda.qcow2", "qcow2", encrypted=True),), ("vda",))
DEVICE = replace(scene().traits, host_devices=("PCI device 0000:01:00.0",))
LARGE = snapshot(memory=True, memory_path="/p/m", record=replace(RECORD, vcpus=2, begun=Begun(CREATE, target="s1")))


@pytest.mark.parametrize(
    ("where", "options", "words"),
    [
        (scene(saved=True, state="shutoff"), {}, "is suspended"),
        (scene(state="pmsuspended"), {}, "wake or stop it"),
        (scene(replace(RECORD, rescue=Rescue("vdz", "i", "d"))), {}, "is rescued"),
        (scene(replace(RECORD, shelved=True)), {}, "is shelved"),
        (scene(replace(RECORD, begun=Begun("rebuild"))), {}, "Action rebuild"),
        (scene(replace(RECORD, begun=Begun(DELETE, target="s1")), snapshot()), {"name": "s2"}, "Deleting snapshot s1"),
        (
            scene(replace(RECORD, begun=Begun(REVERT, target="s1")), snapshot()),
            {"name": "s2"},
            "Going back to snapshot s1",
        ),
        (scene(RECORD, snapshot(record=RECORD)), {"state": "absent"}, "not made by kilonova.compute"),
        (scene(LAYERED, snapshot()), {"type": "internal"}, "is there already, with type: external"),
        (scene(LAYERED, snapshot()), {"memory": True}, "is there already, with memory: false"),
        (scene(RECORD, INTERNAL), {}, "can't have both kinds"),
        (scene(LAYERED, snapshot()), {"name": "i", "type": "internal"}, "can't have both kinds"),
        (scene(traits=PFLASH), {"type": "internal"}, "take type: external"),
        (scene(traits=RAW), {"type": "internal"}, "has format raw"),
        (scene(traits=LOCKED), {}, "is encrypted"),
        (scene(traits=LOCKED), {"type": "internal"}, "is encrypted"),
        (scene(traits=DEVICE), {"memory": True}, "can't be saved with memory"),
        (scene(traits=DEVICE), {"type": "internal"}, "can't be saved with memory"),
        (scene(state="shutoff"), {"memory": True}, "is stopped and has none"),
        (scene(), {"type": "internal", "memory": False}, "of a running guest has its memory"),
        (scene(), {"disks": ("vdz",)}, "no disk vdz"),
        (scene(traits=SnapshotTraits()), {}, "nothing to snapshot"),
        (scene(traits=SnapshotTraits((DiskTraits("vda", "/x", "qcow2"),))), {}, "lies on /x"),
        (scene(places={}), {}, "No storage pool that runs"),
        (scene(agent=None), {"quiesce": True}, "no channel"),
        (scene(agent="disconnected"), {"quiesce": True}, "is disconnected"),
        (scene(agent="connected", state="paused"), {"quiesce": True}, "is paused"),
        (scene(), {"state": "reverted", "discard_changes": True}, "has no snapshot s1"),
        (scene(LAYERED, snapshot()), {"state": "reverted"}, "discard_changes"),
        (
            scene(replace(LAYERED, protected=True), snapshot()),
            {"state": "reverted", "discard_changes": True},
            "protected",
        ),
        (scene(LAYERED, LARGE), {"state": "reverted", "discard_changes": True}, "was larger"),
        (
            scene(LAYERED, replace(LARGE, record=snapshot().record), gone=frozenset({"/p/m"})),
            {"state": "reverted", "discard_changes": True},
            "is gone",
        ),
        (
            scene(LAYERED, snapshot(frozen=(Frozen("vdb", "/p/b", "raw"),))),
            {"state": "reverted", "discard_changes": True},
            "Disk vdb of instance web was taken away",
        ),
        (
            scene(LAYERED, snapshot(frozen=())),
            {"state": "reverted", "discard_changes": True},
            "does not have its disk vda",
        ),
        (
            scene(RECORD, replace(INTERNAL, sources=(("vda", "/p/other"),))),
            {"name": "i1", "state": "reverted", "discard_changes": True},
            "taken away or replaced",
        ),
        (
            scene(LAYERED, snapshot(), users={"/p/web-vda.qcow2": "volume x"}),
            {"state": "absent"},
            "volume x lies on its state",
        ),
    ],
)
def test_refusals(where: Scene, options: dict[str, t.Any], words: str) -> None:
    """Each says what stands against it."""
    with pytest.raises(ComputeError, match=words):
        plan(where, **options)


def test_an_interrupted_going_back_may_go_elsewhere() -> None:
    """What was given up is given up."""
    begun = Begun(FINISH_REVERT, running=True, target="s2")
    where = scene(replace(LAYERED, begun=begun), snapshot(), state="shutoff")
    assert "start web" in told(plan(where, "reverted", discard_changes=True))
    with pytest.raises(ConflictError):
        plan(where, "absent")
    with pytest.raises(SpecError):
        plan(where, "reverted")


CHECKPOINTS = ("kilonova-1-1-b1", "kilonova-1-2-b2")


def test_what_incremental_backups_need_goes_where_it_must() -> None:
    """Before going back, and where there is no guest before taking one; with a guest, libvirt carries it along."""
    running = scene(LAYERED, snapshot(), checkpoints=CHECKPOINTS)
    back = told(plan(running, "reverted", discard_changes=True))
    assert back[:2] == [f"delete_checkpoint web/{name}" for name in CHECKPOINTS]
    assert "delete_checkpoint" not in " ".join(told(plan(running, name="s2")) + told(plan(running, "absent")))
    off = scene(LAYERED, snapshot(), checkpoints=CHECKPOINTS[:1], state="shutoff")
    assert told(plan(off, name="s2"))[:3] == [
        "start_held web",
        f"delete_checkpoint web/{CHECKPOINTS[0]}",
        "stop_held web",
    ]
    assert told(plan(off, "reverted", discard_changes=True))[:3] == told(plan(off, name="s2"))[:3]
    gone = told(plan(off, name="n2", retention=Retention("", keep=1)))
    assert gone.count("start_held web") == gone.count("stop_held web") == 2
    assert gone.index("create_snapshot web/n2") < gone.index("merge_disk web/vda")


def test_other_peoples_checkpoints_are_not_deleted() -> None:
    """Where they are in the way, that is said."""
    with pytest.raises(ConflictError, match="checkpoint theirs"):
        plan(scene(LAYERED, snapshot(), checkpoints=("theirs",)), "reverted", discard_changes=True)
