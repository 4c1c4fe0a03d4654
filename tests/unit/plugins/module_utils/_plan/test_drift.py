# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for how hardware in detail gets into a running guest."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.drift import Drift, find_drift
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.host import platform_of
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.live import limits_of
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Cpu,
    Disk,
    Hostdev,
    Machine,
    Watchdog,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import IoTune
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import read, render
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec, machine_of

ROOT = OwnDisk("vda", "default", "web-1-vda.qcow2", "/pool/web-1-vda.qcow2", capacity_bytes=1024**3)
MAC = "52:54:00:00:00:01"
PLAIN: dict[str, t.Any] = {"networks": [{"user": True, "mac": MAC}]}
BRIDGED: dict[str, t.Any] = {"networks": [{"bridge": "br0", "mac": MAC}]}
ADDRESS = "0000:3b:00.0"


def _running(**declared: t.Any) -> Machine:
    """Return an instance's machine as it is read back."""
    return read(render(replace(machine_of(instance_spec(**declared)), uuid="a6c7e0b6-1f8d-4a52-8c3d-0c8c19cf8c01")))


def _drift(
    machine: Machine, guest: Machine | None = None, anchored: frozenset[str] = frozenset(), **declared: t.Any
) -> dict[str, str | None]:
    """Return the step of each difference of a running guest by path; None where it waits for the next boot."""
    spec = instance_spec(**declared)
    desired = machine_of(spec, platform_of(machine, spec), machine)
    existing = Existing(machine, "running", True, disks=(ROOT,), live=guest or machine, anchored=anchored)
    return {one.path: _verb(one) for one in find_drift(spec, desired, existing, True)}


def _verb(one: Drift) -> str | None:
    return None if one.step is None else f"{one.step.verb} {one.step.device}".strip()


@pytest.mark.parametrize(
    ("before", "after", "steps"),
    [
        (PLAIN, {"disk_limits": {"total_iops_sec": 5}}, {"disks[vda].iotune.total_iops_sec": "limit_disk disk vda"}),
        (
            PLAIN,
            {"cpu_limits": {"shares": 5, "quota": -1}},
            {"cpu_tune.shares": "limit_cpu", "cpu_tune.quota": "limit_cpu"},
        ),
        (
            BRIDGED,
            {"networks": [{**BRIDGED["networks"][0], "inbound": {"average": 5}}]},
            {f"nics[{MAC}].inbound.average": f"update_device nic {MAC}"},
        ),
        (
            PLAIN,
            {"networks": [{**PLAIN["networks"][0], "inbound": {"average": 5}}]},
            {f"nics[{MAC}].inbound.average": None},
        ),
        (BRIDGED, {"networks": [{**BRIDGED["networks"][0], "mtu": 1400}]}, {f"nics[{MAC}].mtu": None}),
        (
            PLAIN,
            {"networks": [{**BRIDGED["networks"][0], "link_state": "down", "inbound": {"average": 5}}]},
            {
                f"nics[{MAC}].type": None,
                f"nics[{MAC}].source": None,
                f"nics[{MAC}].link_state": f"update_device nic {MAC}",
                f"nics[{MAC}].inbound.average": None,
            },
        ),
        (
            BRIDGED,
            {"networks": [{**PLAIN["networks"][0], "link_state": "down"}]},
            {f"nics[{MAC}].type": None, f"nics[{MAC}].link_state": f"update_device nic {MAC}"},
        ),
        (PLAIN, {"watchdog": "reset"}, {"watchdogs[i6300esb]": None}),
        (PLAIN, {"serial_ports": 2, "sound": "ich9"}, {"serials[1]": None, "sound": None}),
        (
            {**PLAIN, "rng": False},
            {"rng_rate": {"bytes": 5}},
            {"rng": "attach rng /dev/urandom", "rng_rate_bytes": "attach rng /dev/urandom"},
        ),
        (PLAIN, {"rng_rate": {"bytes": 5}}, {"rng_rate_bytes": None}),
    ],
)
def test_what_is_changed_while_it_runs(
    before: dict[str, t.Any], after: dict[str, t.Any], steps: dict[str, str | None]
) -> None:
    """And what waits."""
    assert _drift(_running(**before), **after) == steps


