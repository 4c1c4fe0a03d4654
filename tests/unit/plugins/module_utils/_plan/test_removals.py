# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which devices go."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.kilonova.compute.plugins.module_utils._plan.drift import DETACH
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import plan_present
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Plan
from ansible_collections.kilonova.compute.plugins.module_utils._plan.removals import with_leftovers
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Disk, Filesystem, Hostdev
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec, machine_of

MAC = "52:54:00:00:00:0a"
OLD = instance_spec(networks=[{"user": True, "mac": MAC}], volumes=[{"name": "data", "size_gb": 1}])
NEW = instance_spec(networks=[], volumes=[])
ROOT = OwnDisk("vda", "default", "web-1-vda.qcow2", "/pool/web-1-vda.qcow2", capacity_bytes=1024**3)
DATA = OwnDisk("vdb", "default", "data", "/pool/data", capacity_bytes=1024**3, is_root=False)
GUEST = machine_of(OLD)
OWN = replace(
    machine_of(OLD).record or InstanceRecord(), nics=(), disks=(OwnedDisk("vda", "default", "web-1-vda.qcow2"),)
)


def test_what_a_guest_is_yet_to_let_go_of_is_remembered() -> None:
    """Only of what it still has, and only where its place is not another's by now."""
    before = GUEST.record or InstanceRecord()
    kept = with_leftovers(OWN, before, GUEST)
    assert kept.nics == (MAC,)
    assert kept.attached == (OwnedDisk("vdb", "default", "data"),)
    assert with_leftovers(OWN, before, replace(GUEST, nics=(), disks=GUEST.disks[:1])) == OWN
    given = replace(GUEST, hostdevs=(Hostdev("0000:3b:00.1"),), filesystems=(Filesystem("src"),))
    kept = with_leftovers(OWN, replace(before, hostdevs=("0000:3b:00.1", "0000:3b:00.2"), shares=("src", "etc")), given)
    assert (kept.hostdevs, kept.shares) == (("0000:3b:00.1",), ("src",))
    reused = replace(OWN, attached=(OwnedDisk("vdb", "default", "other"),))
    assert with_leftovers(reused, before, GUEST).attached == reused.attached


def test_a_run_that_ended_before_the_guest_let_go_is_finished() -> None:
    """The definition is as declared already, and its record has forgotten; the guest's own record has not."""
    machine = replace(machine_of(NEW), uuid="u")
    existing = Existing(machine, "running", True, disks=(ROOT,), live=GUEST)
    desired = machine_of(NEW, existing=machine)
    plan, waiting = plan_present(NEW, desired, existing)
    assert [action.describe() for action in plan.actions] == [
        f"{DETACH} web-1/nic {MAC}",
        f"{DETACH} web-1/disk vdb",
    ]
    assert waiting == ()
    paused = replace(existing, state="paused")
    spec = instance_spec(networks=[], volumes=[], power_state="paused")
    assert plan_present(spec, desired, paused).waiting == ("disks[vdb]", f"nics[{MAC}]")


def test_what_is_not_declared_is_not_taken_away() -> None:
    """With neither networks nor volumes declared, the guest keeps what its definition is without."""
    machine = replace(machine_of(NEW), uuid="u")
    existing, spec = Existing(machine, "running", True, disks=(ROOT,), live=GUEST), instance_spec()
    assert plan_present(spec, machine_of(spec, existing=machine), existing) == (Plan("instance web-1"), ())


def test_a_drive_that_was_added_by_hand_stays() -> None:
    """Only drives whose discs were declared go, unless the disc in one of the others is declared."""
    made = machine_of(instance_spec(cdroms=["a.iso", "b.iso"]))
    by_hand = Disk("sdz", "sata", device="cdrom", source="/pool/hand.iso")
    machine = replace(made, uuid="u", disks=(by_hand, *made.disks))
    existing = Existing(machine, "shutoff", False, disks=(ROOT,))

    def paths(*discs: str) -> list[str]:
        spec = instance_spec(cdroms=list(discs), power_state="stopped")
        plan, _waiting = plan_present(spec, machine_of(spec, existing=machine), existing)
        return [change.path for change in plan.changes]

    assert paths("a.iso", "b.iso") == []
    assert paths() == ["disks[sda]", "disks[sdb]"]
    assert paths("hand.iso") == ["disks[sda]", "disks[sdb]"]
    assert paths("c.iso", "hand.iso") == ["disks[sda].source", "disks[sdb]"]
    # A disc stays in the drive it is in, and of two drives with one disc ours is the one that is meant.
    assert paths("b.iso", "a.iso") == []
    assert paths("c.iso", "a.iso") == ["disks[sdb].source"]
    machine = replace(machine, disks=(replace(by_hand, source=made.disks[-1].source), *made.disks))
    existing = replace(existing, machine=machine)
    assert paths("a.iso", "b.iso") == []


def test_a_volume_that_was_defined_and_not_plugged_in_is_plugged_in() -> None:
    """Of its declaration only the name is left to say, since it is in the definition."""
    machine = replace(machine_of(OLD), uuid="u")
    guest = replace(machine_of(NEW), record=machine.record)
    existing = Existing(machine, "running", True, disks=(ROOT,), live=guest)
    plan, waiting = plan_present(OLD, machine_of(OLD, existing=machine), replace(existing, disks=(ROOT, DATA)))
    assert [action.describe() for action in plan.actions] == ["attach web-1/disk vdb", f"attach web-1/nic {MAC}"]
    assert waiting == ()
