# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What of a host can be given to one instance alone, and what was given to it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class HostCell:
    """A NUMA cell of the host, with what the instance in question may take: its own counts as free."""

    id: int
    cores: tuple[tuple[int, ...], ...]
    """Each core's CPUs: the sets of siblings."""
    free_memory_mb: int
    """Memory of ordinary pages that is promised to nobody."""
    free_pages: tuple[tuple[int, int], ...] = ()
    """(KiB, number) of huge pages."""
    socket: int | None = None
    """The socket that all its CPUs are in; None if that is not known, or they are in several."""

    @property
    def cpus(self) -> tuple[int, ...]:
        """Return all CPUs, in order."""
        return tuple(sorted(cpu for core in self.cores for cpu in core))


@dataclass(frozen=True)
class FreeDevice:
    """A PCI device that no instance has."""

    address: str
    vendor_id: str
    product_id: str
    cell: int | None = None
    """The NUMA cell it is attached to; None where the host does not tell."""


@dataclass(frozen=True)
class Host:
    """What an instance may take of its host. The order of parts means nothing."""

    cells: tuple[HostCell, ...] = ()
    taken: frozenset[int] = frozenset()
    """CPUs that others have for themselves; see :func:`taken_cpus`."""
    devices: tuple[FreeDevice, ...] = ()
    mdevs: tuple[str, ...] = ()
    """UUIDs of mediated devices that no instance has."""
    small_page_kib: int = 4


@dataclass(frozen=True)
class PlacedCell:
    """Where one cell of the guest lies: ``pins`` are (vCPU, host CPU), none where vCPUs float over the host's cell."""

    host_cell: int
    pins: tuple[tuple[int, int], ...] = ()
    page_kib: int | None = None
    """Size of its huge pages."""


@dataclass(frozen=True)
class Allocation:
    """What an instance gets, its cells in order."""

    cells: tuple[PlacedCell, ...] = ()
    emulator_cpu: int | None = None
    """The CPU that the emulator has to itself."""
    pci: tuple[str, ...] = ()
    mdevs: tuple[str, ...] = ()

    @property
    def cpus(self) -> frozenset[int]:
        """Return the CPUs that nobody else gets."""
        own = {cpu for cell in self.cells for _vcpu, cpu in cell.pins}
        return frozenset(own if self.emulator_cpu is None else own | {self.emulator_cpu})


def taken_cpus(cells: t.Iterable[HostCell], pinned: t.Iterable[int], isolated: t.Iterable[int] = ()) -> frozenset[int]:
    """Return the CPUs that others have: those they are ``pinned`` to, and whole cores of those that are ``isolated``.

    An instance of thread policy isolate is pinned to one thread of a core, and its XML does not tell of the others.
    """
    lonely = frozenset(isolated)
    if not lonely:
        return frozenset(pinned)
    cores = (core for cell in cells for core in cell.cores)
    return frozenset(pinned) | lonely | {cpu for core in cores if lonely.intersection(core) for cpu in core}
