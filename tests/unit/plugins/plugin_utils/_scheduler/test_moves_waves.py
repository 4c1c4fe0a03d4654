# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the order of moves: circles are broken by way of a third host, and what has no order is told."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.moves.question import HostsQuestion
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.moves.scene import (
    Scene,
    read_hosts_question,
    set_scene,
)
from ansible_collections.kilonova.compute.plugins.plugin_utils._scheduler.moves.waves import (
    Order,
    in_sequence,
    in_waves,
)


def scene(*hosts: dict[str, int]) -> Scene:
    """Return hosts of 4096 MiB, each with guests of some MiB by their names."""
    facts = {
        f"hv{number}": {
            **{"vcpus": 8, "vcpus_used": 0, "memory_mb": 4096, "local_gb": 10, "local_gb_used": 0},
            "memory_mb_used": sum(guests.values()),
            "instances": [
                {"name": name, "fleet": "demo", "vcpus": 0, "memory_mb": size, "disk_gb": 0}
                for name, size in guests.items()
            ],
        }
        for number, guests in enumerate(hosts)
    }
    problem = read_hosts_question(HostsQuestion(hosts=facts, limits={"reserved_host_memory_mb": 0}))
    return set_scene(problem, lambda _guest, _host: None)


def told(order: Order) -> list[tuple[int, str, int, int, bool]]:
    """Return the steps in short."""
    return [(step.wave, step.unit.describe(), step.origin, step.target, step.is_temporary) for step in order.steps]


def wanted(question: Scene, **targets: int) -> list[tuple[t.Any, int]]:
    """Return moves of guests by their names."""
    return [(unit, targets[unit.describe()]) for unit in question.units if unit.describe() in targets]


def test_a_circle_is_broken() -> None:
    """The smaller of two that wait for each other makes way for a while."""
    question = scene({"a": 4096}, {"b": 3000}, {})
    order = in_waves(question.board(), wanted(question, a=1, b=0), 1, range(3))
    assert told(order) == [(1, "b", 1, 2, True), (2, "a", 0, 1, False), (3, "b", 2, 0, False)]
    assert order.waves == 3
    assert order.stuck == ()


@pytest.mark.parametrize(("third", "may_park"), [({"x": 2000}, True), ({}, False)])
def test_no_order(third: dict[str, int], may_park: bool) -> None:
    """Where nothing can make way, both stay and are told."""
    question = scene({"a": 4096}, {"b": 3000}, third)
    order = in_waves(question.board(), wanted(question, a=1, b=0), 1, range(3), may_park)
    assert order.steps == ()
    assert [unit.describe() for unit in order.stuck] == ["a", "b"]


def test_a_wave_counts_room_on_both_sides() -> None:
    """What waits for room goes in the wave after that in which it becomes free."""
    question = scene({"a": 3000}, {"b": 3000}, {})
    order = in_waves(question.board(), wanted(question, a=1, b=2), 2, range(3))
    assert told(order) == [(1, "b", 1, 2, False), (2, "a", 0, 1, False)]


def test_a_given_sequence() -> None:
    """Its order is kept, also where something is moved on."""
    question = scene({"a": 3000, "c": 10}, {"b": 3000}, {})
    a, c, b = question.units
    order = in_sequence(question.board(), [(b, 2), (a, 1), (c, 1), (c, 2)], 2)
    assert told(order) == [
        (1, "b", 1, 2, False),
        (2, "a", 0, 1, False),
        (2, "c", 0, 1, True),
        (3, "c", 1, 2, False),
    ]
    assert in_sequence(question.board(), [(a, 1)], 2).stuck == (a,)
