# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a plan refuses, so that check mode foretells it and nothing is touched."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import plan_absent, plan_present
from ansible_collections.kilonova.compute.plugins.module_utils._plan.refusals import refuse_ends
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Hostdev, Machine, Nic
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import Begun, InstanceRecord, OwnedDisk
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import (
    FLAVOR,
    instance_spec,
    machine_of,
)

GIB = 1024**3
NEW = machine_of(instance_spec())
CARD = Hostdev("0000:3b:00.1", managed=True)
FUNCTION = Nic("52:54:00:00:00:01", "hostdev")
ROOT = OwnDisk("vda", "default", "web-1-vda.qcow2", "/pool/web-1-vda.qcow2", capacity_bytes=GIB)


def running(machine: Machine, *disks: OwnDisk, **fields: t.Any) -> Existing:
    """Return an instance that runs as it is defined."""
    return Existing(replace(machine, uuid="u"), "running", True, disks=disks or (ROOT,), live=machine, **fields)


def given(machine: Machine, *hostdevs: Hostdev) -> Machine:
    """Return a machine with devices of the host that it was given."""
    record = replace(machine.record or InstanceRecord(), hostdevs=tuple(device.address for device in hostdevs))
    return replace(machine, hostdevs=hostdevs, record=record)


@pytest.mark.parametrize(
    ("changes", "named"), [({"hostdevs": (CARD,)}, CARD.address), ({"nics": (FUNCTION,)}, FUNCTION.mac)]
)
def test_a_guest_with_devices_of_its_host_is_not_suspended(changes: dict[str, t.Any], named: str) -> None:
    """Whoever gave them to it; pausing it is fine."""
    existing = running(replace(machine_of(instance_spec()), **changes))
    for state in ("suspended", "paused"):
        spec = instance_spec(power_state=state)
        desired = machine_of(spec, existing=existing.machine)
        if state == "paused":
            assert plan_present(spec, desired, existing).plan.has("pause")
            continue
        with pytest.raises(SpecError, match=rf"power_state: .*{named}.*stopped or paused"):
            plan_present(spec, desired, existing)


def test_a_device_that_is_taken_away_does_not_keep_a_guest_from_being_suspended() -> None:
    """It is unplugged before; one that comes in the same run does."""
    machine = given(machine_of(instance_spec()), CARD)
    spec = instance_spec(power_state="suspended", pci_devices=[])
    without = given(machine_of(spec, existing=machine))
    plan, _waiting = plan_present(spec, without, running(machine))
    assert [action.verb for action in plan.actions][-2:] == ["detach", "suspend"]
    spec = instance_spec(power_state="suspended", pci_devices=[{"address": CARD.address}])
    with pytest.raises(SpecError, match=CARD.address):
        plan_present(spec, given(machine_of(spec, existing=without), CARD), running(without))


def test_a_volume_that_is_gone_is_not_made_without_a_size() -> None:
    """Nothing says how large it was; with a size it is made anew, and undeclared it is let go."""
    made = machine_of(instance_spec(volumes=[{"name": "data", "size_gb": 1}]))
    lost = OwnDisk("vdb", "default", "data", "/pool/data", missing=True, is_root=False)
    existing = Existing(replace(made, uuid="u"), "shutoff", False, disks=(ROOT, lost))

    def verbs(**declared: t.Any) -> list[str]:
        spec = instance_spec(power_state="stopped", **declared)
        plan, _waiting = plan_present(spec, machine_of(spec, existing=existing.machine), existing)
        return [action.verb for action in plan.actions]

    with pytest.raises(ConflictError, match=r"Volume data .* is gone.*size_gb"):
        verbs()
    assert verbs(volumes=[{"name": "data", "size_gb": 1}]) == ["create_disk"]
    assert verbs(volumes=[]) == ["update"]


@pytest.mark.parametrize("stuck", [replace(ROOT, pool=""), replace(ROOT, strayed=True)])
def test_a_disk_that_is_no_volume_grows_only_in_a_running_guest(stuck: OwnDisk) -> None:
    """Below a snapshot, or in no pool, libvirt can only be asked through the guest."""
    machine = machine_of(instance_spec())
    spec = instance_spec(flavor={**FLAVOR, "disk_gb": 2}, power_state="stopped")
    desired = machine_of(spec, existing=machine)
    assert plan_present(spec, desired, running(machine, stuck)).plan.has("grow_disk")
    with pytest.raises(SpecError, match=r"flavor.disk_gb: .*start the instance first"):
        plan_present(spec, desired, Existing(replace(machine, uuid="u"), "shutoff", False, disks=(stuck,)))


