# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the plan of an image: pure, from what is declared and what was read."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._service.image import (
    ImageState,
    plan_image,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image import ImageSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_checksum import Checksum
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_host import HostSource
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_metadata import ImageMetadata
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_record import ImageRecord
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_signature import ImageSignature

OLD, NEW = "aa" * 32, "bb" * 32
SPEC = ImageSpec("debian", url="https://h/d.qcow2", checksum=Checksum("sha256", OLD))
RECORD = ImageRecord(
    name="debian",
    digest=f"sha256:{OLD}",
    format="qcow2",
    virtual_size_bytes=1024,
    size_bytes=512,
    source=SPEC.source,
    source_id=SPEC.source_id,
    checksum=f"sha256:{OLD}",
    fetched_at="2026-01-31T12:00:00Z",
)
PUBLISHED = ImageState(RECORD, "/pool/data", has_record=True)


def described(spec: ImageSpec, state: ImageState) -> list[str]:
    """Return the planned steps."""
    return [action.describe() for action in plan_image(spec, state).actions]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"url": "https://mirror/d.qcow2"},
        {"url": None, "path": "/srv/d.qcow2"},
        {"checksum": None},
        {"format": "qcow2"},
        {"convert_to": "qcow2"},
    ],
)
def test_nothing_to_do(changes: dict[str, t.Any]) -> None:
    """The same content by its checksum, or the same source without one."""
    assert not plan_image(replace(SPEC, **changes), PUBLISHED).changed


@pytest.mark.parametrize(
    "changes",
    [
        {"checksum": Checksum("sha256", NEW)},
        {"checksum": Checksum("sha512", "c" * 128)},
        {"checksum": None, "url": "https://mirror/d.qcow2"},
        {"format": "raw"},
        {"convert_to": "raw"},
    ],
)
def test_fetched_again(changes: dict[str, t.Any]) -> None:
    """Other content, another source without a checksum, or another format."""
    spec = replace(SPEC, **changes)
    assert described(spec, PUBLISHED) == [f"fetch_image {spec.source}", "publish_image debian"]


def test_file_that_changed() -> None:
    """Without a checksum a file's time of change is compared, with one it is not."""
    spec = ImageSpec("debian", path="/srv/d.raw")
    record = replace(RECORD, source=spec.source, source_id=spec.source_id, source_mtime_ns=1)
    state = replace(PUBLISHED, record=record, source_mtime_ns=1)
    assert not plan_image(spec, state).changed
    assert plan_image(spec, replace(state, source_mtime_ns=2)).changed
    assert not plan_image(replace(spec, checksum=SPEC.checksum), replace(state, source_mtime_ns=2)).changed


def test_changes_are_those_that_are_made() -> None:
    """What stays is not listed; what only the image can tell is said to be unknown."""
    plan = plan_image(replace(SPEC, checksum=Checksum("sha256", NEW)), replace(PUBLISHED, unused=("old.qcow2",)))
    assert [(change.path, change.before, change.after) for change in plan.changes] == [
        ("image.checksum", f"sha256:{OLD}", f"sha256:{NEW}"),
        ("image.digest", f"sha256:{OLD}", "(known when fetched)"),
        ("image.format", "qcow2", "(known when fetched)"),
    ]
    assert plan.actions[-1].describe() == "remove_volume old.qcow2"


def test_data_that_is_there_is_taken() -> None:
    """Another name's data with the wanted digest spares the fetch."""
    state = ImageState(twin=replace(RECORD, name="other", source="https://first/d.qcow2"))
    plan = plan_image(SPEC, state)
    assert [action.describe() for action in plan.actions] == ["publish_image debian"]
    assert ("image.source", "https://first/d.qcow2") in [(change.path, change.after) for change in plan.changes]


def test_removal() -> None:
    """Absent removes what is there, is done when nothing is, and refuses what is in use."""
    absent = ImageSpec("debian", present=False)
    assert described(absent, ImageState()) == []
    assert described(absent, PUBLISHED) == ["unpublish_image debian"]
    assert described(absent, replace(PUBLISHED, unused=("data",))) == ["unpublish_image debian", "remove_volume data"]
    assert described(absent, ImageState(has_record=True)) == ["unpublish_image debian"]
    with pytest.raises(ConflictError, match="in use by domain web") as caught:
        plan_image(absent, replace(PUBLISHED, users=("domain web",)))
    assert caught.value.details == {"users": ["domain web"]}


def test_converted_image_is_known_by_what_was_fetched() -> None:
    """Its checksum and its format are those of the source, and the data's own say nothing about it."""
    record = replace(RECORD, source_format="vhdx", source_digest=f"sha256:{NEW}", checksum=f"sha256:{NEW}")
    state = replace(PUBLISHED, record=record)
    spec = replace(SPEC, checksum=Checksum("sha256", NEW))
    for same in (spec, replace(spec, format="vhdx"), replace(spec, convert_to="qcow2")):
        assert not plan_image(same, state).changed
    for other in (replace(spec, format="qcow2"), replace(spec, convert_to="raw"), SPEC):
        assert plan_image(other, state).changed


