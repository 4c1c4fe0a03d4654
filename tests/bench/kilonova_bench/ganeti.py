# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Ganeti's allocator on the same fleets: one process for each instance, as Ganeti runs it."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path
from typing import Any

from .errors import BenchError
from .scheduler_cases import Amounts, Case

HAIL = Path("/usr/lib/ganeti/iallocators/hail")
_SAME_LIMITS = ("--static-kvm-node-memory=0", "--no-capacity-checks")
"""By itself it keeps 4096 MiB of each node for the host, and takes nothing that could not be moved if any node failed."""
SPARE = 1
"""MiB that nodes have more, of memory and of disk: Ganeti fills none to the last one."""
_MIB = 1024
_LARGE = 10**9


def is_there() -> bool:
    """Tell whether Ganeti's tools are installed."""
    return HAIL.exists()


def allocate(case: Case, scratch: Path) -> tuple[dict[int, int], float]:
    """Return on which host each request went, by their numbers, and the CPU seconds of all processes."""
    data = cluster(case)
    places: dict[int, int] = {}
    before = child_seconds()
    for number, amounts in enumerate(case.requests):
        data["request"] = _request(number, amounts)
        scratch.write_text(json.dumps(data), encoding="ascii")
        done = subprocess.run([str(HAIL), *_SAME_LIMITS, str(scratch)], capture_output=True, text=True, check=False)
        try:
            answer = json.loads(done.stdout)
        except ValueError as exc:
            raise BenchError(f"hail said {done.stdout[:200]!r} {done.stderr[:200]!r}") from exc
        if answer["success"]:
            host = answer["result"][0]
            places[number] = int(host.removeprefix("hv"))
            put(data, number, amounts, host)
    return places, child_seconds() - before


def child_seconds() -> float:
    """Return the CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cluster(case: Case) -> dict[str, Any]:
    """Return the fleet as Ganeti's tools read it."""
    least = _spec(1, 1)
    least["nic-count"] = 0
    policy = {
        "minmax": [{"min": least, "max": _spec(_LARGE, 16)}],
        "std": _spec(1, 1),
        "disk-templates": ["plain"],
        "vcpu-ratio": 1.0,
        "spindle-ratio": 1e6,
    }
    group = {"name": "default", "alloc_policy": "preferred", "networks": [], "ipolicy": policy, "tags": []}
    data: dict[str, Any] = {
        "version": 2,
        "cluster_name": "bench",
        "cluster_tags": [],
        "enabled_hypervisors": ["kvm"],
        "ipolicy": policy,
        "nodegroups": {"g": group},
        "nodes": {f"hv{number}": _node(total) for number, (total, _used) in enumerate(case.hosts)},
        "instances": {},
    }
    for number, (_total, used) in enumerate(case.hosts):
        if any(used):
            put(data, -1 - number, used, f"hv{number}")
    return data


def _spec(size: int, count: int) -> dict[str, int]:
    return {
        "memory-size": size,
        "cpu-count": size,
        "disk-size": size,
        "disk-count": count,
        "nic-count": count,
        "spindle-use": size,
    }


def _node(total: Amounts) -> dict[str, Any]:
    vcpus, memory_mb, disk_mb = total[0], total[1] + SPARE, total[2] * _MIB + SPARE
    return {
        **{"total_memory": memory_mb, "free_memory": memory_mb, "reserved_memory": 0, "total_cpus": vcpus},
        **{"total_disk": disk_mb, "free_disk": disk_mb, "total_spindles": 1, "free_spindles": 1},
        **{"reserved_cpus": 0, "i_pri_memory": 0, "i_pri_up_memory": 0, "tags": [], "group": "g"},
        **{"primary_ip": "192.0.2.1", "secondary_ip": "192.0.2.1", "master_candidate": True, "drained": False},
        **{"offline": False, "vm_capable": True, "master_capable": True},
        "ndparams": {"spindle_count": 1, "exclusive_storage": False, "oob_program": None, "cpu_speed": 1.0},
    }


def _request(number: int, amounts: Amounts) -> dict[str, Any]:
    vcpus, memory_mb, disk_gb = amounts
    return {
        **{"type": "allocate", "name": f"i{number}", "memory": memory_mb, "vcpus": vcpus, "required_nodes": 1},
        **{"disk_space_total": disk_gb * _MIB, "disks": [{"size": disk_gb * _MIB, "mode": "w"}], "nics": []},
        **{"disk_template": "plain", "os": "any", "tags": [], "spindle_use": 1, "hypervisor": "kvm"},
    }


def put(data: dict[str, Any], number: int, amounts: Amounts, host: str) -> None:
    """Note an instance on a node."""
    vcpus, memory_mb, disk_gb = amounts
    data["instances"][f"i{number}"] = {
        **{"memory": memory_mb, "vcpus": vcpus, "disk_space_total": disk_gb * _MIB, "nodes": [host], "tags": []},
        **{"disks": [{"size": disk_gb * _MIB, "mode": "w", "spindles": None}], "disk_template": "plain"},
        **{"state": "running", "auto_balance": True, "spindle_use": 1, "nics": [], "admin_state": "up"},
        **{"admin_state_source": "admin", "os": "any", "hypervisor": "kvm", "forthcoming": False},
    }
    node = data["nodes"][host]
    node["free_memory"] -= memory_mb
    node["free_disk"] -= disk_gb * _MIB
    node["i_pri_memory"] += memory_mb
    node["i_pri_up_memory"] += memory_mb