def test_what_a_host_may_refuse_comes_before_the_definition() -> None:
    """A definition that was written could keep the instance from starting again."""
    nic = {"network": "lan", "mac": "52:54:00:00:00:02"}
    machine = read(render(machine_of(instance_spec(networks=[nic]))))
    spec = instance_spec(
        networks=[{**nic, "inbound": {"average": 100}}],
        cpu_limits={"shares": 512},
        disk_limits={"total_bytes_sec": 1000},
        watchdog="reset",
    )
    plan, _waiting = plan_present(spec, machine_of(spec, existing=machine), running(machine))
    verbs = [action.verb for action in plan.actions]
    assert sorted(verbs[:3]) == ["limit_cpu", "limit_disk", "update_device"]
    assert verbs[3:] == ["update"]


def ending(poweroff: str | None, reboot: str | None, kind: str = "qemu") -> Machine:
    """Return a machine whose guest's run ends so."""
    return replace(NEW, type=kind, on_poweroff=poweroff, on_reboot=reboot)


@pytest.mark.parametrize(
    ("declared", "there"),
    [
        (("restart", "destroy"), None),
        (("restart", None), ending("destroy", "destroy")),
        ((None, "destroy"), ending("restart", "restart")),
    ],
)
def test_a_guest_that_would_start_again_where_it_ends(
    declared: tuple[str | None, str | None], there: Machine | None
) -> None:
    """QEMU can't do both, and libvirt refuses such a definition; it is known before."""
    with pytest.raises(SpecError, match=r"^Option on_reboot: .* declare on_reboot: restart or on_poweroff: destroy"):
        refuse_ends(ending(*declared), there)
    refuse_ends(ending(*declared, "xen"), there)


def test_other_ends() -> None:
    """What is not declared stays, and is refused only together with what is."""
    for poweroff, reboot in (("restart", "restart"), ("destroy", "destroy"), (None, "destroy"), ("restart", None)):
        refuse_ends(ending(poweroff, reboot), ending("destroy", "restart"))
        refuse_ends(ending(poweroff, reboot), None)


def layered(machine: Machine, target: str = "vda") -> Machine:
    """Return a machine with a disk over which a snapshot of ours brought a layer."""
    layer = OwnedDisk(target, "default", f"web-1-{target}.layer1.qcow2")
    record = replace(
        machine.record or InstanceRecord(), layers=(*(machine.record.layers if machine.record else ()), layer)
    )
    disks = tuple(
        replace(disk, source=f"/pool/{layer.volume}", format="qcow2") if disk.target == target else disk
        for disk in machine.disks
    )
    return replace(machine, disks=disks, record=record)


def test_a_disk_below_a_snapshot_is_as_declared() -> None:
    """Also where the layer has another format."""
    spec = instance_spec(disk_format="raw", volumes=[{"name": "data", "size_gb": 1}])
    machine = layered(layered(machine_of(spec)), "vdb")
    data = OwnDisk("vdb", "default", "data", capacity_bytes=GIB, layer="web-1-vdb.layer1.qcow2", is_root=False)
    existing = running(machine, replace(ROOT, volume="web-1-vda.raw", layer="web-1-vda.layer1.qcow2"), data)
    assert plan_present(spec, machine_of(spec, existing=machine), existing).plan.actions == ()


def test_a_disk_below_a_snapshot_is_not_taken_away() -> None:
    """What was written last is in the layer, which would be lost to whoever gets the disk."""
    machine = layered(machine_of(instance_spec(volumes=[{"name": "data", "size_gb": 1}])), "vdb")
    spec = instance_spec(volumes=[])
    data = OwnDisk("vdb", "default", "data", capacity_bytes=GIB, layer="web-1-vdb.layer1.qcow2", is_root=False)
    with pytest.raises(ConflictError, match="vdb of instance web-1 has external snapshots"):
        plan_present(spec, machine_of(spec, existing=machine), running(machine, ROOT, data))


def test_what_stays_is_not_left_below_a_snapshot() -> None:
    """Be it the user's volume, or all disks because they shall be kept."""
    machine = layered(NEW)
    assert plan_absent("web-1", "demo", running(machine)).has("delete_disk")
    with pytest.raises(ConflictError, match="vda of instance web-1 stays"):
        plan_absent("web-1", "demo", running(machine), keep_disks=True)
    theirs = replace(machine, record=replace(machine.record or InstanceRecord(), disks=()))
    with pytest.raises(ConflictError, match="vda of instance web-1 stays"):
        plan_absent("web-1", "demo", running(theirs))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("revert_snapshot", "Going back to snapshot s1"),
        ("finish_revert_snapshot", "Going back to snapshot s1"),
        ("restore", "from a backup"),
    ],
)
def test_what_goes_back_to_a_snapshot_is_left_to_that(action: str, words: str) -> None:
    """Its guest would boot from what it is about to leave, or from what its memory does not belong to."""
    record = replace(NEW.record or InstanceRecord(), begun=Begun(action, target="s1"))
    existing = replace(running(replace(NEW, record=record)), state="shutoff", active=False, live=None)
    spec = instance_spec()
    with pytest.raises(ConflictError, match=words):
        plan_present(spec, machine_of(spec, existing=existing.machine), existing)
