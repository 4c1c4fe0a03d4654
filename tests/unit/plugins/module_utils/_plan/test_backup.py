# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a declared backup takes."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    ComputeError,
    ConflictError,
    NotFoundError,
    SpecError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.backup import plan_backup, whole
from ansible_collections.kilonova.compute.plugins.module_utils._plan.backup_scene import (
    BackupIntent,
    BackupScene,
    BackupStep,
    NewBackup,
    Stored,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing
from ansible_collections.kilonova.compute.plugins.module_utils._spec.backup import BackupSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.backup_record import BackedDisk, BackupRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.checkpoint import Checkpoint, checkpoint_name
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instant import written
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    InstanceRecord,
    OwnedDisk,
    Rescue,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.retention import Retention
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot_disk import DiskTraits, SnapshotTraits
from hypothesis import given
from hypothesis import strategies as st

GIB = 2**30
RECORD = InstanceRecord(vcpus=1, memory_mb=64, disks=(OwnedDisk("vda", "p", "web-vda.qcow2"),))
VDA = DiskTraits("vda", "/p/web-vda.qcow2", "qcow2")
VDB = DiskTraits("vdb", "/p/data.raw", "raw")
NOW = 1_000_000


def stored(number: int, parent: int | None = None, **more: t.Any) -> Stored:
    """Return the backup of that number, taken as many seconds before or after the others."""
    name = f"b{number}"
    record = BackupRecord(
        instance="web",
        backup=name,
        uuid="u",
        created_at=written(NOW - 1000 + number),
        disks=(BackedDisk("vda", "qcow2", GIB, parent is not None, True), BackedDisk("vdb", "raw", GIB)),
        parent=None if parent is None else f"b{parent}",
        checkpoint=checkpoint_name("pool", number, name),
        complete=True,
    )
    lost = more.pop("lost", ())
    record = replace(record, **more)
    return Stored(name, record, volumes=(record.volume("vda"), record.volume("vdb")), lost=lost)


def scene(*backups: Stored, state: str = "running", saved: bool = False, **more: t.Any) -> BackupScene:
    """Return an instance with two disks, and a checkpoint of its newest backup."""
    values: dict[str, t.Any] = {"record": RECORD, "traits": SnapshotTraits((VDA, VDB), ("vda", "vdb", "sda")), **more}
    newest = [one.record for one in backups if one.complete is not None][-1:]
    known = tuple(Checkpoint(one.checkpoint or "", frozenset({"vda"})) for one in newest if one is not None)
    values = {"checkpoints": known, "capacities": {"vda": GIB, "vdb": GIB}, "trackable": frozenset({"vda"}), **values}
    existing = Existing(Machine("qemu", "web", record=values["record"]), state, state != "shutoff", saved)
    base = BackupScene({one.backup: one for one in backups}, "p", "pool", existing, "u", now=float(NOW))
    return replace(base, **values)


def plan(where: BackupScene, name: str = "new", state: str = "present", **more: t.Any) -> BackupIntent:
    """Return what a declaration comes to."""
    return plan_backup(BackupSpec("web", None, name, "p", Limits(1.0, 1.0, 1.0, 0, 0, 0), state, **more), where)


def told(intent: BackupIntent) -> list[str]:
    """Return its actions."""
    return [action.describe() for action in intent.plan.actions]


def made(intent: BackupIntent) -> NewBackup:
    """Return the backup that is to be made."""
    steps = [t.cast(BackupStep, step).what for step in intent.plan.actions if step.verb == "create_backup"]
    assert len(steps) == 1
    return t.cast(NewBackup, steps[0])


def test_a_tpm_is_told_while_its_keys_can_still_be_replaced() -> None:
    """Once, when the backup is taken."""
    assert plan(scene()).warnings == ()
    where = scene(traits=replace(scene().traits, tpm=True, pflash=True))
    (warning,) = plan(where).warnings
    assert "The state of the TPM of instance web is not in backup new" in warning


def test_the_first_one_is_full() -> None:
    """Of all disks, with a checkpoint on those that can have one."""
    new = made(plan(scene(), description="d", quiesce=False))
    assert new.record == BackupRecord(
        instance="web",
        backup="new",
        uuid="u",
        created_at=written(NOW),
        disks=(BackedDisk("vda", "qcow2", GIB, False, True), BackedDisk("vdb", "raw", GIB)),
        left_out=("sda",),
        checkpoint=checkpoint_name("pool", NOW, "new"),
        description="d",
    )
    assert new.since is None
    assert made(plan(scene(trackable=frozenset()))).record.checkpoint is None


def test_the_next_one_is_incremental() -> None:
    """On the newest, since its checkpoint, which is deleted afterwards, as are others of the pool and of nobody else."""
    old, other = Checkpoint("kilonova-pool-0-x"), Checkpoint("kilonova-else-1-b1")
    where = scene(stored(1), stored(2, 1))
    where = replace(where, checkpoints=(*where.checkpoints, old, other, Checkpoint("theirs")))
    intent = plan(where)
    new = made(intent)
    assert (new.record.parent, new.since) == ("b2", "kilonova-pool-2-b2")
    assert [disk.incremental for disk in new.record.disks] == [True, False]
    assert told(intent) == [
        "create_backup web/new",
        "delete_checkpoint web/kilonova-pool-2-b2",
        "delete_checkpoint web/kilonova-pool-0-x",
    ]
    assert intent.plan.changes[0].after == "incremental on b2"


FORGOTTEN = Checkpoint("kilonova-pool-2-b2")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (scene(), "no earlier backup"),
        (scene(stored(1, uuid="other")), "no earlier backup"),
        (scene(stored(1), stored(2, 1), checkpoints=()), "since backup b2"),
        (scene(stored(1), stored(2, 1), checkpoints=(FORGOTTEN,)), "written to disk vda"),
        (scene(stored(1, lost=("v",)), stored(2, 1)), "volume v of backup b1"),
        (scene(stored(2, 1)), "b1, below it, is not there"),
        (scene(stored(1), capacities={"vda": 2 * GIB, "vdb": GIB}), "written to disk vda"),
        (scene(stored(1), trackable=frozenset()), "compat 1.1"),
    ],
)
def test_where_nothing_remembers_it_is_full(where: BackupScene, words: str) -> None:
    """By auto; a user who wants no full one is told why."""
    new = made(plan(where))
    assert (new.record.parent, new.since) == (None, None)
    assert not any(disk.incremental for disk in new.record.disks)
    with pytest.raises(SpecError, match="type") as caught:
        plan(where, type="incremental")
    assert words in caught.value.message


