# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the hardware in detail, and that a machine which has it is left alone."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import plan_present
from ansible_collections.kilonova.compute.plugins.module_utils._plan.machine import differences
from ansible_collections.kilonova.compute.plugins.module_utils._plan.refusals import refuse_changes
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import platform_of
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Cpu,
    Filesystem,
    Machine,
    Nic,
    Serial,
    Sev,
    Tpm,
    Watchdog,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import (
    CpuTune,
    IoTune,
    MemoryBacking,
    MemoryNode,
    NumaTune,
    Rate,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import (
    FLAVOR,
    Q35,
    instance_spec,
    machine_of,
)

ROOT = OwnDisk("vda", "default", "web-1-vda.qcow2", "/pool/web-1-vda.qcow2", capacity_bytes=1024**3)
TWO = {**FLAVOR, "vcpus": 2}
PC = replace(Q35, machine="pc-i440fx-7.2")
SHARE = {"source": "/srv", "target": "srv"}
EVERYTHING: dict[str, t.Any] = {
    "flavor": TWO,
    "cpu": {
        "mode": "maximum",
        "features": {"aes": "disable"},
        "topology": {"cores": 2},
        "migratable": False,
        "pmu": True,
    },
    "cpu_limits": {"shares": 512, "period": 50000, "quota": -1},
    "iothreads": 1,
    "boot": {"firmware": "efi"},
    "secure_boot": True,
    "tpm": {},
    "watchdog": "reset",
    "sound": "ich9",
    "tablet": "usb",
    "serial_ports": 2,
    "rng_rate": {"bytes": 5, "period_ms": 6},
    "disk_io": "threads",
    "disk_detect_zeroes": "unmap",
    "disk_queues": 2,
    "disk_limits": {"total_iops_sec": 7},
    "networks": [{"user": True, "queues": 2, "mtu": 1400, "vlan": 3, "isolated": True, "inbound": {"average": 8}}],
    "shares": [SHARE],
    "sev": {"policy": 3},
}


def _found(machine: Machine) -> Machine:
    """Return the machine as it is read back."""
    return read(render(replace(machine, uuid="a6c7e0b6-1f8d-4a52-8c3d-0c8c19cf8c01")))


def _off(machine: Machine) -> Existing:
    return Existing(machine, "shutoff", False, disks=(ROOT,))


def _record(machine: Machine) -> InstanceRecord:
    return machine.record or InstanceRecord()


def _paths(existing: Machine, **declared: t.Any) -> list[str]:
    """Return what another declaration changes of a machine that is off."""
    spec = instance_spec(power_state="stopped", **declared)
    desired = machine_of(spec, platform_of(existing, spec), existing)
    plan = plan_present(spec, desired, _off(existing)).plan
    return [change.path for action in plan.actions if action.verb == "update" for change in action.changes]


def test_everything_is_on_the_machine() -> None:
    """Option by option."""
    machine = machine_of(instance_spec(**EVERYTHING))
    assert machine.cpu == Cpu("maximum", None, 1, 2, 1, features=(("aes", "disable"),), migratable=False)
    assert machine.cpu_tune == CpuTune(512, 50000, -1)
    assert (machine.features.pmu, machine.features.smm) == (True, True)
    assert (machine.os.firmware, machine.os.secure_boot, machine.os.enrolled_keys) == ("efi", True, True)
    assert (machine.iothreads, machine.disks[0].iothread, machine.disks[0].queues) == (1, 1, 2)
    assert (machine.disks[0].io, machine.disks[0].detect_zeroes) == ("threads", "unmap")
    assert machine.disks[0].iotune == IoTune(total_iops_sec=7)
    assert (machine.tpm, machine.launch_security) == (Tpm("tpm-crb", "2.0"), Sev(3))
    assert (machine.watchdogs, machine.sound, machine.tablet) == ((Watchdog("i6300esb", "reset"),), "ich9", "usb")
    assert [serial.port for serial in machine.serials] == [0, 1]
    assert (machine.rng, machine.rng_rate_bytes, machine.rng_rate_period_ms) == ("/dev/urandom", 5, 6)
    assert machine.filesystems == (Filesystem("srv", "/srv", "virtiofs"),)
    assert machine.memory_backing == MemoryBacking(source="memfd", access="shared")
    nic = machine.nics[0]
    assert (nic.queues, nic.mtu, nic.vlan, nic.isolated, nic.inbound, nic.outbound) == (2, 1400, 3, True, Rate(8), None)
    assert (machine.vcpus, machine.current_vcpus) == (2, 2)
    assert machine.record is not None
    assert machine.record.shares == ("srv",)


@pytest.mark.parametrize("declared", [None, False])
def test_secure_boot_is_only_there_when_asked_for(declared: bool | None) -> None:
    """Else libvirt might take firmware that has it; an old one can't be told, and the firmware of one that is there stays."""
    spec = instance_spec(boot={"firmware": "efi"}, secure_boot=declared)
    made = machine_of(spec)
    assert (made.os.secure_boot, made.os.enrolled_keys) == (False, None)
    assert machine_of(spec, replace(Q35, picks_firmware=False)).os.secure_boot is None
    assert machine_of(spec, existing=made).os.secure_boot is None


def test_what_is_there_is_not_changed() -> None:
    """Neither by the same declaration nor by one that says nothing of it."""
    existing = _found(machine_of(instance_spec(**EVERYTHING)))
    assert _paths(existing, **EVERYTHING) == []
    assert _paths(existing, flavor=TWO, networks=EVERYTHING["networks"]) == []


@pytest.mark.parametrize(
    ("declared", "paths"),
    [
        ({"watchdog": "disabled"}, ["watchdogs[i6300esb]"]),
        ({"watchdog": "pause"}, ["watchdogs[i6300esb].action"]),
        ({"serial_ports": 1}, ["serials[1]"]),
        ({"shares": []}, ["filesystems[srv]"]),
        ({"iothreads": 0}, ["iothreads", "disks[vda].iothread"]),
        ({"cpu": {"features": {}}}, ["cpu.features"]),
        ({"disk_limits": {"total_iops_sec": 0}}, ["disks[vda].iotune.total_iops_sec"]),
        ({"tpm": {"model": "tpm-tis"}}, ["tpm.model"]),
        ({"rng": False}, ["rng"]),
        ({"sound": "ac97", "tablet": "virtio"}, ["sound", "tablet"]),
    ],
)
def test_one_thing_is_changed(declared: dict[str, t.Any], paths: list[str]) -> None:
    """Also away."""
    existing = _found(machine_of(instance_spec(**EVERYTHING)))
    assert _paths(existing, flavor=TWO, **declared) == paths


def test_what_was_plugged_by_hand_stays() -> None:
    """A directory that was never declared, and the watchdog that belongs to the chip set."""
    existing = _found(machine_of(instance_spec(**EVERYTHING)))
    existing = replace(
        existing,
        filesystems=(*existing.filesystems, Filesystem("byhand", "/opt", "virtiofs")),
        watchdogs=(Watchdog("itco", "reset"),),
    )
    assert _paths(existing, flavor=TWO, shares=[], watchdog="disabled") == ["filesystems[srv]"]


def test_a_list_of_cpu_features_has_a_cpu_to_belong_to() -> None:
    """Libvirt takes none without a mode."""
    features: dict[str, t.Any] = {"cpu": {"features": {"aes": "require"}}}
    assert machine_of(instance_spec(**features)).cpu == Cpu("maximum", features=(("aes", "require"),))
    kvm = machine_of(instance_spec(**features), replace(Q35, virt_type="kvm")).cpu
    assert kvm == Cpu("host-model", features=(("aes", "require"),))
    there = replace(machine_of(instance_spec()), cpu=Cpu("custom", "qemu64"))
    assert machine_of(instance_spec(**features), existing=there).cpu == Cpu(features=(("aes", "require"),))


def test_a_scsi_disk_has_its_thread_and_queues_at_the_controller() -> None:
    """And one on SATA has neither."""
    machine = machine_of(instance_spec(disk_bus="scsi", iothreads=2, disk_queues=3))
    assert (machine.scsi_iothread, machine.scsi_queues, machine.disks[0].iothread) == (1, 3, None)
    assert machine_of(instance_spec(disk_bus="sata", iothreads=2)).disks[0].iothread is None


def test_what_the_flavor_says_of_nics() -> None:
    """It is for those that say nothing of their own; queues are virtio's."""
    specs = {"hw:vif_multiqueue_enabled": "yes", "quota:vif_outbound_average": "9"}
    nics = [{"user": True}, {"user": True, "model": "e1000", "outbound": {"average": 1}}, {"user": True, "queues": 1}]
    machine = machine_of(instance_spec(flavor={**TWO, "extra_specs": specs}, networks=nics))
    assert [nic.queues for nic in machine.nics] == [2, None, 1]
    assert [nic.outbound for nic in machine.nics] == [Rate(9), Rate(1), Rate(9)]


@pytest.mark.parametrize(
    "declared", [{"cpu": {"topology": {"sockets": 1}}}, {"cpu_policy": "dedicated"}, {"hugepages": "any"}]
)
def test_there_is_no_room_for_more_vcpus(declared: dict[str, t.Any]) -> None:
    """Where a topology, cells or CPUs are counted out."""
    assert machine_of(instance_spec(**declared)).vcpus == 1
    assert machine_of(instance_spec()).vcpus == 4
    roomy = replace(machine_of(instance_spec(max_vcpus=3, max_memory_mb=256)), uuid="u")
    spec = instance_spec(**declared)
    machine = machine_of(spec, existing=roomy)
    assert machine.vcpus == 1
    assert machine.memory_kib == (131072 if spec.detail.placement.cells else 262144)


@pytest.mark.parametrize(
    ("declared", "platform", "words"),
    [
        ({"secure_boot": True}, Q35, ["secure_boot", "boot.firmware: efi"]),
        ({"secure_boot": True, "boot": {"firmware": "bios"}}, Q35, ["secure_boot", "boot.firmware: efi"]),
        ({"secure_boot": True, "boot": {"firmware": "efi"}}, PC, ["secure_boot", "machine_type: q35"]),
        ({"cpu": {"mode": "host-model", "migratable": True}}, Q35, ["cpu.migratable", "host-model", "maximum"]),
        ({"cpu": {"migratable": True}}, Q35, ["cpu.migratable", "not declared"]),
        ({"disk_io": "native"}, Q35, ["disk_io", "disk_cache: none"]),
        ({"disk_io": "native", "disk_cache": "writeback"}, Q35, ["disk_io", "writeback"]),
        ({"disk_queues": 2, "disk_bus": "sata"}, Q35, ["disk_queues", "sata"]),
        ({"rng": False, "rng_rate": {"bytes": 1}}, Q35, ["rng_rate", "rng: true"]),
    ],
)
def test_what_cannot_be_is_refused(declared: dict[str, t.Any], platform: t.Any, words: list[str]) -> None:
    """By the option's name, with a way out."""
    with pytest.raises(SpecError) as caught:
        machine_of(instance_spec(**declared), platform)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("disk_io", "threads"), ("disk_queues", 2), ("disk_limits", {"total_iops_sec": 1}), ("disk_detect_zeroes", "on")],
)
def test_there_must_be_a_disk_to_tune(option: str, value: t.Any) -> None:
    """A machine that was adopted has none of its own."""
    existing = replace(machine_of(instance_spec()), record=InstanceRecord(adopted=True))
    with pytest.raises(SpecError, match=f"{option}.*no root disk"):
        machine_of(instance_spec(**{option: value}), existing=existing)


