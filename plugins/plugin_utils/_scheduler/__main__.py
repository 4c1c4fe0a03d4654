# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What-if questions without Ansible: ``python -m ..._scheduler FILE`` prints the plan of a JSON file.

``python -m ..._scheduler rebalance FILE`` (or drain, or capacity) answers the other questions about hosts.
The file holds the filter's arguments: fleet, instances and hosts, and if wanted policy, limits, host_limits,
assume_down_hosts_empty and purge. Where it says max_facts_age or cooldown without now, the time is this machine's.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing as t
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path

from .answer import answer
from .commands import COMMANDS, ask
from .errors import ScheduleError
from .intake.question import Question
from .table import plan_table
from .tables import any_table


def main(arguments: Sequence[str]) -> int:
    """Print the plan; return 0, 1 when something has no place, or 2 when the input is wrong."""
    if arguments and arguments[0] in COMMANDS:
        return _command(arguments[0], arguments[1:])
    parser = argparse.ArgumentParser(
        prog="scheduler",
        description="Place instances on hosts.",
        epilog=f"Other questions: {', '.join(COMMANDS)}, each with --help.",
    )
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


def _command(name: str, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"scheduler {name}", description=f"Answer as the filter {name} does.")
    parser.add_argument("file", type=Path, help="a JSON file with the filter's arguments, hosts among them")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    options = parser.parse_args(arguments)
    try:
        content = _content(options.file)
        if not isinstance(content, dict):
            raise ScheduleError(f"{options.file} must hold the arguments of {name} by their names.")
        answered = ask(name, _at_a_time(content))
    except (ScheduleError, OSError) as exc:
        sys.stderr.write(f"scheduler {name}: {exc}\n")
        return 2
    sys.stdout.write((json.dumps(answered, indent=2) if options.json else any_table(answered)) + "\n")
    return 0 if COMMANDS[name].is_good(answered) else 1


def _content(path: Path) -> t.Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise ScheduleError(f"{path} is not JSON: {exc}.") from exc


def _at_a_time(content: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return arguments with the time where they need one: only who asks may look at a clock."""
    if content.get("now") is None and (content.get("max_facts_age") is not None or content.get("cooldown")):
        return {**content, "now": datetime.now(timezone.utc).isoformat()}
    return content


def _question(path: Path) -> Question:
    content = _content(path)
    known = {field.name for field in fields(Question)}
    if not isinstance(content, dict) or set(content) - known or not {"fleet", "instances", "hosts"} <= set(content):
        raise ScheduleError(
            f"{path} must hold fleet, instances and hosts, and of others only {', '.join(sorted(known))}."
        )
    return Question(**_at_a_time(content))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
