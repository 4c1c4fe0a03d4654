# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the decisions about an instance."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import Manner, plan_absent
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import plan_present as look_ahead
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Plan
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import platform_of
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instance import InstanceSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Serial
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import (
    FLAVOR,
    instance_spec,
    machine_of,
)

GIB = 1024**3
VDA = OwnDisk("vda", "default", "web-1-vda.qcow2", "/pool/web-1-vda.qcow2", capacity_bytes=GIB)


def found(spec: InstanceSpec, **changes: t.Any) -> Existing:
    """Return the instance as it is on a host after it was made."""
    machine = replace(machine_of(spec), uuid="u")
    return replace(Existing(machine, "running", True, disks=(VDA,), live=machine), **changes)


def plan_present(spec: InstanceSpec, desired: t.Any, existing: Existing | None) -> Plan:
    """Return the plan alone."""
    return look_ahead(spec if existing else spec.completed(), desired, existing).plan


def waiting_for_boot(spec: InstanceSpec, existing: Existing) -> tuple[str, ...]:
    """Return what the plan leaves to the next boot."""
    return look_ahead(spec, machine_of(spec, existing=existing.machine), existing).waiting


def verbs(plan: t.Any) -> list[str]:
    """Return the verbs of a plan."""
    return [action.verb for action in plan.actions]


def test_a_new_instance_is_defined_before_its_disk_is_made() -> None:
    """The definition is the claim and the record of what a killed run leaves."""
    spec = instance_spec()
    plan = plan_present(spec, machine_of(spec), None)
    assert verbs(plan) == ["define", "create_disk", "start"]
    assert plan.as_diff()["before"] == ""
    assert "image: tiny" in plan.as_diff()["after"]


def test_a_stopped_instance_is_not_started() -> None:
    """power_state stopped leaves out the start."""
    spec = instance_spec(power_state="stopped")
    assert verbs(plan_present(spec, machine_of(spec), None)) == ["define", "create_disk"]


def test_second_run_plans_nothing() -> None:
    """An instance as declared needs nothing."""
    spec = instance_spec(networks=[{"user": True}], graphics={"type": "none"}, metadata={"tier": "web"})
    existing = found(spec)
    assert not plan_present(spec, machine_of(spec, existing=existing.machine), existing).changed


def test_an_interrupted_creation_is_finished() -> None:
    """A domain whose disk was never made gets its disk and is started."""
    spec = instance_spec()
    existing = found(spec, state="shutoff", active=False, live=None, disks=(replace(VDA, missing=True),))
    plan = plan_present(spec, machine_of(spec, existing=existing.machine), existing)
    assert verbs(plan) == ["create_disk", "start"]


def test_more_memory_waits_for_the_next_boot_of_a_running_guest() -> None:
    """The definition changes now, the guest later, and the result says so."""
    old = instance_spec()
    new = instance_spec(flavor={**FLAVOR, "memory_mb": 256})
    existing = found(old)
    desired = machine_of(new, existing=existing.machine)
    plan = plan_present(new, desired, existing)
    assert verbs(plan) == ["update"]
    assert ("memory_mb", 128, 256, "next_boot") in [
        (change.path, change.before, change.after, change.effect) for change in plan.changes
    ]
    assert waiting_for_boot(new, existing)


def test_a_guest_started_before_the_change_still_requires_a_restart() -> None:
    """The run after the change plans nothing and still says that a restart is due, whatever it was that changed."""
    spec = instance_spec(flavor={**FLAVOR, "memory_mb": 256}, boot={"menu": True})
    for old in (instance_spec(boot={"menu": True}), instance_spec(flavor={**FLAVOR, "memory_mb": 256})):
        existing = found(spec, live=replace(machine_of(old), record=machine_of(spec).record))
        plan = plan_present(spec, machine_of(spec, existing=existing.machine), existing)
        assert not plan.changed
        assert waiting_for_boot(spec, existing)
    assert not waiting_for_boot(spec, found(spec))


