# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what images take of their pool, on libvirt's test driver."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import NotFoundError, UnsupportedError
from ansible_collections.kilonova.compute.plugins.module_utils._service.facts_images import image_cache, pool_volumes
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_record import (
    data_volume_name,
    record_volume_name,
)

MIB = 1024**2
DATA = [data_volume_name(f"sha256:{letter * 64}", "qcow2") for letter in "ab"]


def test_what_images_take() -> None:
    """All data counts, published or not, and nothing else; names are counted apart from data."""
    with Connection("test:///default") as connection:
        pool = connection.raw.storagePoolLookupByName("default-pool")

        def add(name: str, size: int) -> None:
            size_xml = f"<capacity>{size * MIB}</capacity><allocation>{size * MIB}</allocation>"
            pool.createXML(f"<volume><name>{name}</name>{size_xml}</volume>", 0)

        assert image_cache(pool_volumes(connection, "default-pool")) == {"images": 0, "size_gb": 0}
        add("web-vda.qcow2", 5000)
        for name in ("debian", "again", "third"):
            add(record_volume_name(name), 1)
        add(DATA[0], 1024)
        assert image_cache(pool_volumes(connection, "default-pool")) == {"images": 3, "size_gb": 1}
        add(DATA[1], 1)
        connection.calls.clear()
        assert image_cache(pool_volumes(connection, "default-pool")) == {"images": 3, "size_gb": 2}
        assert (connection.calls["listAllVolumes"], connection.calls["XMLDesc"]) == (1, 2)


def test_a_hypervisor_that_lists_no_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no images of ours; any other trouble is told."""
    with Connection("test:///default") as connection:
        with pytest.raises(NotFoundError):
            pool_volumes(connection, "nowhere")
        original = connection.call

        def call(doing: str, function: object, *arguments: object) -> object:
            if "listAllVolumes" in str(function):
                raise UnsupportedError("this function is not supported")
            return original(doing, function, *arguments)  # type: ignore[arg-type]  # as it is given

        monkeypatch.setattr(connection, "call", call)
        assert pool_volumes(connection, "default-pool") == {}
