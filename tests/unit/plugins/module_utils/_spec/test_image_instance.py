# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for an image's source that is an instance's disk."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service.image import ImageState, plan_image
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_instance import InstanceSource
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_metadata import ImageMetadata
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_record import (
    ImageRecord,
    is_data_volume,
    is_work_volume,
    work_volume_name,
)

PARAMS: dict[str, t.Any] = {
    "name": "gold",
    "state": "present",
    "format": "auto",
    "max_size_gb": 8,
    "pool": "default",
    "timeout": 60,
    "stall_timeout": 10,
    "retries": 2,
    "source_instance": {"name": "web", "fleet": None, "disk": None, "quiesce": "auto"},
}


def spec(source: dict[str, t.Any] | None = None, **changes: t.Any) -> ImageSpec:
    """Return a declared image with changes."""
    declared = {**PARAMS["source_instance"], **(source or {})}
    return ImageSpec.from_params({**PARAMS, "source_instance": declared, **changes})


@pytest.mark.parametrize(
    ("source", "changes", "option", "words"),
    [
        ({"name": "a/b"}, {}, "source_instance.name", "'a/b'"),
        ({"disk": "vda/.."}, {}, "source_instance.disk", "no name of a disk"),
        ({"quiesce": "perhaps"}, {}, "source_instance.quiesce", "'perhaps'"),
        ({}, {"checksum": "sha256:" + "0" * 64}, "checksum", "says nothing"),
        ({}, {"format": "qcow2"}, "format", "says nothing"),
        ({}, {"url": "https://h/a"}, "src", "exactly one"),
        ({}, {"source_host": {"uri": "qemu:///system"}}, "src", "exactly one"),
    ],
)
def test_bad_input(source: dict[str, t.Any], changes: dict[str, t.Any], option: str, words: str) -> None:
    """Every one is told by its option."""
    with pytest.raises(SpecError, match=words) as caught:
        spec(source, **changes)
    assert caught.value.details["option"] == option


def test_what_it_is_called() -> None:
    """The disk it boots from needs no name; a quiet copy is no other source."""
    assert spec().source == "root disk of instance web"
    assert spec({"disk": "vdb"}).source == "disk vdb of instance web"
    assert spec({"quiesce": "true"}).source_id == spec().source_id
    assert len({spec(source).source_id for source in ({}, {"disk": "vdb"}, {"fleet": "f"}, {"name": "db"})}) == 4
    assert InstanceSource.from_params({**PARAMS, "source_instance": None}) is None


def test_volume_it_comes_into_being_in() -> None:
    """It is no image's data, and known for what it is."""
    assert is_work_volume(work_volume_name("gold"))
    assert not is_data_volume(work_volume_name("gold"))
    assert not is_work_volume("kilonova-sha256-00.qcow2")


def test_is_made_once() -> None:
    """The same disk is not looked at again, another is; what is known beforehand is told."""
    declared = spec()
    state = ImageState(inherited=ImageMetadata(architecture="x86_64", min_disk_gb=2))
    plan = plan_image(declared, state)
    assert [action.describe() for action in plan.actions] == [
        "fetch_image root disk of instance web",
        "publish_image gold",
    ]
    assert ("image.metadata.min_disk_gb", 2) in [(change.path, change.after) for change in plan.changes]
    record = ImageRecord(
        name="gold",
        digest="sha256:" + "a" * 64,
        format="qcow2",
        virtual_size_bytes=1,
        size_bytes=1,
        source=declared.source,
        source_id=declared.source_id,
        checksum=None,
        fetched_at="2026-01-31T12:00:00Z",
    )
    published = ImageState(record, "/pool/data", has_record=True)
    assert not plan_image(declared, published).changed
    assert plan_image(spec({"disk": "vdb"}), published).changed
    assert plan_image(spec(convert_to="raw"), published).changed
