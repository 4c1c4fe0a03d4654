# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how much memory a machine boots with and how it can have more."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.machine import differences
from ansible_collections.kilonova.compute.plugins.module_utils._plan.memory import most_memory_kib
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.design_memory import with_memory
from ansible_collections.kilonova.compute.plugins.module_utils._service._instance.platforms import Platform
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Cpu, Machine, Sev
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import MemoryBacking, NumaCell, Pages
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import (
    FLAVOR,
    Q35,
    instance_spec,
    machine_of,
)

MIB = 1024
HOST = replace(Q35, host_memory_mb=64 * 1024)


def declared(memory_mb: int | None, most_mb: int | None = None, **changes: t.Any) -> t.Any:
    """Return a declaration of so much memory."""
    flavor = None if memory_mb is None else {**FLAVOR, "memory_mb": memory_mb}
    return instance_spec(flavor=flavor, max_memory_mb=most_mb, **changes)


def shown(machine: Machine) -> tuple[int, int, int, bool]:
    """Return the MiB that it boots with, that it is promised, that it can have, and whether there are slots."""
    promised = machine.current_memory_kib or 0
    return (
        machine.memory_kib // MIB,
        promised // MIB,
        most_memory_kib(machine) // MIB,
        bool(machine.max_memory_kib),
    )


@pytest.mark.parametrize(
    ("memory_mb", "most_mb", "platform", "expected"),
    [
        (4096, None, HOST, (4096, 4096, 16384, True)),
        (32768, None, HOST, (32768, 32768, 65536, True)),
        (65536, None, HOST, (65536, 65536, 65536, False)),
        (2048, None, HOST, (2048, 2048, 2048, False)),
        (2048, 3000, HOST, (2048, 2048, 3000, True)),
        (4096, 4096, HOST, (4096, 4096, 4096, False)),
        (256, 512, HOST, (512, 256, 512, False)),
        (2048, 4096, replace(HOST, machine="pc-i440fx-7.2"), (2048, 2048, 4096, True)),
        (2048, 4096, replace(HOST, machine="pc"), (2048, 2048, 4096, True)),
        (2048, 4096, replace(HOST, machine="microvm"), (4096, 2048, 4096, False)),
        (2048, 4096, replace(HOST, arch="aarch64", machine="virt-7.2"), (2048, 2048, 4096, True)),
        (2048, 4096, replace(HOST, arch="ppc64", machine="pseries"), (4096, 2048, 4096, False)),
        (2048, 4096, replace(HOST, virt_type="xen"), (4096, 2048, 4096, False)),
        (2**20, None, replace(HOST, host_memory_mb=2**22), (2**20, 2**20, 2**20, False)),
        (2**18, None, replace(HOST, host_memory_mb=2**22), (2**18, 2**18, 2**19, True)),
    ],
)
def test_a_new_machine(memory_mb: int, most_mb: int | None, platform: Platform, expected: tuple[int, ...]) -> None:
    """It boots with what it is promised where more can be plugged in, and without being asked only where that is free."""
    assert shown(machine_of(declared(memory_mb, most_mb), platform)) == expected


def test_slots_come_with_one_cell_of_all_vcpus() -> None:
    """Libvirt wants it, and it follows from the rest."""
    machine = machine_of(declared(4096, max_vcpus=3), HOST)
    assert machine.cpu is not None
    assert machine.cpu.cells == (NumaCell(0, 4096 * MIB, (0, 1, 2)),)
    assert machine.memory_slots == 16


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu": Cpu(cells=(NumaCell(0, 2048 * MIB, (0,)), NumaCell(1, 2048 * MIB, (1,))))},
        {"memory_backing": MemoryBacking(hugepages=(Pages(2048),))},
        {"memory_backing": MemoryBacking(locked=True)},
        {"launch_security": Sev(3)},
    ],
)
def test_memory_that_is_tied_down_gets_no_slots(changes: dict[str, t.Any]) -> None:
    """The user's own cells stay as they are, and there is no headroom that was not asked for."""
    spec = declared(4096)
    plain = replace(machine_of(spec, HOST), cpu=None, max_memory_kib=None, memory_slots=None, memory_kib=0)
    machine = with_memory(replace(plain, **changes), spec, HOST.host_memory_mb, None)
    assert shown(machine) == (4096, 4096, 4096, False)
    assert machine.cpu == changes.get("cpu")


def test_without_acpi_a_guest_would_not_hear_of_it() -> None:
    """So it boots with the most, which its balloon gives back."""
    assert shown(machine_of(declared(2048, 4096, features={"acpi": False}), HOST)) == (4096, 2048, 4096, False)


