# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a caller asks, as plain data: the arguments of the filter ``schedule``."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """Nothing of this is checked yet."""

    fleet: str
    instances: t.Any
    hosts: t.Any
    policy: str = "spread"
    limits: t.Any = None
    host_limits: t.Any = None
    assume_down_hosts_empty: bool = False
    purge: bool = False
    prefix: str = ""
    order: t.Any = "batch"
    filters: t.Any = None
    weights: t.Any = None
    aggregates: t.Any = None
    max_instances_per_host: t.Any = None
    max_io_ops_per_host: t.Any = None
    isolated_hosts: t.Any = None
    isolated_images: t.Any = None
    restrict_isolated_hosts_to_isolated_images: bool = True
    fix_violations: bool = False
    make_room: bool = False
    make_room_cost: t.Any = None
    engine: t.Any = "search"
    max_facts_age: t.Any = None
    now: t.Any = None
