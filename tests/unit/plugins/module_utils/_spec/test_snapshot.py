# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of declared snapshots."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import Begun, InstanceRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot import Snapshot, SnapshotSpec

DEFAULTS: dict[str, t.Any] = {
    "name": "web",
    "fleet": None,
    "snapshot": "s1",
    "state": "present",
    "type": None,
    "memory": None,
    "quiesce": False,
    "disks": None,
    "description": None,
    "retention": None,
    "discard_changes": False,
}


def spec(**options: t.Any) -> SnapshotSpec:
    """Return a declared snapshot."""
    return SnapshotSpec.from_params({**DEFAULTS, **options})


def retention(**options: t.Any) -> dict[str, t.Any]:
    """Return the option."""
    return {"prefix": "s", "keep": None, "older_than": None, **options}


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"snapshot": "../x"}, "snapshot"),
        ({"name": ""}, "name"),
        ({"state": "absent", "type": "internal"}, "type"),
        ({"state": "reverted", "quiesce": True}, "quiesce"),
        ({"state": "absent", "retention": retention(keep=1)}, "retention"),
        ({"discard_changes": True}, "discard_changes"),
        ({"disks": []}, "disks"),
        ({"disks": ["vda"], "type": "internal"}, "disks"),
        ({"disks": ["vda"], "memory": True}, "disks"),
        ({"quiesce": True, "memory": True}, "quiesce"),
        ({"quiesce": True, "type": "internal"}, "quiesce"),
        ({"retention": retention()}, "retention"),
        ({"retention": retention(keep=0)}, "retention.keep"),
        ({"retention": retention(prefix="n-", keep=2)}, "retention.prefix"),
        ({"retention": retention(older_than="a week")}, "retention.older_than"),
        ({"retention": retention(older_than="7y")}, "retention.older_than"),
    ],
)
def test_refuses_what_makes_no_sense(options: dict[str, t.Any], option: str) -> None:
    """By the option's name."""
    with pytest.raises(SpecError) as refused:
        spec(**options)
    assert refused.value.option == option


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90m", 5400), ("36h", 129600), ("7d", 604800), ("2 w", 1209600)]
)
def test_ages(text: str, seconds: int) -> None:
    """In the usual units."""
    rule = spec(retention=retention(older_than=text)).retention
    assert rule is not None
    assert rule.seconds == seconds


@pytest.mark.parametrize(
    ("record", "is_ours"),
    [
        (None, False),
        (InstanceRecord(), False),
        (InstanceRecord(begun=Begun("snapshot", target="s1")), True),
        (InstanceRecord(begun=Begun("finish_revert_snapshot", target="s1")), True),
        (InstanceRecord(begun=Begun("snapshot", target="s0")), False),
        (InstanceRecord(begun=Begun("delete_snapshot", target="s1")), False),
    ],
)
def test_ours_is_what_was_announced(record: InstanceRecord | None, is_ours: bool) -> None:
    """The record of then says that this very snapshot was about to be taken."""
    assert Snapshot("s1", record=record).is_ours == is_ours
