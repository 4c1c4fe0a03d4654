# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what guests have of their host to themselves, as facts."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import GuestReading
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts_guests import Guest, understand
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts_placement import mdev_rows, placement_row
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Cpu, Hostdev, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import (
    CpuPin,
    CpuTune,
    MemoryBacking,
    MemoryNode,
    NumaCell,
    NumaTune,
    Pages,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.capabilities import Cell, HostCpu
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import render

UUID = "4b20d080-1b54-4048-85b3-a6a62d165c01"
CELLS = (
    Cell(0, cpus=tuple(HostCpu(cpu, siblings=core) for core in ((0, 4), (1, 5)) for cpu in core)),
    Cell(1, cpus=(HostCpu(2, siblings=(2, 6)), HostCpu(3), HostCpu(6, siblings=(2, 6, 9)))),
)
PINNED = Machine(
    "qemu",
    "a",
    vcpus=2,
    cpu=Cpu(cells=(NumaCell(0, 64 * 1024, (0,)), NumaCell(1, 100 * 1024 + 1, (1,)))),
    cpu_tune=CpuTune(vcpu_pins=(CpuPin(0, (0,)), CpuPin(1, (2,))), emulator_cpus=(1,)),
    numa_tune=NumaTune("strict", (0, 1), (MemoryNode(0, (0,)), MemoryNode(1, (1,)))),
    memory_backing=MemoryBacking(hugepages=(Pages(2048, (0,)),)),
    hostdevs=(Hostdev("0000:3b:00.0", managed=True), Hostdev(UUID, "mdev", model="vfio-pci")),
)


def guest(machine: Machine, state: str = "shutoff") -> Guest:
    """Return a domain as it is read."""
    reading = GuestReading(machine.name, machine.uuid or "", state, False, render(machine))
    return next(iter(understand([reading])))


def test_cores_of_a_cell() -> None:
    """Siblings that are not of the cell do not count; a CPU of which nothing is told is a core."""
    assert [cell.cores for cell in CELLS] == [((0, 4), (1, 5)), ((2, 6), (3,))]


def test_a_guest_that_floats_has_nothing() -> None:
    """Neither has one whose memory is spread over cells that are not its own."""
    assert placement_row(guest(Machine("qemu", "a")), CELLS) is None


def test_a_guest_with_parts_of_its_own() -> None:
    """Cells with CPUs and memory, upwards in MiB; all CPUs that nobody else gets; devices."""
    assert placement_row(guest(PINNED), CELLS) == {
        "cells": [
            {"host_cell": 0, "cpus": [0], "memory_mb": 64, "page_kb": 2048},
            {"host_cell": 1, "cpus": [2], "memory_mb": 101, "page_kb": None},
        ],
        "emulator_cpu": 1,
        "taken_cpus": [0, 1, 2],
        "pci_devices": ["0000:3b:00.0"],
        "mdevs": [UUID],
    }


def test_threads_that_are_left_idle_are_taken() -> None:
    """Its record says so."""
    row = placement_row(guest(replace(PINNED, record=InstanceRecord(isolated=True))), CELLS)
    assert row is not None
    assert row["taken_cpus"] == [0, 1, 2, 4, 5, 6]


def test_mediated_devices_and_who_has_them() -> None:
    """Of several guests that are defined with one, one that runs."""
    guests = [guest(PINNED), guest(replace(PINNED, name="b"), "running")]
    other = UUID[:-1] + "2"
    assert mdev_rows([UUID, other], guests) == [
        {"uuid": UUID, "in_use_by": "b"},
        {"uuid": other, "in_use_by": None},
    ]