def test_what_stays_as_it_was__record() -> None:
    """Secure boot, as the firmware, and the size of what lies in cells of the host."""
    secure = replace(machine_of(instance_spec(boot={"firmware": "efi"}, secure_boot=True)), uuid="u")
    spec = instance_spec(secure_boot=False)
    with pytest.raises(SpecError, match=r"secure_boot.*can't become no secure boot"):
        refuse_changes(spec, machine_of(spec, existing=secure), _record(secure), _off(secure))

    pinned = replace(secure, numa_tune=NumaTune("strict", (0,), (MemoryNode(0, (0,)),)), vcpus=1)
    spec = instance_spec(flavor=TWO)
    with pytest.raises(SpecError, match=r"flavor.*1 vCPUs.*declare numa, cpu_policy or hugepages"):
        refuse_changes(spec, machine_of(spec, existing=pinned), _record(pinned), _off(pinned))


def test_one_queue_is_said_by_silence() -> None:
    """Libvirt leaves it out."""
    wanted = Machine("qemu", "m", nics=(Nic("52:54:00:00:00:01", queues=1),))
    assert differences(wanted, Machine("qemu", "m", nics=(Nic("52:54:00:00:00:01"),))) == ()
    assert differences(wanted, Machine("qemu", "m", nics=(Nic("52:54:00:00:00:01", queues=2),))) != ()


def test_none_of_them_is_not_the_same_as_not_set() -> None:
    """Pins that are declared away are a change, and boot devices that are not declared are none."""
    pinned = CpuTune(vcpu_pins=(), emulator_cpus=())
    there = read(render(Machine("qemu", "m", cpu_tune=CpuTune(emulator_cpus=(1,)), serials=(Serial(),))))
    assert [change.path for change in differences(Machine("qemu", "m", cpu_tune=pinned), there)] == [
        "cpu_tune.emulator_cpus"
    ]
    assert differences(Machine("qemu", "m", cpu=Cpu(cells=(), features=())), Machine("qemu", "m")) == ()
