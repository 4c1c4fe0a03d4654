# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the comparison of machines."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.kilonova.compute.plugins.module_utils._plan.machine import differences, overlaid, whole
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import (
    Cpu,
    Disk,
    Machine,
    Nic,
    OsBoot,
    Serial,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import IoTune

BASE = Machine(
    type="qemu",
    name="a",
    memory_kib=131072,
    current_memory_kib=131072,
    os=OsBoot(arch="x86_64", machine="pc-q35-7.2", boot_devices=("hd",)),
    cpu=Cpu(mode="custom", model="qemu64"),
    disks=(Disk(target="vda", bus="virtio", source="/pool/a", format="qcow2"),),
    nics=(Nic(mac="52:54:00:00:00:01", type="user"),),
)


def shown(desired: Machine, actual: Machine = BASE) -> list[tuple[str, object, object]]:
    """Return the differences in short."""
    return [(change.path, change.before, change.after) for change in differences(desired, actual)]


def test_the_same_is_no_difference() -> None:
    """A machine does not differ from itself."""
    assert shown(BASE) == []


def test_what_is_not_set_is_not_compared() -> None:
    """What libvirt filled in is left alone."""
    assert shown(Machine(type="qemu", name="a", memory_kib=131072)) == []


def test_memory_is_shown_in_mib() -> None:
    """The paths and figures are the user's."""
    assert shown(replace(BASE, memory_kib=262144)) == [("max_memory_mb", 128, 256)]


def test_nested_fields_have_dotted_paths() -> None:
    """Only the field that differs is named."""
    assert shown(replace(BASE, os=replace(BASE.os, boot_menu=True, boot_devices=("cdrom", "hd")))) == [
        ("os.boot_devices", ["hd"], ["cdrom", "hd"]),
        ("os.boot_menu", None, True),
    ]


def test_devices_are_matched_by_identity() -> None:
    """A disk is its target and a NIC its address, wherever they stand."""
    changed = replace(BASE.disks[0], cache="none")
    added = Nic(mac="52:54:00:00:00:02", type="bridge", source="br0")
    assert shown(replace(BASE, disks=(changed,), nics=(added, BASE.nics[0]))) == [
        ("disks[vda].cache", None, "none"),
        ("nics[52:54:00:00:00:02]", None, {"mac": "52:54:00:00:00:02", "type": "bridge", "source": "br0"}),
    ]


def test_a_part_that_is_not_there_is_shown_whole() -> None:
    """A CPU on a machine that has none."""
    assert shown(BASE, replace(BASE, cpu=None)) == [("cpu", None, {"mode": "custom", "model": "qemu64"})]


def test_a_device_is_plugged_in_as_it_is_defined() -> None:
    """What is declared of one that is in the definition already may be next to nothing."""
    declared = Machine("qemu", "a", disks=(Disk("vda"),), nics=(Nic(BASE.nics[0].mac, type="bridge", source="br0"),))
    found = whole(declared, BASE)
    assert found.disks == BASE.disks
    assert found.nics == (replace(BASE.nics[0], type="bridge", source="br0"),)
    assert whole(declared, Machine("qemu", "a")) == declared


def test_patches_take_nothing_back_that_is_declared_away() -> None:
    """A console log that shall go is not there when the definition is read back, and shall still go."""
    declared = replace(BASE, serials=(Serial(log=""),))
    assert overlaid(declared, replace(BASE, serials=(Serial(),))).serials == (Serial(log=""),)
    patched = replace(BASE, serials=(Serial(log="/var/log/a"),))
    assert overlaid(declared, patched).serials == (Serial(log="/var/log/a"),)


def test_a_limit_takes_the_place_of_those_that_it_excludes() -> None:
    """Libvirt takes no total beside reads and writes apart, be they declared before or after."""
    for before, declared, after in (
        (
            IoTune(read_bytes_sec=5, write_iops_sec=3),
            IoTune(total_bytes_sec=9),
            {"total_bytes_sec": 9, "write_iops_sec": 3},
        ),
        (IoTune(total_bytes_sec=9), IoTune(write_bytes_sec=5), {"write_bytes_sec": 5}),
        (IoTune(read_bytes_sec=5), IoTune(total_bytes_sec=0), {"read_bytes_sec": 5}),
        (IoTune(total_bytes_sec=9), IoTune(total_bytes_sec=0, read_bytes_sec=5), {"read_bytes_sec": 5}),
    ):
        definition = replace(BASE, disks=(replace(BASE.disks[0], iotune=before),))
        desired = replace(BASE, disks=(Disk("vda", iotune=declared),))
        (disk,) = whole(desired, definition).disks
        assert {name: limit for name, limit in vars(disk.iotune).items() if limit} == after