def test_chains_end() -> None:
    """After so many, by auto alone; full ones are always wanted so."""
    where = scene(stored(1), stored(2, 1), stored(3, 2))
    assert made(plan(where, full_every=4)).record.parent == "b3"
    assert made(plan(where, full_every=3)).record.parent is None
    assert made(plan(where, full_every=3, type="incremental")).record.parent == "b3"
    assert made(plan(where, type="full")).record.parent is None


def test_what_is_there_is_left() -> None:
    """Nothing is to do; what no backup takes of checkpoints goes while there is a guest."""
    where = scene(stored(1))
    assert told(plan(where, "b1")) == []
    more = replace(where, checkpoints=(*where.checkpoints, Checkpoint("kilonova-pool-0-x")))
    assert told(plan(more, "b1")) == ["delete_checkpoint web/kilonova-pool-0-x"]
    assert told(plan(scene(stored(1), state="shutoff", checkpoints=more.checkpoints), "b1")) == []


@pytest.mark.parametrize(
    ("where", "more", "words"),
    [
        (scene(stored(1)), {"type": "incremental"}, "is full"),
        (scene(stored(1), stored(2, 1)), {"name": "b2", "type": "full"}, "is incremental"),
        (scene(stored(1)), {"disks": ("vda",)}, "with vda, vdb"),
        (scene(stored(1, uuid="other")), {}, "another instance"),
        (scene(stored(1, lost=("v",))), {}, "damaged"),
        (scene(Stored("b1", volumes=("v",))), {}, "without a record"),
        (replace(scene(stored(1)), existing=None), {}, "no instance web"),
        (scene(state="shutoff", saved=True), {}, "suspended"),
        (scene(record=replace(RECORD, begun=Begun("snapshot"))), {}, "was interrupted"),
        (scene(record=replace(RECORD, begun=Begun("restore"))), {}, "was interrupted"),
        (scene(record=replace(RECORD, rescue=Rescue("v", "i", "d"))), {}, "rescued"),
        (scene(job=frozenset({"/else"})), {}, "Another backup"),
        (scene(), {"disks": ("vdz",)}, "no disk vdz"),
        (scene(traits=SnapshotTraits()), {}, "nothing to back up"),
        (scene(traits=SnapshotTraits((replace(VDA, path="/else"),))), {}, "lies on /else"),
        (scene(agent=None), {"quiesce": True}, "guest_agent"),
        (scene(agent="disconnected"), {"quiesce": True}, "disconnected"),
    ],
)
def test_what_stands_against_it(where: BackupScene, more: dict[str, t.Any], words: str) -> None:
    """Is said in one sentence."""
    with pytest.raises(ComputeError) as caught:
        plan(where, **{"name": "b1", **more})
    assert words in caught.value.message


@pytest.mark.parametrize(
    "traits",
    [
        {"path": None},
        {"device": "lun"},
        {"format": "vdi"},
        {"shareable": True},
        {"encrypted": True},
        {"transient": True},
    ],
)
def test_disks_that_cant_be_in_one(traits: dict[str, t.Any]) -> None:
    """Are refused unless others are named."""
    where = scene(traits=SnapshotTraits((VDA, replace(VDB, **traits)), ("vda", "vdb")))
    with pytest.raises(SpecError, match="vdb of instance web"):
        plan(where)
    assert made(plan(where, disks=("vda",))).record.left_out == ("vdb",)