def test_disc_is_never_converted() -> None:
    """Asking for another format changes nothing of an ISO image."""
    state = replace(PUBLISHED, record=replace(RECORD, format="raw", source_format="iso"))
    assert not plan_image(replace(SPEC, convert_to="qcow2"), state).changed


def test_keys_that_are_trusted_no_longer() -> None:
    """What only they have signed is fetched again to be verified; an image of others' signature is no substitute."""
    spec = replace(SPEC, signature=ImageSignature("https://h/d.sig", ("/key",)), signers=frozenset({"NEW", "OTHER"}))
    for signed_by, trusted in ((None, False), ("OLD", False), ("NEW", True), ("OTHER", True)):
        record = replace(RECORD, signed_by=signed_by)
        assert described(spec, replace(PUBLISHED, record=record)) == (
            [] if trusted else [f"fetch_image {SPEC.source}", "publish_image debian"]
        )
    assert not plan_image(SPEC, replace(PUBLISHED, record=replace(RECORD, signed_by="OLD"))).changed


def test_signer_of_checksums_is_told() -> None:
    """Of data that is there, whoever signed its checksums now is recorded, once; nothing is fetched."""
    spec = replace(SPEC, signed_by="NEW")
    plan = plan_image(spec, PUBLISHED)
    assert [action.describe() for action in plan.actions] == ["publish_image debian"]
    assert [(change.path, change.before, change.after) for change in plan.changes] == [("image.signed_by", None, "NEW")]
    assert not plan_image(spec, replace(PUBLISHED, record=replace(RECORD, signed_by="NEW"))).changed
    twin = plan_image(spec, ImageState(twin=replace(RECORD, name="other", signed_by="OLD")))
    assert ("image.signed_by", "NEW") in [(change.path, change.after) for change in twin.changes]


def test_metadata_alone() -> None:
    """It is changed without a fetch; what is not said stays."""
    record = replace(RECORD, metadata=ImageMetadata(version="1", os="Debian"))
    state = replace(PUBLISHED, record=record)
    assert not plan_image(SPEC, state).changed
    assert not plan_image(replace(SPEC, metadata=ImageMetadata(version="1")), state).changed
    plan = plan_image(replace(SPEC, metadata=ImageMetadata(version="2", min_disk_gb=3)), state)
    assert [action.describe() for action in plan.actions] == ["publish_image debian"]
    assert [(change.path, change.before, change.after) for change in plan.changes] == [
        ("image.metadata.min_disk_gb", None, 3),
        ("image.metadata.version", "1", "2"),
    ]


def test_metadata_goes_with_its_data() -> None:
    """New data has what is declared with it; another image's data brings what was said of that."""
    state = replace(PUBLISHED, record=replace(RECORD, metadata=ImageMetadata(version="1", os="Debian")))
    spec = replace(SPEC, checksum=Checksum("sha256", NEW), metadata=ImageMetadata(version="2"))
    changes = {change.path: change.after for change in plan_image(spec, state).changes}
    assert changes["image.metadata.os"] is None
    assert changes["image.metadata.version"] == "2"
    twin = replace(state, twin=replace(RECORD, metadata=ImageMetadata(os="Fedora")))
    changes = {change.path: change.after for change in plan_image(spec, twin).changes}
    assert changes["image.metadata.os"] == "Fedora"


def test_other_hypervisor_has_newer_content() -> None:
    """What it has is known beforehand: digest, format, metadata, and the checksum that it was fetched with."""
    host = HostSource("qemu+ssh://h/system", "default", "debian")
    spec = ImageSpec("debian", host=host)
    offer = replace(RECORD, digest=f"sha256:{NEW}", checksum=f"sha256:{NEW}", metadata=ImageMetadata(os="Debian"))
    assert not plan_image(spec, replace(PUBLISHED, offer=RECORD)).changed
    plan = plan_image(spec, replace(PUBLISHED, offer=offer))
    assert [action.describe() for action in plan.actions] == [
        "fetch_image image debian of pool default at qemu+ssh://h/system",
        "publish_image debian",
    ]
    assert [(change.path, change.after) for change in plan.changes] == [
        ("image.source", "image debian of pool default at qemu+ssh://h/system"),
        ("image.checksum", f"sha256:{NEW}"),
        ("image.digest", f"sha256:{NEW}"),
        ("image.metadata.os", "Debian"),
    ]
    converted = plan_image(replace(spec, convert_to="raw"), replace(PUBLISHED, offer=offer))
    assert ("image.digest", "(known when fetched)") in [(change.path, change.after) for change in converted.changes]
