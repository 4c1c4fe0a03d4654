# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what an edit of a CPU's features and NUMA cells takes away, and what it keeps."""

from __future__ import annotations

from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Cpu, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import NumaCell
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read

CPU = (
    "<domain type='kvm'><name>m</name><cpu mode='host-passthrough' migratable='on'><feature name='vmx'/><numa>"
    "<cell cpus='0-1' memory='2' unit='GiB'><distances><sibling id='1' value='21'/></distances></cell>"
    "<cell cpus='2' memory='512' unit='MiB' memAccess='shared'/></numa></cpu></domain>"
)
"""Cells without ids are numbered by their place."""


def _edited(cpu: Cpu) -> str:
    return edit(CPU, Machine("kvm", "m", cpu=cpu))


def test_reads_cells_in_any_unit() -> None:
    """As people write them; a feature without a policy is required."""
    cpu = read(CPU).cpu
    assert cpu is not None
    assert cpu.cells == (NumaCell(0, 2097152, (0, 1)), NumaCell(1, 524288, (2,), "shared"))
    assert (cpu.features, cpu.migratable) == ((("vmx", "require"),), True)


def test_cells_are_one_value_but_keep_what_else_they_hold() -> None:
    """A cell that is not wanted goes, one that stays keeps its distances."""
    edited = _edited(Cpu(cells=(NumaCell(0, 1024, (0,)), NumaCell(2, 1024))))
    cpu = read(edited).cpu
    assert cpu is not None
    assert cpu.cells == (NumaCell(0, 1024, (0,)), NumaCell(2, 1024))
    assert "<distances>" in edited
    assert 'cpus=""' not in edited


def test_an_empty_value_takes_all_away() -> None:
    """No cells and no features is something else than nothing said."""
    edited = _edited(Cpu(cells=(), features=()))
    assert "<numa>" not in edited
    assert "<feature" not in edited
    assert "<numa>" in _edited(Cpu(mode="host-passthrough"))


def test_another_mode_takes_what_only_the_old_one_has() -> None:
    """Whether it can migrate is of the modes that pass the host's CPU on."""
    assert "migratable" not in _edited(Cpu(mode="host-model"))
    assert 'migratable="off"' in _edited(Cpu(migratable=False))