@pytest.mark.parametrize(("anchored", "step"), [(False, f"update_device nic {MAC}"), (True, None)])
def test_a_nic_is_plugged_over_where_libvirt_can(anchored: bool, step: str | None) -> None:
    """Else that waits; what else of it changes does so at once."""
    other = {**BRIDGED["networks"][0], "bridge": "other", "link_state": "down"}
    assert _drift(_running(**BRIDGED), anchored=frozenset({MAC} if anchored else ()), networks=[other]) == {
        f"nics[{MAC}].source": step,
        f"nics[{MAC}].link_state": f"update_device nic {MAC}",
    }


@pytest.mark.parametrize(("virtualport", "step"), [("openvswitch", f"update_device nic {MAC}"), (None, None)])
def test_a_nic_goes_into_another_vlan(virtualport: str | None, step: str | None) -> None:
    """At once on Open vSwitch; on whatever else has VLANs, with the next boot."""
    machine = _running(networks=[{**BRIDGED["networks"][0], "vlan": 5}])
    guest = replace(machine, nics=(replace(machine.nics[0], virtualport=virtualport),))
    assert _drift(machine, guest, networks=[{**BRIDGED["networks"][0], "vlan": 6}]) == {f"nics[{MAC}].vlan": step}


def test_a_watchdog_needs_a_slot_of_plain_pci() -> None:
    """A machine of PCI Express has none free."""
    machine = _running()
    classic = replace(machine, os=replace(machine.os, machine="pc-i440fx-7.2"))
    assert _drift(classic, watchdog="reset") == {"watchdogs[i6300esb]": "attach watchdog i6300esb"}
    with_dog = replace(classic, watchdogs=(Watchdog("i6300esb", "reset"),))
    assert _drift(with_dog, watchdog="disabled") == {"watchdogs[i6300esb]": "detach watchdog i6300esb"}


def test_devices_of_the_host_come_and_go() -> None:
    """Only those that it was given."""
    machine = _running()
    given = replace(
        machine,
        hostdevs=(Hostdev(ADDRESS, managed=True), Hostdev("0000:99:00.0", managed=True)),
        record=replace(machine.record or InstanceRecord(), hostdevs=(ADDRESS,)),
    )
    spec = instance_spec(pci_devices=[])
    desired = machine_of(spec, existing=given)
    desired = replace(desired, record=replace(desired.record or InstanceRecord(), hostdevs=()))
    found = find_drift(spec, desired, Existing(given, "running", True, disks=(ROOT,), live=given), True)
    assert {one.path: _verb(one) for one in found} == {f"hostdevs[{ADDRESS}]": f"detach hostdev {ADDRESS}"}
    wanted = replace(desired, hostdevs=(Hostdev(ADDRESS, managed=True),))
    found = find_drift(spec, wanted, Existing(machine, "running", True, disks=(ROOT,), live=machine), True)
    assert {one.path: _verb(one) for one in found} == {f"hostdevs[{ADDRESS}]": f"attach hostdev {ADDRESS}"}
    assert _drift(given) == {}


@pytest.mark.parametrize(
    ("features", "paths"),
    [
        ({"aes": "require", "svm": "disable"}, set()),
        ({"aes": "force", "x2apic": "optional"}, set()),
        ({"vmx": "forbid"}, set()),
        ({"aes": "disable"}, {"cpu.features"}),
        ({"avx": "require"}, {"cpu.features"}),
    ],
)
def test_a_running_cpu_has_more_features_than_were_declared(features: dict[str, str], paths: set[str]) -> None:
    """Libvirt lists what QEMU made of it; what matters is what was declared."""
    declared: dict[str, t.Any] = {"cpu": {"mode": "custom", "model": "qemu64", "features": features}}
    machine = _running(**declared)
    live = (("aes", "require"), ("hypervisor", "require"), ("svm", "disable"))
    guest = replace(machine, cpu=Cpu("custom", "qemu64", features=live))
    assert set(_drift(machine, guest, **declared)) == paths


def test_limits_exclude_each_other() -> None:
    """What is not declared stays, and libvirt is told all, since it forgets what is left out."""
    present = Disk("vda", iotune=IoTune(total_bytes_sec=10, read_iops_sec=3, write_iops_sec=4))
    limits = limits_of(Disk("vda", iotune=IoTune(read_bytes_sec=5, read_iops_sec=0)), present)
    assert {name: limit for name, limit in limits.items() if limit} == {"read_bytes_sec": 5, "write_iops_sec": 4}
    assert len(limits) == 12
    assert limits_of(Disk("vda"), present)["total_bytes_sec"] == 10
