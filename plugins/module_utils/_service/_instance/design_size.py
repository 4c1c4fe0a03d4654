# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How many vCPUs and how much memory an instance has, and how many vCPUs it can have without being powered off."""

from __future__ import annotations

from dataclasses import dataclass

from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine

_KIB_PER_MIB = 1024
_VCPU_HEADROOM = 4
"""A vCPU that is not plugged costs next to nothing."""


@dataclass(frozen=True)
class Size:
    """What the instance has, and the most vCPUs it can have until its next boot."""

    vcpus: int
    most_vcpus: int
    memory_kib: int

    @property
    def memory_mb(self) -> int:
        """Return the memory in MiB, rounded up."""
        return -(-self.memory_kib // _KIB_PER_MIB)


def design_size(spec: InstanceSpec, host_cpus: int, existing: Machine | None) -> Size:
    """Return the size that is declared, or that of the ``existing`` machine where nothing is."""
    flavor = spec.flavor
    if existing is None:
        vcpus, memory = (flavor.vcpus, flavor.memory_mb * _KIB_PER_MIB) if flavor else (1, 0)
        most_vcpus = _most_vcpus_of_new(spec, vcpus, host_cpus)
    else:
        vcpus = flavor.vcpus if flavor else existing.current_vcpus or existing.vcpus
        memory = flavor.memory_mb * _KIB_PER_MIB if flavor else existing.current_memory_kib or existing.memory_kib
        most_vcpus = _kept_headroom(spec, existing, vcpus)
    return Size(vcpus, max(vcpus, most_vcpus), memory)


def _most_vcpus_of_new(spec: InstanceSpec, vcpus: int, host_cpus: int) -> int:
    if spec.max_vcpus is not None:
        return spec.max_vcpus
    if spec.detail.has_topology or spec.detail.placement.cells:
        return vcpus
    return min(_VCPU_HEADROOM * vcpus, host_cpus)


def _kept_headroom(spec: InstanceSpec, existing: Machine, vcpus: int) -> int:
    """Return the most vCPUs: what was written at creation, as it is no limit that the user declared."""
    if spec.max_vcpus is not None:
        return spec.max_vcpus
    if spec.detail.has_topology or spec.detail.placement.cells:
        return vcpus
    return existing.vcpus
