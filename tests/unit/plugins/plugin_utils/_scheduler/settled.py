# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""A hypothesis strategy for fleets that run already, each guest where its host's own allocator put it."""

from __future__ import annotations

import typing as t

from ansible_collections.kilonova.compute.plugins.module_utils._errors import CapacityError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.allocate import allocate
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.demands import read_demand
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.facts import read_host_facts
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.result import allocation_text
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.topology.state import HostTopology
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.checker_topology import row_of
from ansible_collections.kilonova.compute.tests.unit.plugins.plugin_utils._scheduler.problems import (
    FLEET,
    GROUPS,
    cells_and_devices,
    own_parts,
    put,
    with_parts,
)
from hypothesis import strategies as st

Data = dict[str, t.Any]


def settle(name: str, host: Data, instance: Data) -> Data | None:
    """Put an instance on a host as the host would; return what it is told, or None if it does not fit."""
    demand, told, row = read_demand(instance, instance["name"]), {}, None
    if demand is not None:
        try:
            allocation = allocate(instance["name"], demand, HostTopology(read_host_facts(name, host)).free())
        except CapacityError:
            return None
        told = {"placement": allocation_text(allocation)}
        row = row_of(instance, told["placement"], host)
    put(host, instance, FLEET, row)
    return told


@st.composite
def settled(draw: st.DrawFn, **options: t.Any) -> Data:
    """Return some hosts with room, on which most of what is declared runs; some of it where it should not be."""
    names = [f"hv{number}" for number in range(1, draw(st.integers(2, 4)) + 1)]
    hosts = {name: {**draw(_host()), **draw(cells_and_devices(least=1))} for name in names}
    instances = []
    for number in range(draw(st.integers(3, 10))):
        vcpus, memory_mb = draw(st.integers(1, 3)), draw(st.sampled_from([128, 512, 900]))
        instance: Data = {"name": f"i{number}", "flavor": {"name": "f", "vcpus": vcpus, "memory_mb": memory_mb}}
        instance["flavor"]["disk_gb"] = 1
        if draw(st.integers(0, 2)):
            with_parts(draw, instance, draw(own_parts))
        if draw(st.integers(0, 3)) == 0:
            instance.update(GROUPS[draw(st.sampled_from(["apart", "pairs", "near"]))])
        elif draw(st.integers(0, 3)) == 0:
            instance["host"] = draw(st.sampled_from(names))
        instances.append(instance)
        if draw(st.integers(0, 3)):
            home = draw(st.sampled_from(names[: 1 + len(names) // 2]))
            settle(home, hosts[home], instance)
    more = {name: draw(value) if isinstance(value, st.SearchStrategy) else value for name, value in options.items()}
    return {"fleet": FLEET, "instances": instances, "hosts": hosts, **more}


@st.composite
def _host(draw: st.DrawFn) -> Data:
    return {
        **{"state": "up", "instances": [], "vcpus": draw(st.sampled_from([2, 8])), "vcpus_used": 0},
        **{"memory_mb": draw(st.sampled_from([1536, 1536, 2048])), "memory_mb_used": 0},
        **{"local_gb": 99, "local_gb_used": 0},
    }
