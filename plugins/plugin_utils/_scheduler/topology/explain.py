# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a host's cells or devices is short, as the rest of a sentence about the host."""

from __future__ import annotations

from ....module_utils._plan.allocate import Demand, NoCellsError, find_cells
from ....module_utils._plan.devices import NoDevicesError, find_devices
from ....module_utils._plan.topology import Host


def short_cells(demand: Demand, host: Host) -> str | None:
    """Return why the cells fit nowhere; None if they fit."""
    if not demand.placement.cells:
        return None
    if not host.cells:
        return "tells of no NUMA cells, and the instance wants CPUs, pages or cells to itself"
    try:
        find_cells(demand, host)
    except NoCellsError as exc:
        return _short_cell(exc) if exc.index is not None else _short_together(demand, host, exc)
    return None


def _short_together(demand: Demand, host: Host, short: NoCellsError) -> str:
    count = len(demand.placement.cells)
    if count > len(host.cells):
        return f"needs {count} NUMA cells, the host has {len(host.cells)}"
    if short.are_far:
        return (
            "has no NUMA cells that it fits into and that its PCI devices are near enough to"
            f" (hw:pci_numa_affinity_policy: {demand.pci_affinity})"
        )
    return f"has room for each of the {count} NUMA cells, but not for all: each needs a cell to itself"


def _short_cell(short: NoCellsError) -> str:
    cells = sorted(short.reasons.items(), key=lambda item: (-item[1].have, item[0]))
    best, reason = cells[0]
    whats = {one.what for _cell, one in cells}
    if len(whats) == 1 and reason.have < reason.need:
        return f"needs {reason.need} {reason.what} in one cell, most are {reason.have} in cell {best}"
    return "has no cell that fits: " + "; ".join(f"cell {cell} has {one}" for cell, one in short.reasons.items())


def short_devices(demand: Demand, host: Host) -> str | None:
    """Return which devices are short; None if none is."""
    try:
        find_devices(demand.pci, demand.pci_affinity, host, frozenset())
    except NoDevicesError as exc:
        request = exc.request
        if request.address is not None:
            return f"needs PCI {request.address}, which is not free"
        return f"needs {request.count} of PCI {request.vendor_id}:{request.product_id}, {exc.found} free"
    missing = [uuid for uuid in demand.mdevs if uuid not in host.mdevs]
    return f"needs the mediated device {missing[0]}, which is not free" if missing else None
