# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a user declares of a backup."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .lifecycle import Limits
from .names import check_name
from .retention import Retention

PRESENT, ABSENT, RESTORED = "present", "absent", "restored"
AUTO, FULL, INCREMENTAL = "auto", "full", "incremental"
RESTORE = "restore"
"""Begun in the record of an instance that is made from a backup."""
_FULL_EVERY = 7
_ONLY_NEW = ("type", "full_every", "disks", "quiesce", "description", "retention")
_ONLY_RESTORED = ("restore_as", "restore_pool")


@dataclass(frozen=True)
class BackupSpec:
    """One declared backup of one instance."""

    name: str
    """Of the instance."""
    fleet: str | None
    backup: str
    pool: str
    limits: Limits
    """What a restored instance must keep to."""
    state: str = PRESENT
    type: str = AUTO
    full_every: int = _FULL_EVERY
    """How many backups a chain has, with its full one, before auto begins another."""
    disks: tuple[str, ...] | None = None
    """Targets; None is all that the guest can write to."""
    quiesce: bool = False
    description: str | None = None
    retention: Retention | None = None
    restore_as: str = ""
    restore_pool: str = ""

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> BackupSpec:
        """Validate the options."""
        state = params["state"]
        for options, owner in ((_ONLY_NEW, PRESENT), (_ONLY_RESTORED, RESTORED)):
            for option in options:
                if state != owner and params[option] not in (None, False):
                    raise SpecError(option, f"it belongs to state: {owner}", "leave it out")
        if state == RESTORED and not params["restore_as"]:
            raise SpecError("restore_as", "a restored backup becomes a new instance", "name that")
        if params["full_every"] is not None and params["full_every"] < 1:
            raise SpecError("full_every", f"{params['full_every']} is too small", "the full one counts, so 1 or more")
        if params["disks"] is not None and not params["disks"]:
            raise SpecError("disks", "it is empty", "name the disks, or leave it out for all")
        backup, retention = check_name("backup", params["backup"]), params["retention"]
        return cls(
            name=check_name("name", params["name"]),
            fleet=params["fleet"],
            backup=backup,
            pool=params["pool"],
            state=state,
            type=params["type"] or AUTO,
            full_every=params["full_every"] or _FULL_EVERY,
            disks=None if params["disks"] is None else tuple(dict.fromkeys(params["disks"])),
            quiesce=params["quiesce"],
            description=params["description"],
            retention=None if retention is None else Retention.of("backup", backup, retention),
            restore_as=check_name("restore_as", params["restore_as"]) if state == RESTORED else "",
            restore_pool=params["restore_pool"] or params["pool"],
            limits=Limits.from_params(params["limits"]),
        )
