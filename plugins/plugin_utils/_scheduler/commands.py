# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Moves and room for the filters and for the command line: a name, and options that are checked for unknown ones."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from .capacity.answer import capacity
from .errors import ScheduleError
from .moves.drain import drain
from .moves.question import CapacityQuestion, DrainQuestion, RebalanceQuestion
from .moves.rebalance import rebalance


@dataclass(frozen=True)
class Command:
    """Something that can be asked of hosts."""

    question: Callable[..., t.Any]
    options: tuple[str, ...]
    answer: Callable[[t.Any], dict[str, t.Any]]
    is_good: Callable[[dict[str, t.Any]], bool]
    """Whether the answer is what one hopes for, of which the command line's exit code tells."""


COMMANDS: Mapping[str, Command] = {
    "rebalance": Command(
        RebalanceQuestion, tuple(one.name for one in fields(RebalanceQuestion)), rebalance, lambda _plan: True
    ),
    "drain": Command(
        DrainQuestion, tuple(one.name for one in fields(DrainQuestion)), drain, lambda plan: bool(plan["complete"])
    ),
    "capacity": Command(
        CapacityQuestion, tuple(one.name for one in fields(CapacityQuestion)), capacity, lambda _figures: True
    ),
}


def ask(name: str, options: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the answer, or raise :class:`ScheduleError` with one sentence."""
    command = COMMANDS[name]
    for option in options:
        if option not in command.options:
            raise ScheduleError(f"{name}: {option!r} is unknown; known are {', '.join(sorted(command.options))}.")
    if "hosts" not in options:
        raise ScheduleError(f"{name}: hosts is missing; give the facts of every hypervisor by its name.")
    return command.answer(command.question(**options))
