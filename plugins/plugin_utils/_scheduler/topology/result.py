# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a plan gives instances of their hosts to themselves, for the plan and for the hosts."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ....module_utils._plan.topology import Allocation
from ..model import Placement, Request
from ..state import HostState


def with_allocations(
    placements: Sequence[Placement], requests: Sequence[Request], states: Mapping[str, HostState]
) -> tuple[Placement, ...]:
    """Return placements with what was claimed for those that come to a host.

    What is there keeps what it has, and is told of something else only where that is not what it asks for.
    """
    demands = {request.name: request.demand.topology for request in requests}
    left: dict[tuple[str, t.Any], list[Allocation]] = {}
    result = []
    for placement in placements:
        demand = demands[placement.name]
        if demand is None:
            result.append(placement)
            continue
        if placement.action == "keep":
            result.append(replace(placement, allocation=states[placement.host].topology.instead(placement.name)))
            continue
        key = (placement.host, demand)
        if key not in left:
            left[key] = list(reversed(states[placement.host].topology.given(demand)))
        result.append(replace(placement, allocation=left[key].pop()) if left[key] else placement)
    return tuple(result)


def allocation_text(allocation: Allocation) -> dict[str, t.Any]:
    """Return an allocation as the option C(placement) of an instance."""
    return {
        "cells": [
            {"host_cell": cell.host_cell, "cpus": [cpu for _vcpu, cpu in cell.pins], "page_kb": cell.page_kib}
            for cell in allocation.cells
        ],
        "emulator_cpu": allocation.emulator_cpu,
        "pci_devices": list(allocation.pci),
    }
