# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what a pool says of an image."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_metadata import ImageMetadata
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_record import (
    RECORD_BYTES,
    ImageRecord,
    data_volume_name,
    image_name,
    is_data_volume,
    record_volume_name,
)
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "ab" * 32
RECORD = ImageRecord(
    name="debian-12",
    digest=DIGEST,
    format="qcow2",
    virtual_size_bytes=2 * 1024**3,
    size_bytes=300 * 1024**2,
    source="https://images.example.com/ä.qcow2",
    source_id="url:abc",
    checksum=DIGEST,
    fetched_at="2026-01-31T12:00:00Z",
    source_mtime_ns=5,
    metadata=ImageMetadata(version="20260115", min_disk_gb=2),
)


def test_comes_back_as_it_was() -> None:
    """All fields survive, in a volume of the fixed size."""
    content = RECORD.to_bytes()
    assert len(content) == RECORD_BYTES
    assert ImageRecord.from_bytes(content) == RECORD


def test_names_of_volumes() -> None:
    """Records and data are told apart and from everything else."""
    assert record_volume_name("a.b") == "kilonova-image-a.b.json"
    assert image_name("kilonova-image-a.b.json") == "a.b"
    assert RECORD.volume == data_volume_name(DIGEST, "qcow2") == f"kilonova-sha256-{'ab' * 32}.qcow2"
    assert is_data_volume(RECORD.volume)
    assert image_name(RECORD.volume) is None
    for other in ("web-1-vda.qcow2", "kilonova-image-a", "seed.json"):
        assert image_name(other) is None
        assert not is_data_volume(other)


@given(st.integers(0, RECORD_BYTES - 1))
def test_half_written_record_does_not_count(length: int) -> None:
    """Whatever part of it is there, with zeros behind: it is no record unless all that is missing is padding."""
    found = ImageRecord.from_bytes(RECORD.to_bytes()[:length].ljust(RECORD_BYTES, b"\0"))
    assert found is None


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"digest": "sha256:../../etc/passwd"},
        {"digest": 7},
        {"format": "vmdk"},
        {"size_bytes": 0},
        {"size_bytes": "1"},
        {"virtual_size_bytes": -1},
    ],
)
def test_nonsense_does_not_count(changes: dict[str, object]) -> None:
    """A record that someone else wrote can't send us elsewhere."""
    data = {**json.loads(RECORD.to_bytes()), **changes}
    assert ImageRecord.from_bytes(json.dumps(data).encode()) is None


def test_later_fields_are_passed_over() -> None:
    """What a newer version adds is no reason to fetch again; what is missing is."""
    data = json.loads(RECORD.to_bytes())
    assert ImageRecord.from_bytes(json.dumps({**data, "new": 1}).encode()) == RECORD
    nonsenses: list[object] = [None, 7, [], {"version": ["a"]}, {"min_disk_gb": "2"}, {"firmware": "none"}]
    for nonsense in nonsenses:
        found = ImageRecord.from_bytes(json.dumps({**data, "metadata": nonsense}).encode())
        assert found == replace(RECORD, metadata=ImageMetadata())
    del data["metadata"]
    assert ImageRecord.from_bytes(json.dumps(data).encode()) == replace(RECORD, metadata=ImageMetadata())
    del data["digest"]
    assert ImageRecord.from_bytes(json.dumps(data).encode()) is None
    assert ImageRecord.from_bytes(b"[]") is None
