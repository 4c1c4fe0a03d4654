# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Does it fit? Nova's placement arithmetic on one host, re-checked right before an instance is defined."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .._errors import CapacityError
from .._spec.lifecycle import Limits


@dataclass(frozen=True)
class Amount:
    """Some of a host's resources: vCPUs, MiB of memory, GiB of disk."""

    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0

    def plus(self, other: Amount) -> Amount:
        """Return the sum."""
        return Amount(self.vcpus + other.vcpus, self.memory_mb + other.memory_mb, self.disk_gb + other.disk_gb)

    def minus(self, other: Amount) -> Amount:
        """Return what remains, never below nothing."""
        return Amount(
            max(0, self.vcpus - other.vcpus),
            max(0, self.memory_mb - other.memory_mb),
            max(0, self.disk_gb - other.disk_gb),
        )


def refuse_overcommit(name: str, asked: Amount, total: Amount, used: Amount, limits: Limits) -> None:
    """Raise :class:`CapacityError` unless ``used + asked <= (total - reserved) * ratio`` and ``asked <= total``.

    The disk reserve is MiB and counts as whole GiB, rounded up.
    """
    reserved_disk_gb = -(-limits.reserved_host_disk_mb // 1024)
    rows = (
        ("vCPUs", asked.vcpus, total.vcpus, used.vcpus, limits.reserved_host_cpus, limits.cpu_allocation_ratio),
        (
            "MiB of memory",
            asked.memory_mb,
            total.memory_mb,
            used.memory_mb,
            limits.reserved_host_memory_mb,
            limits.ram_allocation_ratio,
        ),
        ("GiB of disk", asked.disk_gb, total.disk_gb, used.disk_gb, reserved_disk_gb, limits.disk_allocation_ratio),
    )
    for unit, wanted, whole, taken, reserved, ratio in rows:
        room = int((whole - reserved) * Fraction(str(ratio)))
        if wanted and (wanted > whole or taken + wanted > room):
            raise CapacityError(
                f"Instance {name} needs {wanted} {unit} and this host has {max(0, min(room - taken, whole))} left:"
                f" {taken} of {room} promised ({whole} there, {reserved} reserved, ratio {ratio})."
            )
