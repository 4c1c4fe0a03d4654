# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What shall be done once to an instance: the action and its terms."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .names import check_name

REBOOT = "reboot"
RESET = "reset"
RESCUE = "rescue"
UNRESCUE = "unrescue"
REBUILD = "rebuild"
SHELVE = "shelve"
UNSHELVE = "unshelve"
_WITH_IMAGE = (RESCUE, REBUILD)


@dataclass(frozen=True)
class ActionSpec:
    """One action on one instance."""

    name: str
    fleet: str | None
    action: str
    hard: bool = False
    """Reboot by pulling the plug."""
    image: str | None = None
    pool: str | None = None
    force: bool = False
    wait_seconds: int | None = None
    """How long the guest agent is waited for; None is not at all."""

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> ActionSpec:
        """Validate the options."""
        action = params["action"]
        if params["wait_timeout"] < 0:
            raise SpecError("wait_timeout", f"{params['wait_timeout']} is too small", "it is in seconds, 0 or more")
        for option in ("image", "pool"):
            if params[option] is not None and action not in _WITH_IMAGE:
                raise SpecError(
                    option, f"{action} takes none", f"leave it out; it belongs to {' and '.join(_WITH_IMAGE)}"
                )
        return cls(
            name=check_name("name", params["name"]),
            fleet=params["fleet"],
            action=action,
            hard=params["reboot_type"] == "hard",
            image=params["image"],
            pool=params["pool"],
            force=params["force"],
            wait_seconds=params["wait_timeout"] if params["wait"] else None,
        )