def test_a_shrunken_balloon_is_no_change() -> None:
    """What the guest gives back for a while is not drift."""
    spec = instance_spec()
    existing = found(spec, live=replace(machine_of(spec), current_memory_kib=65536))
    assert not waiting_for_boot(spec, existing)
    assert not plan_present(spec, machine_of(spec, existing=existing.machine), existing).changed


def test_saved_memory_keeps_the_old_hardware() -> None:
    """A guest that goes on from its saved memory has not booted."""
    new = instance_spec(flavor={**FLAVOR, "memory_mb": 256})
    existing = found(instance_spec(), state="shutoff", active=False, saved=True, live=None)
    desired = machine_of(new, existing=existing.machine)
    plan = plan_present(new, desired, existing)
    assert verbs(plan) == ["start", "update"]
    assert {change.effect for change in plan.actions[1].changes} == {"next_boot"}
    assert waiting_for_boot(new, existing)


def test_a_saved_guest_gets_its_memory_when_it_goes_on() -> None:
    """Its definition was changed while it slept, and its balloon was not."""
    spec = instance_spec()
    asleep = found(spec, state="shutoff", active=False, saved=True)
    existing = replace(asleep, live=replace(asleep.machine, current_memory_kib=65536))
    assert verbs(plan_present(spec, machine_of(spec, existing=existing.machine), existing)) == ["start", "set_memory"]


@pytest.mark.parametrize(
    ("changes", "cycles", "expected", "waits"),
    [
        ({}, False, ["start", "update", "attach"], False),
        ({"power_state": "paused"}, False, ["start_paused", "update", "attach"], False),
        ({"power_state": "suspended"}, False, ["update"], True),
        ({"boot": {"menu": True}}, False, ["start", "update", "attach"], True),
        ({"boot": {"menu": True}}, True, ["start", "update", "attach", "stop", "start"], False),
        ({"power_state": "stopped"}, False, ["start", "update", "stop"], False),
    ],
)
def test_a_guest_is_changed_after_it_went_on(
    changes: dict[str, t.Any], cycles: bool, expected: list[str], waits: bool
) -> None:
    """What its saved memory was made with is known, so that a second run would do no more."""
    saved = found(instance_spec(), state="shutoff", active=False, saved=True)
    spec = instance_spec(networks=[{"user": True}], **changes)
    plan, waiting = look_ahead(spec, machine_of(spec, existing=saved.machine), saved, Manner(allow_power_cycle=cycles))
    assert verbs(plan) == expected
    assert bool(waiting) == waits


def test_a_patch_waits_where_the_saved_guest_has_it_not() -> None:
    """What was saved is looked at as what runs is."""
    saved = found(instance_spec(), state="shutoff", active=False, saved=True)
    spec = instance_spec(power_state="suspended")
    desired = machine_of(spec, existing=saved.machine)
    assert look_ahead(spec, desired, saved, Manner(waiting_patches=("devices/rng",))).waiting == ("xml_patch",)
    assert look_ahead(spec, desired, saved, Manner(patches=("devices/rng",))).waiting == ()
    unknown = replace(saved, live=None)
    assert look_ahead(spec, desired, unknown, Manner(patches=("devices/rng",))).waiting == ("xml_patch",)


@pytest.mark.parametrize(
    ("power_state", "changes", "expected"),
    [
        ("running", {}, ["update"]),
        ("stopped", {}, ["stop"]),
        ("running", {"state": "shutoff", "active": False, "saved": True}, ["start", "update"]),
        ("suspended", {"state": "shutoff", "active": False, "saved": True}, []),
    ],
)
def test_a_guest_that_was_not_told_of_its_definition_is_told(
    power_state: str, changes: dict[str, t.Any], expected: list[str]
) -> None:
    """A run that ended in between leaves it with an old record of its own."""
    existing = found(instance_spec(metadata={"tier": "db"}), **changes)
    existing = replace(existing, live=machine_of(instance_spec(metadata={"tier": "web"})))
    spec = instance_spec(metadata={"tier": "db"}, power_state=power_state)
    assert verbs(plan_present(spec, machine_of(spec, existing=existing.machine), existing)) == expected


