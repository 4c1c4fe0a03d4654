# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of many moves in one task."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.migration import Destination
from ansible_collections.kilonova.compute.plugins.module_utils._spec.migration_batch import MigrationBatch
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils._spec.moves import LEFT_OUT

KVM2 = {"uri": "qemu+ssh://kvm2/system"}
PARAMS: dict[str, t.Any] = {
    **LEFT_OUT,
    "uri": "qemu+ssh://kvm1/system",
    "name": None,
    "fleet": "shop",
    "destination": None,
    "migrations": [{"name": "web-1", "to": "kvm2"}],
    "destinations": {"kvm2": KVM2},
    "concurrency": 1,
}


def test_moves_of_a_plan() -> None:
    """What a plan says besides is ignored; a fleet and a mode of their own count, and the task's else."""
    planned = {"from": "kvm1", "memory_mb": 512, "wave": 1, "why": "it is full", "temporary": False}
    moves = [{"name": "web-1", "to": "kvm2", **planned}, {"name": "db", "to": "kvm3", "fleet": None, "mode": "cold"}]
    places = {"kvm2": KVM2, "kvm3": {"uri": "qemu+tls://kvm3/system", "pool": "fast", "migrate_uri": None}}
    batch = MigrationBatch.from_params(
        {**PARAMS, "migrations": moves, "destinations": places, "concurrency": 3, "mode": "live"}
    )
    assert (batch.is_listed, batch.concurrency) == (True, 3)
    web, base = batch.moves
    assert (web.name, web.fleet, web.mode, web.to) == ("web-1", "shop", "live", "kvm2")
    assert (web.destination, base.destination.pool) == (Destination(KVM2["uri"]), "fast")
    assert (base.fleet, base.mode, base.live) == (None, "cold", web.live)
    assert MigrationBatch.from_params({**PARAMS, "migrations": []}).moves == ()


def test_one_is_no_list() -> None:
    """It is returned by itself."""
    one = {"name": "web-1", "destination": {**KVM2, "pool": "default"}, "migrations": None, "destinations": None}
    batch = MigrationBatch.from_params({**PARAMS, **one})
    assert (batch.is_listed, [move.to for move in batch.moves]) == (False, [None])


@pytest.mark.parametrize(
    ("changes", "option", "words"),
    [
        ({"concurrency": 0}, "concurrency", "too small"),
        ({"migrations": [{"to": "kvm2"}]}, "migrations[0].name", "missing"),
        ({"migrations": [{"name": "web-1"}]}, "migrations[0].to", "missing"),
        ({"migrations": [{"name": "-", "to": "kvm2"}]}, "migrations[0].name", ""),
        ({"migrations": [{"name": "a", "to": "kvm9"}]}, "migrations[0].to", "there are: kvm2"),
        ({"migrations": [{"name": "a", "to": "kvm9"}], "destinations": {}}, "migrations[0].to", "there are: none"),
        ({"migrations": [{"name": "a", "to": "kvm2", "mode": "warm"}]}, "migrations[0].mode", "live or cold"),
        ({"migrations": [{"name": "a", "to": "kvm2"}] * 2}, "migrations[1].name", "there twice"),
        ({"destinations": {"kvm2": {"uri": PARAMS["uri"]}}}, "migrations[0].to", "same as uri"),
        ({"destinations": {"kvm2": {}}}, "destinations.kvm2", "no uri"),
        ({"destinations": {"kvm2": "kvm2"}}, "destinations.kvm2", "no uri"),
        ({"destinations": {"kvm2": {**KVM2, "port": 1}}}, "destinations.kvm2", "it has port"),
        ({"destinations": {"kvm2": {**KVM2, "pool": 1}}}, "destinations.kvm2.pool", "quotes"),
        ({"destinations": {"kvm2": {**KVM2, "pool": ""}}}, "destinations.kvm2.pool", "empty"),
        ({"destinations": {"kvm2": {"uri": "nowhere"}}}, "destinations.kvm2.uri", "is not a URI"),
    ],
)
def test_bad_lists(changes: dict[str, t.Any], option: str, words: str) -> None:
    """One sentence that names the option, and which of them it is."""
    with pytest.raises(SpecError) as caught:
        MigrationBatch.from_params({**PARAMS, **changes})
    assert caught.value.option == option
    assert words in caught.value.message
