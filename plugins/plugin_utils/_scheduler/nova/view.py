# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A host under the names that Nova gives its attributes, for requirements that flavors and hints write in them."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable

from ..model import DIMENSIONS
from ..state import HostState

_CPU, _RAM, _DISK = range(len(DIMENSIONS))
_MIB_PER_GIB = 1024
_MODES = {"qemu": ("hvm",), "kvm": ("hvm",), "lxc": ("exe",), "xen": ("hvm", "xen"), "hvf": ("hvm",), "bhyve": ("hvm",)}


def free_disk_mb(state: HostState) -> int:
    """Return Nova's figure: what is not promised, or what would be left if every disk grew to its size, if less."""
    free = state.host.total[_DISK] - state.used[_DISK]
    least = state.host.facts.get("disk_available_least")
    if isinstance(least, int):
        free = min(free, least - (state.used[_DISK] - state.host.used[_DISK]))
    return (free - state.host.limits.reserved[_DISK]) * _MIB_PER_GIB


def free_ram_mb(state: HostState) -> int:
    """Return Nova's figure, in which the reserve counts as used and there is no ratio."""
    return state.host.total[_RAM] - state.used[_RAM] - state.host.limits.reserved[_RAM]


def vcpus_used(state: HostState) -> int:
    """Return Nova's figure, in which the reserve counts as used."""
    return state.used[_CPU] + state.host.limits.reserved[_CPU]


def free_devices(state: HostState) -> int:
    """Return how many devices that are set aside for guests no guest has, and the plan has given to none."""
    aside = {
        str(device.get("address"))
        for device in state.host.facts.get("pci_devices") or []
        if device.get("driver") == "vfio-pci" and not device.get("in_use_by")
    }
    return sum(device.address in aside for device in state.topology.free().devices) if aside else 0


def supported_instances(state: HostState) -> list[tuple[str, str, str]]:
    """Return (architecture, hypervisor, mode) of what can run there."""
    facts = state.host.facts
    architecture = str(facts.get("arch") or "")
    # A processor of 64 bits runs the older programs too.
    architectures = (architecture, "i686") if architecture == "x86_64" else (architecture,)
    return [
        (name, kind, mode)
        for name in architectures
        for kind in facts.get("virt_types") or []
        for mode in _MODES.get(kind, ("hvm",))
    ]


_ATTRIBUTES: dict[str, Callable[[HostState], t.Any]] = {
    "host": lambda state: state.name,
    "nodename": lambda state: state.name,
    "free_ram_mb": free_ram_mb,
    "free_disk_mb": free_disk_mb,
    "disk_mb_used": lambda state: (state.used[_DISK] + state.host.limits.reserved[_DISK]) * _MIB_PER_GIB,
    "total_usable_ram_mb": lambda state: state.host.total[_RAM],
    "total_usable_disk_gb": lambda state: state.host.total[_DISK],
    "vcpus_total": lambda state: state.host.total[_CPU],
    "vcpus_used": vcpus_used,
    "num_instances": lambda state: state.instances,
    "num_io_ops": lambda state: state.starting,
    "cpu_allocation_ratio": lambda state: float(state.host.limits.ratios[_CPU]),
    "ram_allocation_ratio": lambda state: float(state.host.limits.ratios[_RAM]),
    "disk_allocation_ratio": lambda state: float(state.host.limits.ratios[_DISK]),
    "supported_instances": supported_instances,
}
"""What Nova has by these names; everything else is looked up in the facts, as Nova does in its statistics."""


def has_attribute(state: HostState, name: str) -> bool:
    """Tell whether a host has something by this name."""
    return name in _ATTRIBUTES or name in state.host.facts


def attribute(state: HostState, path: t.Sequence[str]) -> t.Any:
    """Return what a path of names leads to, through texts of JSON too; None if it leads nowhere."""
    name, *rest = path
    value = _ATTRIBUTES[name](state) if name in _ATTRIBUTES else state.host.facts.get(name)
    for key in rest:
        if isinstance(value, str):
            value = _decoded(value)
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _decoded(text: str) -> t.Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
