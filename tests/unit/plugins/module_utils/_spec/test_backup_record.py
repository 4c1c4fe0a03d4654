# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a pool says of a backup."""

from __future__ import annotations

import json
import typing as t
from dataclasses import fields, replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.backup_record import (
    RECORD_BYTES,
    BackedDisk,
    BackupRecord,
    data_volume,
    definition_volume,
    owner_of,
    record_volume,
)
from hypothesis import given
from hypothesis import strategies as st

RECORD = BackupRecord(
    instance="web-1",
    backup="nightly.2",
    uuid="4b20d080-1b54-4048-85b3-a6a62d165c01",
    created_at="2026-11-23T05:00:00Z",
    disks=(
        BackedDisk("vda", "qcow2", 2**30, incremental=True, tracked=True, stored_bytes=7),
        BackedDisk("vdb", "raw", 2**20),
    ),
    left_out=("sda",),
    parent="nightly.1",
    checkpoint="kilonova-0-1-nightly.2",
    quiesced=True,
    held=True,
    description="what ä <for>",
    complete=True,
)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


def test_comes_back_as_it_was() -> None:
    """Every field, none of which has its default here, in a volume of the fixed size."""
    blank = BackupRecord("", "", "", "", ())
    assert not [
        one.name
        for one in fields(RECORD)
        if one.name != "schema" and getattr(RECORD, one.name) == getattr(blank, one.name)
    ]
    content = RECORD.to_bytes()
    assert len(content) == RECORD_BYTES
    assert BackupRecord.from_bytes(content) == RECORD
    assert RECORD.incremental
    assert RECORD.key == "web-1@nightly.2 2026-11-23T05:00:00Z"
    assert not RECORD.unfinished().complete


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"instance": "../web"},
        {"backup": "a/b"},
        {"parent": "x@y"},
        {"created_at": "yesterday"},
        {"uuid": None},
        {"complete": "yes"},
        {"left_out": [1]},
        {"checkpoint": 5},
        {"disks": [{"target": "../vda", "format": "qcow2", "capacity_bytes": 1}]},
        {"disks": [{"target": "vda", "format": "vmdk", "capacity_bytes": 1}]},
        {"disks": [{"target": "vda", "format": "raw", "capacity_bytes": -1}]},
        {"disks": [{"target": "vda", "format": "raw", "capacity_bytes": 1, "tracked": 1}]},
        {"disks": [{"target": "vda"}]},
        {"disks": 2 * [{"target": "vda", "format": "raw", "capacity_bytes": 1}]},
        {"disks": 7},
        {"disks": ["vda"]},
    ],
)
def test_what_is_not_ours_is_not_read(changes: dict[str, t.Any]) -> None:
    """Whoever may write to the pool does not have other volumes touched by it."""
    data = {**json.loads(RECORD.to_bytes()), **changes}
    assert BackupRecord.from_bytes(json.dumps(data).encode()) is None


@given(st.integers(0, RECORD_BYTES - 1))
def test_half_a_record_is_none(length: int) -> None:
    """Wherever it was cut; nothing but white space may miss."""
    content = RECORD.to_bytes()
    found = BackupRecord.from_bytes(content[:length] + bytes(RECORD_BYTES - length))
    assert found is None


@given(NAMES, NAMES, st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True))
def test_volumes_tell_whose_they_are(instance: str, backup: str, target: str) -> None:
    """Whatever dots and dashes the names have."""
    for name in (
        record_volume(instance, backup),
        definition_volume(instance, backup),
        data_volume(instance, backup, target),
    ):
        assert owner_of(name) == (instance, backup)


@pytest.mark.parametrize(
    "name",
    [
        "web-vda.qcow2",
        "kilonova-backup-web.json",
        "kilonova-backup-@b.json",
        "kilonova-backup-web@.json",
        "kilonova-backup-web@b.qcow2",
        "kilonova-backup-web@b.VDA.qcow2",
        "kilonova-backup-web@b.raw",
        "kilonova-backup-web@b@c.json",
    ],
)
def test_other_volumes_are_nobodys(name: str) -> None:
    """And so never deleted."""
    assert owner_of(name) is None


def test_empty_bytes_and_other_documents() -> None:
    """They are no records either."""
    for content in (b"", b"\0" * 10, b"[]", b"\xff"):
        assert BackupRecord.from_bytes(content) is None
    assert BackupRecord.from_bytes(replace(RECORD, parent=None).to_bytes()) == replace(RECORD, parent=None)
