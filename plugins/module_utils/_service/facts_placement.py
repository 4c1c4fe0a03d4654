# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a guest has of its host to itself, as facts: NUMA cells, CPUs, pages and devices. Pure."""

from __future__ import annotations

import typing as t

from .._plan.placed import promised, recorded
from .._plan.topology import HostCell, taken_cpus
from .._spec.machine import Machine
from .._xml.capabilities import Cell
from .facts_guests import Guest

_KIB_PER_MIB = 1024


def placement_row(guest: Guest, cells: t.Iterable[Cell]) -> dict[str, t.Any] | None:
    """Return where the guest lies and which CPUs nobody else gets; None for one that floats over the host."""
    emulator = recorded(guest.machine).emulator_cpu
    own = {*guest.demand.pinned_cpus, *(() if emulator is None else (emulator,))}
    is_lonely = guest.record is not None and guest.record.isolated
    here = [HostCell(cell.id, cell.cores, 0) for cell in cells]
    row = {
        "cells": [
            {
                "host_cell": placed.host_cell,
                "cpus": [cpu for _vcpu, cpu in placed.pins],
                "memory_mb": -(-memory_kib // _KIB_PER_MIB),
                "page_kb": placed.page_kib,
            }
            for placed, memory_kib in promised(guest.machine)
        ],
        "emulator_cpu": emulator,
        "taken_cpus": sorted(taken_cpus(here, () if is_lonely else own, own if is_lonely else ())),
        "pci_devices": list(guest.demand.pci_addresses),
        "mdevs": sorted(_mdevs(guest.machine)),
    }
    return row if any(row.values()) else None


def mdev_rows(uuids: t.Iterable[str], guests: t.Iterable[Guest]) -> list[dict[str, t.Any]]:
    """Return the mediated devices, each with the guest that has it."""
    users: dict[str, str] = {}
    for guest in sorted(guests, key=lambda one: (not one.reading.is_active, one.reading.name)):
        for uuid in _mdevs(guest.machine):
            users.setdefault(uuid, guest.reading.name)
    return [{"uuid": uuid, "in_use_by": users.get(uuid)} for uuid in uuids]


def _mdevs(machine: Machine) -> set[str]:
    return {device.address for device in machine.hostdevs if device.type == "mdev"}
