# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a user declares of one virtual network. All bad input of it dies in ``NetworkSpec.from_params``."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .names import check_name
from .network_layout import UNDECLARED, NetworkLayout, read_declared

ACTIVE, INACTIVE, PRESENT, ABSENT = "active", "inactive", "present", "absent"
STATES = (ACTIVE, INACTIVE, PRESENT, ABSENT)


@dataclass(frozen=True)
class NetworkSpec:
    """One declared network; nothing of the ``layout`` needs to be declared of one that is there."""

    name: str
    state: str = ACTIVE
    autostart: bool | None = None
    layout: NetworkLayout = UNDECLARED
    allow_restart: bool = False

    @staticmethod
    def from_params(params: t.Mapping[str, t.Any]) -> NetworkSpec:
        """Check a module's parameters."""
        name = check_name("name", params["name"])
        if params["state"] == ABSENT:
            return NetworkSpec(name, ABSENT)
        return NetworkSpec(
            name, params["state"], params["autostart"], read_declared(params), allow_restart=params["allow_restart"]
        )
