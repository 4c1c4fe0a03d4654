# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance as it is found on a host."""

from __future__ import annotations

from dataclasses import dataclass

from .._spec.machine import Machine
from .._spec.record import InstanceRecord
from .fixed_ip import Reservation


@dataclass(frozen=True)
class OwnDisk:
    """A disk that was made for the instance or attached to it, or the first of one that was adopted, as it is found."""

    target: str
    pool: str
    volume: str
    source: str | None = None
    """Where the domain's disk lies."""
    layer: str | None = None
    """The volume over it, in the same pool, that the domain lies on since a snapshot of ours."""
    strayed: bool = False
    """The domain lies on something else than these: a snapshot was taken, or the disk was moved by hand."""
    missing: bool = False
    """The volume is not there."""
    capacity_bytes: int | None = None
    """What the guest sees; None is not known."""
    is_root: bool = True
    is_ours: bool = True
    """It was made for the instance, and goes with it."""


@dataclass(frozen=True)
class Existing:
    """An instance found on the host: its persistent definition and how it is now."""

    machine: Machine
    state: str
    active: bool
    saved: bool = False
    """It is off with its memory saved, and goes on with that at the next start."""
    disks: tuple[OwnDisk, ...] = ()
    live: Machine | None = None
    """The guest as it runs, or as it will go on from its saved memory."""
    seed_missing: bool = False
    """The volume that tells of the first boot is not there."""
    stale_seeds: tuple[str, ...] = ()
    """Volumes that told of it once, and that neither the definition nor the guest has."""
    reservations: tuple[Reservation, ...] = ()
    """What networks keep for its NICs."""
    autostart: bool = False
    """Libvirt starts it when the host boots."""
    unused_memory_kib: int = 0
    """What was plugged in and the guest has not taken into use, as far as its agent tells."""
    anchored: frozenset[str] = frozenset()
    """MAC addresses of NICs that are to be plugged in elsewhere, which libvirt can't do while the guest runs."""

    @property
    def record(self) -> InstanceRecord | None:
        """Return what the collection wrote into the domain, None if it is not ours."""
        return self.machine.record

    @property
    def root(self) -> OwnDisk | None:
        """Return the disk whose size is the flavor's."""
        return next((disk for disk in self.disks if disk.is_root), None)

    @property
    def keeps_hardware(self) -> bool:
        """Tell whether a changed definition waits for the next boot."""
        return self.active or self.saved
