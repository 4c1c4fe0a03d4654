# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How much memory a machine boots with, and how it can have more without being powered off. Pure.

Where the machine allows it, memory is plugged in: it boots with what it was promised. Otherwise it boots with the most
that it can have, of which its balloon gives back what it was not promised.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..._plan.machine import merged
from ..._plan.memory import SLOTS, has_one_cell, has_own_cells, most_memory_kib, room_kib, takes_modules
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Cpu, Machine
from ..._spec.tuning import NumaCell

_KIB_PER_MIB = 1024
_HEADROOM = 4
_MOST_UNASKED_KIB = 512 * 1024**2
"""A guest has 40 bits for addresses unless its CPU is the host's own, and QEMU needs some beyond its memory."""
_LEAST_UNASKED_KIB = 4 * 1024**2
"""Linux on x86 keeps 64 MiB for devices as soon as there is or may be memory above 4 GiB; up from here it does anyway."""
_LEAST_KIB = 512 * 1024
"""A smaller guest could not spare them."""
_MACHINES = {"x86_64": re.compile(r"(pc-)?q35(-.+)?|pc(-i440fx-.+)?"), "aarch64": re.compile(r"virt(-.+)?")}


def with_memory(machine: Machine, spec: InstanceSpec, host_memory_mb: int, existing: Machine | None) -> Machine:
    """Return ``machine``, which has all but its memory, with that: ``current_memory_kib`` is what it was promised.

    Cells that the user declares are added later, when it is known where they lie.
    """
    memory = machine.current_memory_kib or 0
    declared = None if spec.max_memory_mb is None else spec.max_memory_mb * _KIB_PER_MIB
    if spec.detail.placement.cells:
        room = 0 if existing is not None and takes_modules(existing) else None
        return replace(machine, memory_kib=memory, max_memory_kib=room)
    if existing is not None and takes_modules(existing):
        if spec.flavor is None:
            memory = existing.memory_kib
        return _with_slots_kept(machine, memory, declared, existing)
    is_free = existing is None and memory >= _LEAST_UNASKED_KIB
    unasked = min(_HEADROOM * memory, host_memory_mb * _KIB_PER_MIB, _MOST_UNASKED_KIB) if is_free else 0
    most = declared or unasked
    if most > memory >= _LEAST_KIB and _can_have_slots(machine, existing):
        return _with_cell(replace(machine, max_memory_kib=room_kib(most), memory_slots=SLOTS), memory, None)
    return _with_balloon(machine, declared, existing)


def _with_slots_kept(machine: Machine, memory: int, declared: int | None, existing: Machine) -> Machine:
    """Return ``machine`` with room for what is declared, and with what there is where nothing is."""
    modules, kept = sum(existing.memory_modules_kib), most_memory_kib(existing)
    is_unwanted = declared is not None and declared <= memory
    if (is_unwanted or _LEAST_KIB > memory < existing.memory_kib) and not modules:
        return replace(
            machine,
            memory_kib=max(memory, declared or 0),
            max_memory_kib=0,
            cpu=replace(machine.cpu or Cpu(), cells=()),
        )
    most = max(memory, declared or kept)
    room = existing.max_memory_kib if most == kept else room_kib(most)
    machine = replace(machine, max_memory_kib=room, memory_slots=existing.memory_slots or SLOTS)
    return _with_cell(machine, memory, existing)


def _with_balloon(machine: Machine, declared: int | None, existing: Machine | None) -> Machine:
    """Return ``machine`` with what it boots with: as before where there was headroom, which was no limit of the user's."""
    memory, kept = machine.current_memory_kib or 0, 0
    if existing is not None:
        has_headroom = (existing.current_memory_kib or existing.memory_kib) < existing.memory_kib
        kept = existing.memory_kib if has_headroom or has_own_cells(existing) else 0
    most = max(memory, declared or kept)
    if existing is not None and has_one_cell(existing):
        return _with_cell(machine, most, existing)
    return replace(machine, memory_kib=most)


def _with_cell(machine: Machine, memory: int, existing: Machine | None) -> Machine:
    """Return ``machine`` with the one cell of all its vCPUs that slots for memory need."""
    cell = NumaCell(0, memory, tuple(range(machine.vcpus)))
    if existing is not None:
        present = existing.cpu.cells if existing.cpu else None
        access = present[0].access if present else None
        cell = replace(cell, memory_kib=memory - sum(existing.memory_modules_kib), access=access)
    return replace(machine, memory_kib=memory, cpu=replace(machine.cpu or Cpu(), cells=(cell,)))


def _can_have_slots(machine: Machine, existing: Machine | None) -> bool:
    whole = merged(machine, existing)
    if existing is not None and (existing.max_memory_kib or existing.current_memory_kib != existing.memory_kib):
        # Its balloon gives back what it may have more; so it stays.
        return False
    backing, known = whole.memory_backing, _MACHINES.get(whole.os.arch or "")
    is_tied = bool((whole.cpu and whole.cpu.cells) or backing.hugepages or backing.locked or whole.launch_security)
    is_known = known is not None and known.fullmatch(whole.os.machine or "") is not None
    return whole.type in ("kvm", "qemu") and is_known and bool(whole.features.acpi) and not is_tied
