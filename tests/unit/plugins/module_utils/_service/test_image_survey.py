# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of who lies on an image. Pure, on libvirt's test driver for a volume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import Volume, find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._service.chains import DomainUse
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_catalog import ImageCatalog
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_info import ImageInfoOptions, list_images
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_store import ImageStore
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_survey import (
    StoredImage,
    Survey,
    take_survey,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_usage import Usage
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_cache import note_name
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_record import (
    data_volume_name,
    record_volume_name,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.query import Query
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.own_node import own_node

DIGEST = "sha256:" + "ab" * 32
DATA = data_volume_name(DIGEST, "qcow2")


def test_who_lies_on_an_image_and_who_is_about_to(tmp_path: Path) -> None:
    """A domain that does both is told once."""
    with Connection(own_node(tmp_path)) as connection:
        volume = find_pool(connection, "default-pool").create(DATA, 1024**2, "qcow2")
        image = StoredImage(volume, (), None)
        domains = (
            DomainUse("both", frozenset({volume.path}), claims=frozenset({DIGEST})),
            DomainUse("soon", frozenset(), claims=frozenset({DIGEST})),
            DomainUse("other", frozenset({"/other"})),
        )
        survey = Survey((image,), (), Usage({}, {}, domains))
        assert survey.users(image) == ["domain both", "domain soon"]
        assert survey.instances(image) == ["both", "soon"]


def test_a_pool_is_surveyed_with_one_list_call(tmp_path: Path) -> None:
    """Data that no record names, and a note on what is not there."""
    with Connection(own_node(tmp_path)) as connection:
        pool = find_pool(connection, "default-pool")
        pool.create(DATA, 1024**2, "qcow2")
        pool.create(note_name(data_volume_name("sha256:" + "cd" * 32, "raw")), 512, "raw")
        connection.calls.clear()
        survey = take_survey(ImageCatalog(connection, pool), thorough=False)
        assert connection.calls["listAllVolumes"] == 1
        assert [(image.volume.name, image.names) for image in survey.images] == [(DATA, ())]
        assert survey.stray_notes == (note_name(data_volume_name("sha256:" + "cd" * 32, "raw")),)
        assert list_images(connection, ImageInfoOptions("default-pool")) == {"images": [], "unreadable": []}
        counted = ImageInfoOptions("default-pool", query=Query.of("query", "length(@)"))
        assert list_images(connection, counted)["images"] == [0]


def test_what_another_version_published_is_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data could be any that no record names, and is not left over; a record that is half written is none."""
    contents = {record_volume_name("new"): json.dumps({"schema": 2}).encode(), record_volume_name("half"): bytes(9)}
    monkeypatch.setattr(Volume, "read_bytes", lambda self, limit: contents[self.name][:limit])
    with Connection(own_node(tmp_path)) as connection:
        pool = find_pool(connection, "default-pool")
        for name in (DATA, *contents):
            pool.create(name, 1024**2, "raw")
        store = ImageStore(connection, pool)
        assert take_survey(store, thorough=False).usage.blind_spots == [
            "image new, which another version of kilonova.compute published"
        ]
        assert store.unused_data([]) == []
        find_pool(connection, "default-pool").volumes()[record_volume_name("new")].delete()
        assert store.unused_data([]) == [DATA]
