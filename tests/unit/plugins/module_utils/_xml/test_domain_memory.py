# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how amounts of memory are kept in their bounds, and of what memory is made of."""

from __future__ import annotations

from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.tuning import MemoryBacking, Pages
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain_memory import render_memory_module

MEMORY = (
    "<domain type='kvm'><name>m</name><maxMemory slots='4' unit='GiB'>2</maxMemory><memory unit='GiB'>1</memory>"
    "<memoryBacking><hugepages/><locked/><discard/></memoryBacking></domain>"
)


def _edited(machine: Machine) -> str:
    return edit(MEMORY, machine)


def test_memory_never_exceeds_up_to_where_it_can_grow() -> None:
    """Libvirt refuses such a definition."""
    grown = read(_edited(Machine("kvm", "m", memory_kib=4194304)))
    assert (grown.memory_kib, grown.max_memory_kib, grown.memory_slots) == (4194304, 4194304, 4)
    same = read(_edited(Machine("kvm", "m", memory_kib=2097152)))
    assert (same.memory_kib, same.max_memory_kib) == (2097152, 2097152)
    more = read(_edited(Machine("kvm", "m", memory_slots=8)))
    assert (more.max_memory_kib, more.memory_slots) == (2097152, 8)


def test_slots_go() -> None:
    """Nothing of them is left, and no more memory than there was."""
    bare = read(_edited(Machine("kvm", "m", max_memory_kib=0)))
    assert (bare.memory_kib, bare.max_memory_kib, bare.memory_slots) == (1048576, None, None)


def test_modules_are_one_value() -> None:
    """None leaves those that are there, others take their place; each is a device of its own too."""
    module = render_memory_module(131072)
    text = MEMORY.replace("</domain>", f"<devices>{module}</devices></domain>")
    assert read(text).memory_modules_kib == (131072,)
    assert read(edit(text, Machine("kvm", "m"))).memory_modules_kib == (131072,)
    assert read(edit(text, Machine("kvm", "m", memory_modules_kib=(1, 2)))).memory_modules_kib == (1, 2)


def test_reads_pages_of_the_default_size() -> None:
    """Huge pages without a size are the host's ordinary huge ones."""
    assert read(MEMORY).memory_backing == MemoryBacking((Pages(0),), nosharepages=False, locked=True)


def test_pages_are_one_value_and_flags_go() -> None:
    """What is not known stays."""
    wanted = MemoryBacking(hugepages=(Pages(1048576, (0, 1)),), locked=False)
    edited = _edited(Machine("kvm", "m", memory_backing=wanted))
    assert read(edited).memory_backing.hugepages == (Pages(1048576, (0, 1)),)
    assert "<locked" not in edited
    assert "<discard/>" in edited
    gone = _edited(Machine("kvm", "m", memory_backing=MemoryBacking(hugepages=())))
    assert "<hugepages" not in gone
