# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what it takes to make an instance from a backup."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ComputeError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.backup_scene import (
    BackupIntent,
    BackupScene,
    BackupStep,
    Stored,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing
from ansible_collections.kilonova.compute.plugins.module_utils._plan.restore import Restored, RestoreScene, plan_restore
from ansible_collections.kilonova.compute.plugins.module_utils._spec.backup import BackupSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.backup_record import BackedDisk, BackupRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.lifecycle import Limits
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.nic import stable_mac
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import (
    Begun,
    FixedIp,
    InstanceRecord,
    OwnedDisk,
    Rescue,
    SeedRecord,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot_disk import SnapshotTraits

BACKUP = BackupRecord(
    instance="web",
    backup="b1",
    uuid="u",
    created_at="2026-11-23T05:00:00Z",
    disks=(BackedDisk("vda", "raw", 5), BackedDisk("vdb", "qcow2", 6)),
    left_out=("sda",),
    complete=True,
)
THEN = InstanceRecord(
    fleet="shop",
    flavor="tiny",
    vcpus=1,
    image="guest",
    protected=True,
    disks=(OwnedDisk("vdb", "p", "web-vdb.qcow2"),),
    attached=(OwnedDisk("vda", "p", "data"),),
    layers=(OwnedDisk("vda", "p", "layer"),),
    nics=("52:54:00:00:00:01",),
    fixed_ips=(FixedIp("52:54:00:00:00:01", "192.0.2.7", "lan"),),
    drives=("sda",),
    hostdevs=("0000:01:00.0",),
    isolated=True,
    adopted=True,
    seed=SeedRecord("sda", "p", "seed", "d"),
    shelved=True,
    rescue=Rescue("vdc", "i", "d"),
)
LIMITS = Limits(1.0, 1.0, 1.0, 0, 0, 0)
SPEC = BackupSpec("web", None, "b1", "p", LIMITS, "restored", restore_as="new", restore_pool="q")


def scene(**more: t.Any) -> RestoreScene:
    """Return the backup, with an instance on the way."""
    backups = BackupScene({"b1": Stored("b1", BACKUP)}, "p")
    return replace(RestoreScene(backups, THEN, 1, "/q", frozenset(), now=0.0), **more)


def existing(record: InstanceRecord | None) -> Existing:
    """Return an instance of the new name."""
    return Existing(Machine("qemu", "new", record=record), "shutoff", False)


def told(intent: BackupIntent) -> list[str]:
    """Return its actions."""
    return [action.describe() for action in intent.plan.actions]


def restored(intent: BackupIntent) -> Restored:
    """Return the instance to be made."""
    return t.cast(Restored, t.cast(BackupStep, intent.plan.actions[0]).what)


def test_what_is_in_no_backup_is_told() -> None:
    """As far as the instance of then had it."""
    lost = plan_restore(SPEC, scene(traits=SnapshotTraits(pflash=True, tpm=True))).warnings[1:]
    assert [
        words in warning for words, warning in zip(("boots what its disk has in EFI/BOOT", "an empty one"), lost)
    ] == [
        True,
        True,
    ]
    assert len(plan_restore(SPEC, scene()).warnings) == 1


def test_an_instance_is_made() -> None:
    """Defined first, with a record that says what is its own and what was begun; what is of the host is not."""
    intent = plan_restore(SPEC, scene())
    assert told(intent) == ["define new", "copy_disk new/vda", "copy_disk new/vdb", "finish new"]
    new = restored(intent)
    assert [(disk.source, disk.path) for disk in new.disks] == [
        ("kilonova-backup-web@b1.vda.qcow2", "/q/new-vda.raw"),
        ("kilonova-backup-web@b1.vdb.qcow2", "/q/new-vdb.qcow2"),
    ]
    assert new.macs == (stable_mac(None, "new", 0),)
    assert new.record == InstanceRecord(
        flavor="tiny",
        vcpus=1,
        image="guest",
        created_at="1970-01-01T00:00:00Z",
        # The one that was made for the instance is still the first.
        disks=(OwnedDisk("vdb", "q", "new-vdb.qcow2"), OwnedDisk("vda", "q", "new-vda.raw")),
        nics=new.macs,
        drives=("sda",),
        restored=BACKUP.key,
        begun=Begun("restore", target=BACKUP.key),
    )
    assert "sda" in intent.warnings[0]
    assert t.cast(BackupStep, intent.plan.actions[-1]).what == replace(new.record, begun=None)


def test_one_that_is_there_is_left_or_finished() -> None:
    """By what its record says."""
    record = restored(plan_restore(SPEC, scene())).record
    done = plan_restore(SPEC, scene(existing=existing(replace(record, begun=None)), taken=frozenset({"new-vda.raw"})))
    assert told(done) == []
    half = plan_restore(SPEC, scene(existing=existing(record), taken=frozenset({"new-vda.raw"})))
    assert told(half) == ["copy_disk new/vda", "copy_disk new/vdb", "finish new"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (scene(existing=existing(None)), "there is an instance new"),
        (scene(existing=existing(InstanceRecord(restored="web@b1 2020-01-01T00:00:00Z"))), "there is an instance new"),
        (scene(existing=existing(InstanceRecord(fleet="x", restored=BACKUP.key))), "there is an instance new"),
        (scene(taken=frozenset({"new-vdb.qcow2"})), "has a volume new-vdb.qcow2"),
        (scene(backups=BackupScene({"b1": Stored("b1", BACKUP, lost=("v",))}, "p")), "can't be restored: volume v"),
        (scene(backups=BackupScene({"b1": Stored("b1", BACKUP.unfinished())}, "p")), "there are: none"),
        (scene(backups=BackupScene({"b0": Stored("b0", replace(BACKUP, backup="b0"))}, "p")), "there are: b0"),
        (scene(backups=BackupScene({"b1": Stored("b1", volumes=("v",))}, "p")), "without a record"),
    ],
)
def test_what_stands_against_it(where: RestoreScene, words: str) -> None:
    """Is said before anything is made."""
    with pytest.raises(ComputeError) as caught:
        plan_restore(SPEC, where)
    assert words in caught.value.message
