# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The lab as an Ansible inventory."""

from __future__ import annotations

import json
import sys

from . import lifecycle
from .layout import WORK, Layout
from .state import LabState


def default_python() -> str:
    """Return the repository's own Python, which has what modules import, or else the one that runs this."""
    # Not resolved: a link in a virtual environment is the environment.
    own = WORK / "venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def as_yaml(layout: Layout, found: LabState, python: str) -> str:
    """Return the inventory as YAML: group ``compute`` with every host of the lab."""
    lines = ["---", "compute:", "  hosts:"]
    work = lifecycle.driver(found.kind)
    for host in lifecycle.hosts(layout, found):
        lines.append(f"    {host.name}:")
        # JSON's strings and numbers are YAML's too, and quoting them is nobody's guess.
        lines.extend(f"      {key}: {json.dumps(value)}" for key, value in work.variables(host, python).items())
    return "\n".join(lines) + "\n"
