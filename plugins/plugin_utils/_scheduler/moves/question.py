# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a caller asks about moves and room, as plain data: the arguments of the filters."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class HostsQuestion:
    """What is common to all; nothing of this is checked yet."""

    hosts: t.Any
    fleet: t.Any = None
    """Whose the declared instances are."""
    instances: t.Any = None
    limits: t.Any = None
    host_limits: t.Any = None
    aggregates: t.Any = None
    max_instances_per_host: t.Any = None
    isolated_hosts: t.Any = None
    isolated_images: t.Any = None
    restrict_isolated_hosts_to_isolated_images: t.Any = True
    max_facts_age: t.Any = None
    now: t.Any = None


@dataclass(frozen=True)
class MovesQuestion(HostsQuestion):
    """What is common to plans that move something."""

    fleets: t.Any = None
    """The fleets whose instances may be moved; None for all."""
    pinned: t.Any = None
    concurrent_per_host: t.Any = 2
    cooldown: t.Any = 0


@dataclass(frozen=True)
class RebalanceQuestion(MovesQuestion):
    """How hosts that differ are made alike."""

    excluded: t.Any = None
    threshold: t.Any = 0.05
    target: t.Any = 0
    min_gain: t.Any = 0.01
    max_moves: t.Any = None
    max_mb: t.Any = None
    prefer: t.Any = "moves"
    weights: t.Any = None


@dataclass(frozen=True)
class DrainQuestion(MovesQuestion):
    """How hosts are emptied."""

    drained: t.Any = None
    policy: t.Any = "spread"
    make_room: t.Any = False
    make_room_cost: t.Any = None


@dataclass(frozen=True)
class CapacityQuestion(HostsQuestion):
    """What still fits."""

    flavors: t.Any = None
    wanted: t.Any = None
    new_host: t.Any = None
