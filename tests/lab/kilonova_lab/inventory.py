# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The lab as an Ansible inventory."""

from __future__ import annotations

import json
from typing import Any

from . import lifecycle, rootless
from .layout import HostLayout, Layout
from .state import LabState


def host_variables(host: HostLayout, found: LabState, python: str) -> dict[str, Any]:
    """Return what Ansible must know to reach a host."""
    return {"ansible_connection": "local", "ansible_python_interpreter": python, "compute_uri": rootless.uri(host)}


def as_yaml(layout: Layout, found: LabState, python: str) -> str:
    """Return the inventory as YAML: group ``compute`` with every host of the lab."""
    lines = ["---", "compute:", "  hosts:"]
    for host in lifecycle.hosts(layout, found):
        lines.append(f"    {host.name}:")
        # JSON's strings and numbers are YAML's too, and quoting them is nobody's guess.
        lines.extend(f"      {key}: {json.dumps(value)}" for key, value in host_variables(host, found, python).items())
    return "\n".join(lines) + "\n"
