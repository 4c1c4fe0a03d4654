# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How memory is plugged into a running guest: in blocks that the guest takes into use or not, one module at a time.

The definition has one plain memory and one cell that is all of the machine, which libvirt wants where there are slots.
Only the running guest has modules, so that its next boot needs none.
"""

from __future__ import annotations

from .._spec.machine import Machine

SLOTS = 16
_MIB = 1024
_BLOCK_KIB = 128 * _MIB
_LARGE_BLOCK_KIB = 2048 * _MIB
_LARGE_FROM_KIB = 62 * 1024 * _MIB
"""Linux on x86 takes larger blocks from 64 GiB on, of which 2 GiB may be a gap for devices."""


def block_kib(memory_kib: int) -> int:
    """Return in what pieces a guest that booted with so much takes more."""
    return _LARGE_BLOCK_KIB if memory_kib >= _LARGE_FROM_KIB else _BLOCK_KIB


def room_kib(most_kib: int) -> int:
    """Return up to where memory must be pluggable to have ``most_kib``: the last module may be a block too large."""
    return most_kib + block_kib(most_kib)


def most_memory_kib(machine: Machine) -> int:
    """Return the most that the guest can have without being powered off; slots beside cells of others are not used."""
    room = machine.max_memory_kib
    if not room or not takes_modules(machine):
        return machine.memory_kib
    block = _LARGE_BLOCK_KIB if room >= room_kib(_LARGE_FROM_KIB) else _BLOCK_KIB
    return max(room - block, machine.current_memory_kib or 0)


def takes_modules(machine: Machine) -> bool:
    """Tell whether there are slots and the one cell beside them."""
    return bool(machine.max_memory_kib) and has_one_cell(machine)


def has_one_cell(machine: Machine) -> bool:
    """Tell whether the only NUMA cell has all vCPUs, and so says nothing that the rest of the machine does not."""
    cells = machine.cpu.cells or () if machine.cpu else ()
    return len(cells) == 1 and cells[0].cpus == tuple(range(machine.vcpus))


def has_own_cells(machine: Machine) -> bool:
    """Tell whether there are NUMA cells that somebody chose."""
    return bool(machine.cpu and machine.cpu.cells) and not has_one_cell(machine)


def module_kib(guest: Machine, wanted_kib: int) -> int | None:
    """Return the size of the module with which the running ``guest`` has at least ``wanted_kib``; None: none would do."""
    modules = guest.memory_modules_kib
    missing = wanted_kib - guest.memory_kib
    block = _block_kib_of(guest)
    size = -(-missing // block) * block
    is_exact = size == missing
    if not takes_modules(guest) or not guest.features.acpi or len(modules) >= (guest.memory_slots or 0):
        return None
    if guest.memory_kib + size > (guest.max_memory_kib or 0):
        return None
    # What a module has too much is the balloon's to keep.
    return size if is_exact or guest.balloon != "none" else None


def can_balloon(guest: Machine, wanted_kib: int) -> bool:
    """Tell whether the running ``guest`` can have as little by its balloon.

    With modules it keeps no more than what the last of them has too much: a guest that boots by itself may let its modules
    lie, and whatever the balloon keeps is then taken from the rest.
    """
    kept = guest.memory_kib - wanted_kib
    return guest.balloon != "none" and kept >= 0 and (not guest.memory_modules_kib or kept < _block_kib_of(guest))


def _block_kib_of(guest: Machine) -> int:
    return block_kib(guest.memory_kib - sum(guest.memory_modules_kib))
