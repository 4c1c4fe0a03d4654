# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The plan: what would change and by which actions; check mode, diff mode and the result all come from it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

LIVE = "live"
NEXT_BOOT = "next_boot"
POWER_CYCLE = "power_cycle"
RECREATE = "recreate"


@dataclass(frozen=True)
class Change:
    """One difference: ``path`` is dotted, ``before`` and ``after`` are plain data, None means absent."""

    path: str
    before: t.Any
    after: t.Any
    effect: str = LIVE

    def as_result(self) -> dict[str, t.Any]:
        """Return plain data for the task's result."""
        return {"path": self.path, "before": self.before, "after": self.after, "effect": self.effect}


@dataclass(frozen=True)
class Action:
    """One step: a ``verb`` (such as ``create_disk``), the object it acts on, and the changes it makes."""

    verb: str
    target: str
    changes: tuple[Change, ...] = ()

    def describe(self) -> str:
        """Return the step in words, as listed in the result's ``actions``."""
        return f"{self.verb} {self.target}"


@dataclass(frozen=True)
class Plan:
    """An ordered list of actions on one resource; empty when nothing is to do."""

    resource: str
    actions: tuple[Action, ...] = field(default=())

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.actions)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return the changes of all actions, in order."""
        return tuple(change for action in self.actions for change in action.changes)

    def has(self, verb: str) -> bool:
        """Tell whether an action with this ``verb`` is planned."""
        return any(action.verb == verb for action in self.actions)

    def first(self, count: int) -> Plan:
        """Return the plan of the first ``count`` actions: what was done when the next one failed."""
        return Plan(self.resource, self.actions[:count])

    def as_result(self) -> dict[str, t.Any]:
        """Return the keys that every module's result shares."""
        return {
            "changed": self.changed,
            "actions": [action.describe() for action in self.actions],
            "changes": [change.as_result() for change in self.changes],
        }

    def as_diff(self) -> dict[str, t.Any]:
        """Return Ansible's diff: the changed paths before and after, one line each, in the user's terms."""
        return {
            "before_header": self.resource,
            "after_header": self.resource,
            "before": _lines((change.path, change.before) for change in self.changes),
            "after": _lines((change.path, _timed(change)) for change in self.changes),
        }


def _timed(change: Change) -> t.Any:
    return f"{change.after} (at the next boot)" if change.effect == NEXT_BOOT else change.after


def _lines(pairs: t.Iterable[tuple[str, t.Any]]) -> str:
    return "".join(f"{path}: {value}\n" for path, value in pairs if value is not None)
