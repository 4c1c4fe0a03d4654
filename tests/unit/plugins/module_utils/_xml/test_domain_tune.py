# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what an edit of pins, of memory's place and of I/O threads takes away."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import CpuPin, CpuTune, MemoryNode, NumaTune
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read

TUNED = (
    "<domain type='kvm'><name>m</name><iothreads>2</iothreads><iothreadids><iothread id='7'/><iothread id='9'/>"
    "</iothreadids><cputune><vcpupin vcpu='1' cpuset='4-7,^5'/><vcpupin vcpu='0' cpuset='2'/><emulatorpin cpuset='0'/>"
    "<vcpusched vcpus='0' scheduler='fifo' priority='1'/></cputune>"
    "<numatune><memory mode='strict' placement='auto'/></numatune></domain>"
)


def _edited(machine: Machine) -> str:
    return edit(TUNED, machine)


def test_pins_are_one_value_in_the_order_of_vcpus() -> None:
    """However they stand there; what is not known stays."""
    assert read(TUNED).cpu_tune.vcpu_pins == (CpuPin(0, (2,)), CpuPin(1, (4, 6, 7)))
    edited = _edited(Machine("kvm", "m", cpu_tune=CpuTune(vcpu_pins=(CpuPin(1, (3,)),))))
    tune = read(edited).cpu_tune
    assert (tune.vcpu_pins, tune.emulator_cpus) == ((CpuPin(1, (3,)),), (0,))
    assert "<vcpusched" in edited


def test_an_empty_value_unpins() -> None:
    """No pins is something else than nothing said about them."""
    edited = _edited(Machine("kvm", "m", cpu_tune=CpuTune(vcpu_pins=(), emulator_cpus=())))
    assert (read(edited).cpu_tune.vcpu_pins, read(edited).cpu_tune.emulator_cpus) == ((), ())
    assert "<cputune" not in edit("<domain/>", Machine("kvm", "m", cpu_tune=CpuTune(vcpu_pins=())))


def test_cells_of_the_host_end_automatic_placement() -> None:
    """Libvirt takes one or the other."""
    edited = _edited(Machine("kvm", "m", numa_tune=NumaTune(host_cells=(0, 1))))
    assert read(edited).numa_tune == NumaTune("strict", (0, 1), ())
    assert "placement" not in edited


def test_nothing_left_of_where_memory_lies() -> None:
    """The last part takes the element with it."""
    assert "<numatune" not in _edited(Machine("kvm", "m", numa_tune=NumaTune(host_cells=())))
    placed = _edited(Machine("kvm", "m", numa_tune=NumaTune(nodes=(MemoryNode(0, (1,)),))))
    assert read(placed).numa_tune.nodes == (MemoryNode(0, (1,)),)
    unplaced = edit(placed, Machine("kvm", "m", numa_tune=NumaTune(nodes=())))
    assert read(unplaced).numa_tune.nodes == ()
    assert "<numatune>" in unplaced


@pytest.mark.parametrize(("count", "listed"), [(2, True), (3, False), (0, False)])
def test_another_number_of_io_threads_ends_their_list(count: int, listed: bool) -> None:
    """The list must agree with the number."""
    edited = _edited(Machine("kvm", "m", iothreads=count))
    assert read(edited).iothreads == count
    assert ("<iothreadids>" in edited) is listed
    assert ("<iothreads>" in edited) is bool(count)
