# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the arithmetic of memory that is plugged into a running guest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.memory import (
    block_kib,
    can_balloon,
    has_own_cells,
    module_kib,
    most_memory_kib,
    room_kib,
    takes_modules,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Cpu, Features, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import NumaCell
from hypothesis import given, settings
from hypothesis import strategies as st

MIB = 1024
GIB = 1024**2


def guest(boot_mib: int, *modules_mib: int, most_mib: int = 4096, slots: int = 16) -> Machine:
    """Return a running guest with modules."""
    boot, modules = boot_mib * MIB, tuple(size * MIB for size in modules_mib)
    return Machine(
        "qemu",
        "m",
        memory_kib=boot + sum(modules),
        current_memory_kib=boot + sum(modules),
        vcpus=2,
        max_memory_kib=room_kib(most_mib * MIB),
        memory_slots=slots,
        memory_modules_kib=modules,
        features=Features(acpi=True),
        cpu=Cpu(cells=(NumaCell(0, boot, (0, 1)),)),
        balloon="virtio",
    )


@settings(deadline=None)
@given(st.integers(1, 2**32))
def test_the_most_is_read_back_from_the_room(most: int) -> None:
    """The room is written, and the user is told of the most."""
    machine = replace(guest(0), max_memory_kib=room_kib(most))
    assert most_memory_kib(machine) == most
    assert most_memory_kib(replace(machine, cpu=None, memory_kib=7)) == 7


@settings(deadline=None)
@given(st.integers(1, 200 * GIB), st.lists(st.integers(1, 8 * GIB), min_size=1, max_size=8))
def test_any_way_up_to_the_most_fits(boot: int, steps: list[int]) -> None:
    """However often the guest grows, its modules are whole blocks and there is room for the last one."""
    most = boot + sum(steps)
    machine = replace(guest(0), memory_kib=boot, current_memory_kib=boot, max_memory_kib=room_kib(most))
    wanted = boot
    for step in steps:
        wanted += step
        size = 0 if wanted <= machine.memory_kib else module_kib(machine, wanted)
        assert size is not None
        assert size % block_kib(boot) == 0
        modules = (*machine.memory_modules_kib, *([size] if size else ()))
        machine = replace(machine, memory_kib=machine.memory_kib + size, memory_modules_kib=modules)
        assert machine.memory_kib - block_kib(boot) < wanted <= machine.memory_kib


@pytest.mark.parametrize(
    ("machine", "wanted_mib", "expected_mib"),
    [
        (guest(512), 576, 128),
        (guest(512, 128), 896, 256),
        (guest(512), 4096, 3584),
        (guest(500), 4096, 3712),
        (guest(512), 4300, None),
        (guest(512, 128, slots=1), 768, None),
        (replace(guest(512), balloon="none"), 640, 128),
        (replace(guest(512), balloon="none"), 600, None),
        (replace(guest(512), features=Features()), 640, None),
        (replace(guest(512), max_memory_kib=None), 640, None),
        (replace(guest(512), cpu=Cpu(cells=(NumaCell(0, 1, (0,)), NumaCell(1, 1, (1,))))), 640, None),
        (guest(64 * 1024, most_mib=80 * 1024), 65 * 1024, 2048),
    ],
)
def test_what_is_plugged_in(machine: Machine, wanted_mib: int, expected_mib: int | None) -> None:
    """Whole blocks; nothing where there is no room, no slot, no way to tell the guest, or none to keep the rest."""
    assert module_kib(machine, wanted_mib * MIB) == (expected_mib and expected_mib * MIB)


@pytest.mark.parametrize(
    ("machine", "wanted_mib", "expected"),
    [
        (guest(1024), 1024, True),
        (guest(1024), 100, True),
        (guest(1024), 1025, False),
        (guest(512, 512), 897, True),
        (guest(512, 512), 896, False),
        (guest(64 * 1024, 2048, most_mib=80 * 1024), 64 * 1024 + 1, True),
        (guest(64 * 1024, 2048, most_mib=80 * 1024), 64 * 1024, False),
        (replace(guest(1024), balloon="none"), 1024, False),
    ],
)
def test_what_the_balloon_may_keep(machine: Machine, wanted_mib: int, expected: bool) -> None:
    """Anything of what the guest booted with, but with modules no more than one of them has too much."""
    assert can_balloon(machine, wanted_mib * MIB) == expected


def test_cells_that_somebody_chose() -> None:
    """Only one that has every vCPU says nothing of its own."""
    one = guest(512)
    assert takes_modules(one)
    assert not has_own_cells(one)
    for cells in ((NumaCell(0, 1, (0,)),), (NumaCell(0, 1, (0,)), NumaCell(1, 1, (1,)))):
        other = replace(one, cpu=Cpu(cells=cells))
        assert not takes_modules(other)
        assert has_own_cells(other)
    assert not has_own_cells(replace(one, cpu=None))