def test_a_change_of_power_in_two_steps_is_told_once() -> None:
    """The last of them is what brings it about."""
    spec = instance_spec(power_state="stopped")
    saved = found(spec, state="shutoff", active=False, saved=True)
    plan = plan_present(spec, machine_of(spec, existing=saved.machine), saved)
    assert verbs(plan) == ["start", "stop"]
    assert [(change.before, change.after) for change in plan.changes] == [("suspended", "stopped")]


def test_a_disk_grows_to_what_is_declared() -> None:
    """What counts is the disk itself: an interrupted growth is finished though the record is new already."""
    new = instance_spec(flavor={**FLAVOR, "disk_gb": 2})
    plan = plan_present(new, machine_of(new, existing=found(instance_spec()).machine), found(instance_spec()))
    assert verbs(plan) == ["update", "grow_disk"]
    plan = plan_present(new, machine_of(new, existing=found(new).machine), found(new))
    assert "grow_disk" in verbs(plan)
    grown = found(new, disks=(replace(VDA, capacity_bytes=2 * GIB),))
    assert not plan_present(new, machine_of(new, existing=grown.machine), grown).changed


def test_a_disk_never_shrinks_whatever_the_record_says() -> None:
    """An instance as large as its image, or one that was grown by hand, is not cut."""
    whole = instance_spec(flavor={**FLAVOR, "disk_gb": 0})
    existing = found(whole, disks=(replace(VDA, capacity_bytes=3 * GIB),))
    one = instance_spec()
    with pytest.raises(SpecError, match="at least 3"):
        plan_present(one, machine_of(one, existing=existing.machine), existing)


def test_a_disk_stays_where_it_was_moved_to() -> None:
    """A snapshot's overlay is not replaced by what lies below it, and the base is not removed from below it."""
    spec = instance_spec()
    machine = machine_of(spec)
    moved = replace(machine, disks=(replace(machine.disks[0], source="/pool/web-1.snap1"),))
    existing = found(spec, machine=moved, disks=(replace(VDA, source="/pool/web-1.snap1", strayed=True),))
    assert not plan_present(spec, machine_of(spec, existing=moved), existing).changed
    with pytest.raises(ConflictError, match=r"web-1\.snap1"):
        plan_absent("web-1", "demo", existing)


@pytest.mark.parametrize("changes", [{"disks": (replace(VDA, missing=True),)}])
def test_a_running_guest_without_its_volume_is_left_alone(changes: dict[str, t.Any]) -> None:
    """Making a new volume below a running guest would lose what it still has open."""
    spec = instance_spec()
    existing = found(spec, **changes)
    desired = machine_of(spec, existing=existing.machine)
    with pytest.raises(ConflictError, match="gone"):
        plan_present(spec, desired, existing)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"image": "other"}, "image"),
        ({"flavor": {**FLAVOR, "disk_gb": 0}}, "shrink"),
        ({"disk_bus": "scsi"}, "disk_bus"),
        ({"disk_format": "raw"}, "disk_format"),
        ({"machine_type": "pc"}, "machine_type"),
        ({"arch": "aarch64"}, "arch"),
        ({"boot": {"firmware": "efi"}}, "boot.firmware"),
    ],
)
def test_what_would_need_a_rebuild_is_refused(changes: dict[str, t.Any], word: str) -> None:
    """Nothing is destroyed to honour a change."""
    new = instance_spec(**changes)
    existing = found(instance_spec())
    platform = platform_of(existing.machine, new)
    desired = machine_of(new, platform, existing.machine)
    with pytest.raises(SpecError, match=word):
        plan_present(new, desired, existing)


@pytest.mark.parametrize(
    ("declared", "state", "active", "expected"),
    [
        ("running", "shutoff", False, ["start"]),
        ("running", "paused", True, ["resume"]),
        ("running", "running", True, []),
        ("stopped", "running", True, ["stop"]),
        ("stopped", "shutoff", False, []),
        ("stopped", "crashed", True, ["stop"]),
    ],
)
def test_power_state(declared: str, state: str, active: bool, expected: list[str]) -> None:
    """Already there is nothing to do; a paused guest goes on."""
    spec = instance_spec(power_state=declared)
    existing = found(spec, state=state, active=active)
    assert verbs(plan_present(spec, machine_of(spec, existing=existing.machine), existing)) == expected


