# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the options of a move."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.migration import Destination, MigrationSpec
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._spec.moves import LEFT_OUT, LIMITS

PARAMS: dict[str, t.Any] = {
    **LEFT_OUT,
    "uri": "qemu+ssh://a/system",
    "name": "web-1",
    "destination": {"uri": "qemu+ssh://b/system", "pool": "default", "migrate_uri": None},
}


def test_what_is_declared() -> None:
    """All of it is kept."""
    spec = MigrationSpec.from_params({**PARAMS, "bandwidth_mb": 5, "mode": "cold"})
    assert (spec.name, spec.mode, spec.live.bandwidth_mb) == ("web-1", "cold", 5)
    assert spec.destination == Destination("qemu+ssh://b/system")


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"name": "-"}, "name"),
        ({"destination": {"uri": "nowhere", "pool": "p", "migrate_uri": None}}, "destination.uri"),
        ({"destination": {"uri": PARAMS["uri"], "pool": "p", "migrate_uri": None}}, "destination.uri"),
        ({"destination": {"uri": "a:b", "pool": "", "migrate_uri": None}}, "destination.pool"),
        ({"destination": {"uri": "a:b", "pool": "p", "migrate_uri": "tcp://a b"}}, "destination.migrate_uri"),
        ({"bandwidth_mb": 0}, "bandwidth_mb"),
        ({"parallel_connections": 0}, "parallel_connections"),
        ({"timeout": -1}, "timeout"),
        ({"shutdown_timeout": -1}, "shutdown_timeout"),
        ({"compression": True, "parallel_connections": 2}, "compression"),
        ({"post_copy": True, "parallel_connections": 2}, "parallel_connections"),
        ({"on_timeout": "post_copy", "parallel_connections": 2}, "parallel_connections"),
        ({"limits": {**LIMITS, "ram_allocation_ratio": 0.0}}, "limits.ram_allocation_ratio"),
    ],
)
def test_bad_input(changes: dict[str, t.Any], option: str) -> None:
    """One sentence that names the option."""
    with pytest.raises(SpecError) as caught:
        MigrationSpec.from_params({**PARAMS, **changes})
    assert caught.value.option == option
