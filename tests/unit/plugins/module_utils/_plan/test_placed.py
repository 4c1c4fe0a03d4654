# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how an instance's place on its host is written into its machine, and read from there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.placed import place, recorded
from ansible_collections.kilonova.compute.plugins.module_utils._plan.topology import Allocation, PlacedCell
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Cpu, Hostdev, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.placement import CellDemand, Placement
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import (
    CpuPin,
    CpuTune,
    MemoryBacking,
    MemoryNode,
    NumaCell,
    NumaTune,
    Pages,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import read, render

UUID = "4b20d080-1b54-4048-85b3-a6a62d165c01"
TWO = (CellDemand((0, 2), 512), CellDemand((1, 3), 1024))
BARE = Machine("kvm", "m", memory_kib=1572864, vcpus=4, cpu=Cpu("host-model"), cpu_tune=CpuTune(shares=7))
PLACED = Allocation(
    (PlacedCell(1, ((0, 2), (2, 6)), 2048), PlacedCell(0, ((1, 0), (3, 4)), 1048576)),
    emulator_cpu=3,
    pci=("0000:3b:00.1",),
    mdevs=(UUID,),
)


def test_places_a_machine() -> None:
    """Cells, pins in the order of vCPUs, strict memory, pages and devices; what else is set stays."""
    machine = place(BARE, Placement(TWO, dedicated=True, isolate_emulator=True, pages="large"), PLACED)
    assert machine.cpu == Cpu("host-model", cells=(NumaCell(0, 524288, (0, 2)), NumaCell(1, 1048576, (1, 3))))
    pins = (CpuPin(0, (2,)), CpuPin(1, (0,)), CpuPin(2, (6,)), CpuPin(3, (4,)))
    assert machine.cpu_tune == CpuTune(shares=7, vcpu_pins=pins, emulator_cpus=(3,))
    assert machine.numa_tune == NumaTune("strict", (0, 1), (MemoryNode(0, (1,)), MemoryNode(1, (0,))))
    assert machine.memory_backing == MemoryBacking(hugepages=(Pages(2048, (0,)), Pages(1048576, (1,))))
    assert machine.hostdevs == (Hostdev("0000:3b:00.1", managed=True), Hostdev(UUID, "mdev", model="vfio-pci"))


def test_an_emulator_that_shares_runs_where_the_vcpus_do() -> None:
    """And nowhere on CPUs of others."""
    machine = place(BARE, Placement(TWO[:1], dedicated=True), Allocation((PlacedCell(0, ((0, 5), (2, 1))),)))
    assert machine.cpu_tune.emulator_cpus == (1, 5)


def test_vcpus_without_cpus_of_their_own_float() -> None:
    """The emulator floats with them, unless it has a CPU of its own; what was given is read again."""
    placement = Placement((CellDemand((0, 1, 2, 3), 1536, (0, 2)),), dedicated=True)
    given = Allocation((PlacedCell(0, ((1, 5), (3, 7))),))
    machine = place(BARE, placement, given)
    assert machine.cpu_tune.vcpu_pins == (CpuPin(1, (5,)), CpuPin(3, (7,)))
    assert machine.cpu_tune.emulator_cpus == ()
    assert recorded(machine) == given
    alone = replace(given, emulator_cpu=6)
    machine = place(BARE, replace(placement, isolate_emulator=True), alone)
    assert machine.cpu_tune.emulator_cpus == (6,)
    assert recorded(machine) == alone


def test_a_machine_without_cells_only_gets_devices() -> None:
    """Nothing is said about where it lies."""
    assert place(BARE, Placement(), Allocation()) == BARE
    machine = place(BARE, Placement(), Allocation(pci=("0000:3b:00.1",)))
    assert (machine.hostdevs, machine.cpu, machine.numa_tune) == (
        (Hostdev("0000:3b:00.1", managed=True),),
        BARE.cpu,
        NumaTune(),
    )


@pytest.mark.parametrize(
    ("cells", "allocation"),
    [
        (TWO, PLACED),
        (TWO, Allocation((PlacedCell(0), PlacedCell(1)))),
        (TWO[:1], Allocation((PlacedCell(0, ((0, 5), (2, 1))),))),
        (TWO[:1], Allocation((PlacedCell(0, page_kib=2048),))),
        ((CellDemand((0,), 512),), Allocation((PlacedCell(0, ((0, 5),)),))),
        ((), Allocation(pci=("0000:3b:00.1", "0000:3b:00.2"))),
        ((), Allocation()),
    ],
)
def test_the_definition_records_the_place(cells: tuple[CellDemand, ...], allocation: Allocation) -> None:
    """What was given is what is read from the definition again."""
    pinned = any(cell.pins for cell in allocation.cells)
    machine = place(BARE, Placement(cells, dedicated=pinned), allocation)
    assert recorded(read(render(machine))) == allocation


def test_reads_pages_that_are_for_all_cells() -> None:
    """Written by hand, they may name no cell."""
    machine = Machine(
        "kvm",
        "m",
        cpu=Cpu(cells=(NumaCell(0, 1, (0,)),)),
        numa_tune=NumaTune(nodes=(MemoryNode(0, (2,)),)),
        memory_backing=MemoryBacking(hugepages=(Pages(2048),)),
        cpu_tune=CpuTune(vcpu_pins=(CpuPin(0, (1, 2)),)),
    )
    assert recorded(machine) == Allocation((PlacedCell(2, (), 2048),))
