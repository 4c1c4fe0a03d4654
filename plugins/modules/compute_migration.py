#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Move an instance to another hypervisor, live or cold."""

from __future__ import annotations

import typing as t

from ..module_utils._driver.connection import Connection
from ..module_utils._driver.events import enable_events
from ..module_utils._module import ComputeModule
from ..module_utils._options import limit_options
from ..module_utils._service._migration.run import ensure_there
from ..module_utils._spec.migration import MODES, ON_TIMEOUT, MigrationSpec


def work(connection: Connection, spec: MigrationSpec, check: bool) -> dict[str, t.Any]:
    """Have the instance at its destination."""
    return ensure_there(connection, spec, check)


def main() -> None:
    """Run the module."""
    enable_events()
    ComputeModule(
        {
            "name": {"type": "str", "required": True},
            "fleet": {"type": "str"},
            "destination": {
                "type": "dict",
                "required": True,
                "options": {
                    "uri": {"type": "str", "required": True},
                    "pool": {"type": "str", "default": "default"},
                    "migrate_uri": {"type": "str"},
                },
            },
            "mode": {"type": "str", "choices": list(MODES)},
            "bandwidth_mb": {"type": "int"},
            "auto_converge": {"type": "bool", "default": True},
            "compression": {"type": "bool", "default": False},
            "parallel_connections": {"type": "int"},
            "timeout": {"type": "int", "default": 3600},
            "on_timeout": {"type": "str", "choices": list(ON_TIMEOUT), "default": "abort"},
            "force": {"type": "bool", "default": False},
            "shutdown_timeout": {"type": "int", "default": 60},
            **limit_options(),
        }
    ).run(MigrationSpec.from_params, work)


if __name__ == "__main__":
    main()