@pytest.mark.parametrize(
    ("before", "after", "expected", "paths"),
    [
        ((4096, None), (4096, None), (4096, 4096, 16384, True), []),
        ((4096, None), (None, None), (4096, 4096, 16384, True), []),
        ((4096, None), (8192, None), (8192, 8192, 16384, True), ["memory_mb"]),
        ((4096, None), (2048, None), (2048, 2048, 16384, True), ["memory_mb"]),
        ((4096, None), (16384, None), (16384, 16384, 16384, True), ["memory_mb"]),
        ((4096, None), (20480, None), (20480, 20480, 20480, True), ["max_memory_mb", "memory_mb"]),
        ((4096, None), (4096, 8192), (4096, 4096, 8192, True), ["max_memory_mb"]),
        ((4096, None), (4096, 4096), (4096, 4096, 4096, False), ["max_memory_mb"]),
        ((4096, None), (256, None), (256, 256, 256, False), ["max_memory_mb", "memory_mb"]),
        ((1024, 2048), (2048, 2048), (2048, 2048, 2048, False), ["memory_mb"]),
        ((1024, 2048), (None, 4096), (1024, 1024, 4096, True), ["max_memory_mb"]),
        ((1024, None), (1024, None), (1024, 1024, 1024, False), []),
        ((1024, None), (8192, None), (8192, 8192, 8192, False), ["max_memory_mb", "memory_mb"]),
        ((1024, None), (1024, 4096), (1024, 1024, 4096, True), ["max_memory_mb"]),
        ((128, 256), (128, 256), (256, 128, 256, False), []),
        ((128, 256), (192, None), (256, 192, 256, False), ["memory_mb"]),
        ((128, 256), (512, None), (512, 512, 512, False), ["max_memory_mb", "memory_mb"]),
        ((128, 256), (192, 1024), (1024, 192, 1024, False), ["max_memory_mb", "memory_mb"]),
    ],
)
def test_a_machine_that_is_there(
    before: tuple[int, int | None], after: tuple[int | None, int | None], expected: tuple[int, ...], paths: list[str]
) -> None:
    """Slots that are there stay, headroom by balloon stays that, and the cell is no difference of its own."""
    existing = replace(machine_of(declared(*before), HOST), uuid="u")
    later = machine_of(declared(*after), HOST, existing)
    assert shown(later) == expected
    assert [change.path for change in differences(later, existing)] == paths
    # As libvirt has it then: without the room that is taken away, and the cell with it.
    cells = later.cpu and later.cpu.cells
    cpu = Cpu(cells=cells) if cells else None
    made = replace(existing, **{name: getattr(later, name) for name in ("memory_kib", "current_memory_kib")})
    made = replace(made, max_memory_kib=later.max_memory_kib or None, memory_slots=later.memory_slots, cpu=cpu)
    again = machine_of(declared(*after), HOST, made)
    assert differences(again, made) == ()
    assert shown(again) == expected


def test_the_cell_follows_the_vcpus() -> None:
    """Libvirt refuses a cell with vCPUs that the machine can't have."""
    existing = replace(machine_of(declared(4096, max_vcpus=4), HOST), uuid="u")
    later = machine_of(declared(4096, max_vcpus=2), HOST, existing)
    assert later.cpu is not None
    assert later.cpu.cells == (NumaCell(0, 4096 * MIB, (0, 1)),)
    assert [change.path for change in differences(later, existing)] == ["max_vcpus"]


def test_modules_of_the_definition_stay() -> None:
    """Somebody put one there for good; it is a part of what is declared."""
    existing = replace(machine_of(declared(4096), HOST), memory_kib=5120 * MIB, memory_modules_kib=(1024 * MIB,))
    later = machine_of(declared(6144), HOST, existing)
    assert later.cpu is not None
    assert (later.memory_kib, later.cpu.cells) == (6144 * MIB, (NumaCell(0, 5120 * MIB, tuple(range(4))),))


def test_one_cell_that_is_there_follows_and_keeps_how_it_is_shared() -> None:
    """With slots or without, it is no difference of its own."""
    for room in (None, 16384 * MIB):
        cell = NumaCell(0, 1024 * MIB, tuple(range(4)), access="shared")
        existing = replace(
            machine_of(declared(1024), HOST), uuid="u", cpu=Cpu(mode="maximum", cells=(cell,)), max_memory_kib=room
        )
        same, later = machine_of(declared(1024), HOST, existing), machine_of(declared(2048), HOST, existing)
        assert differences(same, existing) == ()
        assert "memory_mb" in [change.path for change in differences(later, existing)]
        assert not any(change.path.startswith("cpu") for change in differences(later, existing))
        assert later.cpu is not None
        assert later.cpu.cells == (replace(cell, memory_kib=2048 * MIB),)
        private = replace(later, cpu=Cpu(cells=(replace(cell, access="private"),)))
        assert "cpu.cells" in [change.path for change in differences(private, existing)]


def test_cells_that_are_declared_take_the_place_of_slots() -> None:
    """They say where all of the memory lies, so there is none to come."""
    existing = replace(machine_of(declared(4096), HOST), uuid="u")
    spec = instance_spec(flavor={**FLAVOR, "vcpus": 2, "memory_mb": 4096}, numa={"nodes": 2})
    later = machine_of(spec, HOST, existing)
    assert (later.memory_kib, later.max_memory_kib) == (4096 * MIB, 0)
    assert [change.path for change in differences(later, existing) if "memory" in change.path] == ["max_memory_mb"]
    assert shown(machine_of(spec, HOST)) == (4096, 4096, 4096, False)
