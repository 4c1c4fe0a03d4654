# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a domain takes of its host beside vCPUs and memory: CPUs that it is pinned to, and PCI devices."""

from __future__ import annotations

from dataclasses import dataclass

from .document import parse
from .numbers import parse_id_set, pci_address


@dataclass(frozen=True)
class HostDemand:
    """Both in order, each once."""

    pinned_cpus: tuple[int, ...] = ()
    """Host CPUs that a vCPU is pinned to."""
    pci_addresses: tuple[str, ...] = ()


def read_host_demand(text: str) -> HostDemand:
    """Return what the domain's XML ``text`` takes."""
    root = parse(text, "The domain's XML")
    pinned = {cpu for pin in root.iterfind("cputune/vcpupin") for cpu in parse_id_set(pin.get("cpuset") or "")}
    sources = [
        *root.iterfind("devices/hostdev[@type='pci']/source/address"),
        *root.iterfind("devices/interface[@type='hostdev']/source/address"),
    ]
    addresses = (
        pci_address(*(source.get(part) for part in ("domain", "bus", "slot", "function"))) for source in sources
    )
    return HostDemand(tuple(sorted(pinned)), tuple(dict.fromkeys(addresses)))