def test_absent_forgets_the_record_last() -> None:
    """As long as disks are left, the domain that lists them is there."""
    spec = instance_spec()
    plan = plan_absent("web-1", "demo", found(spec))
    assert verbs(plan) == ["stop", "delete_disk", "delete_console_log", "undefine"]
    begun = found(spec, active=False, state="shutoff", disks=(replace(VDA, missing=True),))
    assert verbs(plan_absent("web-1", "demo", begun)) == ["delete_console_log", "undefine"]
    assert not plan_absent("web-1", "demo", None).changed


def test_a_root_disk_that_is_there_is_not_made() -> None:
    """Data volumes that are not there are made all the same."""
    spec = instance_spec(volumes=[{"serial": "data", "size_gb": 1}]).completed()
    desired = machine_of(spec)
    made = [action.target for action in look_ahead(spec, desired, None).plan.actions if action.verb == "create_disk"]
    (kept,) = {"web-1/vda"} & set(made)
    plan = look_ahead(spec, desired, None, Manner(has_root_disk=True)).plan
    assert [action.target for action in plan.actions if action.verb == "create_disk"] == [
        one for one in made if one != kept
    ]


def test_an_instance_is_forgotten() -> None:
    """Nothing goes that another host may have as well, and what is protected is the instance there."""
    existing = found(instance_spec(protected=True))
    assert verbs(plan_absent("web-1", "demo", existing, keep_disks=True, forget=True)) == ["stop", "undefine"]


def test_absent_leaves_a_log_that_is_not_ours() -> None:
    """The console of an adopted domain may be logged to somebody's own file."""
    existing = found(instance_spec(), active=False, state="shutoff")
    theirs = replace(existing.machine, serials=(Serial(log="/var/log/theirs.log"),))
    assert verbs(plan_absent("web-1", "demo", replace(existing, machine=theirs))) == ["delete_disk", "undefine"]


@pytest.mark.parametrize("word", ["did not create", "fleet other"])
def test_others_are_never_touched(word: str) -> None:
    """Neither a foreign domain nor another fleet's instance is changed or removed."""
    spec = instance_spec()
    ours = found(spec)
    foreign = replace(ours, machine=replace(ours.machine, record=None))
    existing = foreign if word == "did not create" else found(instance_spec(fleet="other"))
    desired = machine_of(spec)
    with pytest.raises(ConflictError, match=word):
        plan_absent("web-1", "demo", existing)
    with pytest.raises(ConflictError, match=word):
        plan_present(spec, desired, existing)


def test_a_group_is_written_down_and_kept() -> None:
    """What is not declared stays, an empty one takes the instance out."""
    before = found(instance_spec(group="db", group_policy="anti-affinity"))
    for spec, changes in (
        (instance_spec(), []),
        (instance_spec(group="db"), []),
        (instance_spec(group="db", group_policy="affinity"), [("group_policy", "anti-affinity", "affinity")]),
        (instance_spec(group="app"), [("group", "db", "app"), ("group_policy", "anti-affinity", None)]),
        (instance_spec(group=""), [("group", "db", None), ("group_policy", "anti-affinity", None)]),
    ):
        plan = plan_present(spec, machine_of(spec, existing=before.machine), before)
        assert [(change.path, change.before, change.after) for change in plan.changes] == changes
        assert {change.effect for change in plan.changes} <= {"live"}
    with pytest.raises(SpecError, match="group_policy"):
        instance_spec(group_policy="affinity")


def test_a_protected_instance_is_not_removed() -> None:
    """It has to be declared unprotected first."""
    with pytest.raises(ConflictError, match="protected"):
        plan_absent("web-1", "demo", found(instance_spec(protected=True)))
