# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Questions of one host and one instance, made by changing what is usual."""

from __future__ import annotations

import typing as t

from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.answer import answer
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.intake.question import Question

FLEET = "demo"


def node(**changes: t.Any) -> dict[str, t.Any]:
    """Return the facts of an empty host."""
    facts = {
        "vcpus": 4,
        "vcpus_used": 0,
        "memory_mb": 4096,
        "memory_mb_used": 0,
        "local_gb": 40,
        "local_gb_used": 0,
        "hypervisor_type": "QEMU",
        "hypervisor_version": 7_002_022,
        "arch": "x86_64",
        "virt_types": ["qemu"],
        "cpu_info": {"features": ["aes", "avx"], "topology": {"cores": 4}},
        "instances": [],
    }
    return {**facts, **changes}


def guest(name: str, **changes: t.Any) -> dict[str, t.Any]:
    """Return a machine of nobody's as the facts have it."""
    return {"name": name, "fleet": None, "vcpus": 1, "memory_mb": 128, "disk_gb": 1, **changes}


def instance(name: str = "web", extra_specs: dict[str, t.Any] | None = None, **changes: t.Any) -> dict[str, t.Any]:
    """Return a resolved instance."""
    flavor = {"name": "small", "vcpus": 1, "memory_mb": 256, "disk_gb": 1, "extra_specs": extra_specs or {}}
    return {"name": name, "flavor": flavor, **changes}


def plan(instances: list[dict[str, t.Any]], hosts: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    """Return the plan."""
    return answer(Question(fleet=FLEET, instances=instances, hosts=hosts, **options))


def places(result: dict[str, t.Any]) -> dict[str, str]:
    """Return each placed instance's host."""
    return {item["name"]: item["host"] for item in result["placements"]}


def messages(result: dict[str, t.Any]) -> list[str]:
    """Return what the hosts said to the first instance without a place, in the hosts' order."""
    return [f"{item['filter']}: {item['message']}" for item in result["unplaced"][0]["hosts"]]
