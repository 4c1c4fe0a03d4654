# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of declared backups."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.backup import BackupSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.checkpoint import (
    checkpoint_name,
    checkpoint_prefix,
)

LIMITS = {
    "cpu_allocation_ratio": 4.0,
    "ram_allocation_ratio": 1.0,
    "disk_allocation_ratio": 1.0,
    "reserved_host_cpus": 0,
    "reserved_host_memory_mb": 0,
    "reserved_host_disk_mb": 0,
}
NONE: dict[str, t.Any] = dict.fromkeys(
    ("fleet", "type", "full_every", "disks", "description", "retention", "restore_as", "restore_pool")
)
PARAMS = {**NONE, "name": "web", "backup": "b1", "pool": "p", "state": "present", "quiesce": False, "limits": LIMITS}


def test_what_is_not_declared_has_defaults() -> None:
    """All disks, auto, one week, and what is restored lies where the backup does."""
    spec = BackupSpec.from_params(PARAMS)
    assert (spec.type, spec.full_every, spec.disks, spec.restore_pool) == ("auto", 7, None, "p")
    restored = BackupSpec.from_params({**PARAMS, "state": "restored", "restore_as": "new", "restore_pool": "q"})
    assert (restored.restore_as, restored.restore_pool) == ("new", "q")


def test_what_is_declared_is_taken() -> None:
    """A disk that is named twice counts once."""
    retention = {"prefix": "b", "keep": 2, "older_than": "1d"}
    spec = BackupSpec.from_params({**PARAMS, "disks": ["vdb", "vda", "vdb"], "retention": retention, "type": "full"})
    assert (spec.disks, spec.type) == (("vdb", "vda"), "full")
    assert spec.retention is not None
    assert (spec.retention.keep, spec.retention.seconds) == (2, 86400)


@pytest.mark.parametrize(
    ("option", "params"),
    [
        ("name", {"name": "a/b"}),
        ("backup", {"backup": "a@b"}),
        ("disks", {"disks": []}),
        ("full_every", {"full_every": 0}),
        ("type", {"state": "absent", "type": "full"}),
        ("quiesce", {"state": "absent", "quiesce": True}),
        ("retention", {"state": "restored", "restore_as": "n", "retention": {}}),
        ("restore_as", {"restore_as": "new"}),
        ("restore_pool", {"state": "absent", "restore_pool": "q"}),
        ("restore_as", {"state": "restored"}),
        ("restore_as", {"state": "restored", "restore_as": "a b"}),
        ("limits.cpu_allocation_ratio", {"limits": {**LIMITS, "cpu_allocation_ratio": 0}}),
    ],
)
def test_what_is_wrong_is_named(option: str, params: dict[str, t.Any]) -> None:
    """Before anything is connected to."""
    with pytest.raises(SpecError) as caught:
        BackupSpec.from_params({**PARAMS, **params})
    assert caught.value.option == option


def test_checkpoints_tell_pools_and_times_apart() -> None:
    """A backup that is taken again under its name has another one."""
    names = {checkpoint_name(pool, when, "b1") for pool in ("aaaaaaaa-1", "bbbbbbbb-1") for when in (1, 2)}
    assert len(names) == 4
    assert sum(name.startswith(checkpoint_prefix("aaaaaaaa-1")) for name in names) == 2
