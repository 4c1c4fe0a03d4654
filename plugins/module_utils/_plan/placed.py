# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""From what an instance was given of its host to its machine, and back: the machine is the only record of it."""

from __future__ import annotations

from dataclasses import replace

from .._spec.machine import Cpu, Hostdev, Machine
from .._spec.placement import Placement
from .._spec.tuning import CpuPin, MemoryNode, NumaCell, NumaTune, Pages
from .topology import Allocation, PlacedCell

_KIB_PER_MIB = 1024


def place(machine: Machine, placement: Placement, allocation: Allocation) -> Machine:
    """Return ``machine`` as it lies on its host, with the devices it was given."""
    hostdevs = tuple(Hostdev(address, managed=True) for address in allocation.pci)
    hostdevs += tuple(Hostdev(uuid, "mdev", model="vfio-pci") for uuid in allocation.mdevs)
    machine = replace(machine, hostdevs=machine.hostdevs + hostdevs)
    if not allocation.cells:
        return machine
    cells = tuple(
        NumaCell(index, cell.memory_mb * _KIB_PER_MIB, cell.vcpus) for index, cell in enumerate(placement.cells)
    )
    pins = tuple(sorted((CpuPin(vcpu, (cpu,)) for cell in allocation.cells for vcpu, cpu in cell.pins), key=_vcpu))
    emulator = (allocation.emulator_cpu,) if allocation.emulator_cpu is not None else None
    # The emulator floats where a vCPU does, and leaves those alone that don't.
    floats = any(cell.floating for cell in placement.cells)
    nodes = tuple(MemoryNode(index, (cell.host_cell,)) for index, cell in enumerate(allocation.cells))
    return replace(
        machine,
        cpu=replace(machine.cpu or Cpu(), cells=cells),
        cpu_tune=replace(
            machine.cpu_tune,
            vcpu_pins=pins,
            emulator_cpus=emulator or tuple(sorted(cpu for pin in pins if not floats for cpu in pin.cpus)),
        ),
        numa_tune=NumaTune("strict", tuple(sorted(cell.host_cell for cell in allocation.cells)), nodes),
        memory_backing=replace(machine.memory_backing, hugepages=_pages(allocation)),
    )


def recorded(machine: Machine) -> Allocation:
    """Return what a machine that was read has of its host."""
    pins = {pin.id: pin.cpus[0] for pin in machine.cpu_tune.vcpu_pins or () if len(pin.cpus) == 1}
    vcpus = {cell.id: cell.cpus for cell in (machine.cpu.cells if machine.cpu else None) or ()}
    sizes = {cell: page.size_kib for page in machine.memory_backing.hugepages or () for cell in page.cells or vcpus}
    nodes = [node for node in machine.numa_tune.nodes or () if node.host_cells]
    emulator = machine.cpu_tune.emulator_cpus or ()
    hostdevs = machine.hostdevs
    return Allocation(
        cells=tuple(
            PlacedCell(
                node.host_cells[0],
                tuple((vcpu, pins[vcpu]) for vcpu in vcpus.get(node.cell, ()) if vcpu in pins),
                sizes.get(node.cell),
            )
            for node in nodes
        ),
        emulator_cpu=emulator[0] if len(emulator) == 1 and emulator[0] not in pins.values() else None,
        pci=tuple(device.address for device in hostdevs if device.type == "pci"),
        mdevs=tuple(device.address for device in hostdevs if device.type == "mdev"),
    )


def promised(machine: Machine) -> tuple[tuple[PlacedCell, int], ...]:
    """Return the guest's cells that lie in one of the host's, each with its memory in KiB."""
    sizes = {cell.id: cell.memory_kib for cell in (machine.cpu.cells if machine.cpu else None) or ()}
    nodes = [node for node in machine.numa_tune.nodes or () if node.host_cells]
    return tuple(
        (placed, sizes[node.cell]) for node, placed in zip(nodes, recorded(machine).cells) if node.cell in sizes
    )


def _vcpu(pin: CpuPin) -> int:
    return pin.id


def _pages(allocation: Allocation) -> tuple[Pages, ...]:
    sizes = sorted({cell.page_kib for cell in allocation.cells if cell.page_kib is not None})
    return tuple(
        Pages(size, tuple(index for index, cell in enumerate(allocation.cells) if cell.page_kib == size))
        for size in sizes
    )