def test_an_instance_that_is_off_is_held() -> None:
    """For the backup, and for what is deleted of checkpoints."""
    intent = plan(scene(stored(1), state="shutoff"), quiesce=True)
    assert told(intent) == [
        "start_held web",
        "create_backup web/new",
        "delete_checkpoint web/kilonova-pool-1-b1",
        "stop_held web",
    ]
    record = made(intent).record
    assert (record.held, record.quiesced, record.parent) == (True, False, "b1")


def test_what_a_held_guest_turns_out_to_have_forgotten() -> None:
    """Is whole, and with it the backup where nothing else is incremental; a user who wants no full one is told."""
    new = made(plan(scene(stored(1), state="shutoff")))
    assert whole(new, {"vdb"}).record.parent == "b1"
    full = whole(new, {"vda"})
    assert (full.record.parent, full.since, full.record.disks[0].incremental) == (None, None, False)
    with pytest.raises(ConflictError, match="vda of instance web"):
        whole(replace(new, demanded=True), {"vda"})


REST = stored(5, 1, complete=False, quiesced=True)
AT_WORK = frozenset({"kilonova-backup-web@b5.vda.qcow2", "kilonova-backup-web@b5.vdb.qcow2"})


def test_what_killed_runs_left_goes() -> None:
    """But not what can't be told, or is of another, or is being made; and frozen file systems are thawed first."""
    strange, blank = Stored("b7", volumes=("x",)), Stored("b8", unwritten=True)
    theirs = stored(6, complete=False, uuid="other")
    where = scene(stored(1), REST, strange, blank, theirs, frozen=True)
    assert told(plan(where, "b1")) == ["thaw_filesystems web", "discard_backup web/b5", "discard_backup web/b8"]
    assert told(plan(where, "b5"))[:4] == [
        "thaw_filesystems web",
        "discard_backup web/b5",
        "discard_backup web/b8",
        "create_backup web/b5",
    ]
    assert told(plan(replace(where, job=AT_WORK, frozen=False), "b1")) == ["discard_backup web/b8"]


def test_what_is_being_made_is_waited_for() -> None:
    """By a run for that very backup; another is refused, and deleting it ends it."""
    where = scene(stored(1), REST, job=AT_WORK)
    assert told(plan(where, "b5")) == ["finish_backup web/b5", "delete_checkpoint web/kilonova-pool-1-b1"]
    with pytest.raises(ConflictError, match="Backup b5 of instance web is being made"):
        plan(where)
    assert told(plan(where, "b5", "absent")) == ["abort_backup web/b5", "discard_backup web/b5"]
    with pytest.raises(ConflictError, match="b5 holds only"):
        plan(where, "b1", "absent")


def test_deleting() -> None:
    """From the top, with its checkpoint if there is a guest; what is not there is fine, and the instance may be gone."""
    where = scene(stored(1), stored(2, 1))
    assert told(plan(where, "b2", "absent")) == ["delete_checkpoint web/kilonova-pool-2-b2", "delete_backup web/b2"]
    with pytest.raises(ConflictError, match="b2 holds only"):
        plan(where, "b1", "absent")
    assert told(plan(where, "b9", "absent")) == []
    gone = replace(where, existing=None, uuid="", checkpoints=())
    assert told(plan(gone, "b2", "absent")) == ["delete_backup web/b2"]
    frozen = scene(REST, frozen=True)
    assert told(plan(frozen, "b5", "absent")) == ["thaw_filesystems web", "discard_backup web/b5"]
    with pytest.raises(ConflictError, match="without a record"):
        plan(scene(Stored("b1", volumes=("v",))), "b1", "absent")


@given(st.data())
def test_retention_never_breaks_what_stays(data: st.DataObject) -> None:
    """Whatever lies on what: all that is kept, and the new one, can still be read, and what goes, goes from the top."""
    count = data.draw(st.integers(1, 8))
    parents = [data.draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(count)]
    backups = [stored(number, parent) for number, parent in enumerate(parents)]
    keep = data.draw(st.integers(1, 9))
    intent = plan(scene(*backups), "bnew", retention=Retention("b", keep), full_every=data.draw(st.integers(1, 9)))
    gone = [step.target.rpartition("/")[2] for step in intent.plan.actions if step.verb == "delete_backup"]
    left = {one.backup: one.record for one in backups if one.backup not in gone}
    left["bnew"] = made(intent).record
    assert all(one.parent in left for one in left.values() if one is not None and one.parent is not None)
    assert len(left) >= min(keep, count + 1)
    seen: set[str] = set()
    for name in gone:
        above = {f"b{number}" for number, parent in enumerate(parents) if f"b{parent}" == name}
        assert above <= seen
        seen.add(name)
    needed = {f"b{number}" for number in range(count)} - set(gone)
    newest = {f"b{number}" for number in range(count - min(count, keep - 1), count)}
    for name in needed - newest:
        assert any(one is not None and one.parent == name for one in left.values())


def test_an_instance_is_named_that_is_gone() -> None:
    """As what it is: not found."""
    with pytest.raises(NotFoundError):
        plan(BackupScene())
