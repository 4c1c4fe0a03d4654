# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""What every subject is asked for: the fleet as our module takes it, and playbooks as data (JSON is YAML)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .environment import WORK, Environment

FLEET = "bench"
IMAGE = "guest"
_FLAVOR = {"name": "tiny", "vcpus": 1, "memory_mb": 64, "disk_gb": 0}
_LIMITS = {"reserved_host_memory_mb": 0, "cpu_allocation_ratio": 100.0, "ram_allocation_ratio": 100.0}


@dataclass(frozen=True)
class Item:
    """One instance as libvirt was given it: what the other subjects get too."""

    name: str
    volume: str
    volume_xml: str
    domain_xml: str


def names(size: int) -> list[str]:
    """Return the names of the instances."""
    return [f"bench-{number:03d}" for number in range(1, size + 1)]


def options(environment: Environment, size: int, power_state: str) -> dict[str, Any]:
    """Return the options of compute_fleet."""
    member = {"flavor": _FLAVOR, "image": IMAGE, "graphics": {"type": "none"}, "power_state": power_state}
    return {
        "uri": environment.hypervisor.uri,
        "fleet": FLEET,
        "virt_type": "qemu",
        "limits": _LIMITS,
        "instances": [{"name": name, **member} for name in names(size)],
    }


def write_playbook(environment: Environment, name: str, tasks: list[dict[str, Any]]) -> Path:
    """Write a playbook of the one shape that all subjects have."""
    play = {
        "name": name,
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": str(environment.python)},
        "tasks": tasks,
    }
    path = WORK / f"{name}.yml"
    path.write_text(json.dumps([play], indent=1), encoding="utf-8")
    return path


def our_tasks(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one task for the whole fleet."""
    return [{"name": "Reconcile the fleet", "kilonova.compute.compute_fleet": arguments}]


def idle_tasks() -> list[dict[str, Any]]:
    """Return one task with a module that does nothing."""
    return [{"name": "Do nothing", "ansible.builtin.ping": {}}]


def community_create_tasks(environment: Environment, items: list[Item]) -> list[dict[str, Any]]:
    """Return community.libvirt's loops: volumes, definitions, starts."""
    uri = environment.hypervisor.uri
    volume = {"uri": uri, "pool": "default", "state": "present", "xml": "{{ item.volume_xml }}"}
    start = {"uri": uri, "name": "{{ item.name }}", "state": "running"}
    return [
        _loop("Make the volumes", "community.libvirt.virt_volume", volume, items),
        *community_define_tasks(environment, items),
        _loop("Start the domains", "community.libvirt.virt", start, items),
    ]


def community_define_tasks(environment: Environment, items: list[Item]) -> list[dict[str, Any]]:
    """Return community.libvirt's loop that defines; on a second run it has nothing to change."""
    define = {"uri": environment.hypervisor.uri, "command": "define", "xml": "{{ item.domain_xml }}"}
    return [_loop("Define the domains", "community.libvirt.virt", define, items)]


def _loop(name: str, module: str, arguments: dict[str, Any], items: list[Item]) -> dict[str, Any]:
    loop = [{"name": item.name, "volume_xml": item.volume_xml, "domain_xml": item.domain_xml} for item in items]
    return {"name": name, module: arguments, "loop": loop, "loop_control": {"label": "{{ item.name }}"}}
