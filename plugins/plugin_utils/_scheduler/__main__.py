# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What-if questions without Ansible: ``python -m ..._scheduler FILE`` prints the plan of a JSON file.

The file holds the filter's arguments: fleet, instances and hosts, and if wanted policy, limits, host_limits,
assume_down_hosts_empty and purge.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from .answer import answer
from .errors import ScheduleError
from .intake import Question
from .table import plan_table


def main(arguments: Sequence[str]) -> int:
    """Print the plan; return 0, 1 when something has no place, or 2 when the input is wrong."""
    parser = argparse.ArgumentParser(prog="scheduler", description="Place instances on hosts.")
    parser.add_argument("file", type=Path, help="a JSON file with fleet, instances and hosts")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    options = parser.parse_args(arguments)
    try:
        plan = answer(_question(options.file))
    except (ScheduleError, OSError) as exc:
        sys.stderr.write(f"scheduler: {exc}\n")
        return 2
    sys.stdout.write((json.dumps(plan, indent=2) if options.json else plan_table(plan)) + "\n")
    return 1 if plan["unplaced"] else 0


def _question(path: Path) -> Question:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise ScheduleError(f"{path} is not JSON: {exc}.") from exc
    known = {field.name for field in fields(Question)}
    if not isinstance(content, dict) or set(content) - known or not {"fleet", "instances", "hosts"} <= set(content):
        raise ScheduleError(
            f"{path} must hold fleet, instances and hosts, and of others only {', '.join(sorted(known))}."
        )
    return Question(**content)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
