# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for seeds in a pool, as far as libvirt's test driver goes, which keeps no data."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.storage import Pool, find_pool
from ansible_collections.kilonova.compute.plugins.module_utils._seed.iso import build_iso
from ansible_collections.kilonova.compute.plugins.module_utils._service.seed import (
    build_seed,
    retire_seeds,
    seed_volume_name,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.first_boot import FirstBootSpec

NODE = "<node><pool type='dir'><name>p</name><target><path>/p</path></target></pool></node>"


@pytest.fixture
def pool(tmp_path: Path) -> t.Iterator[Pool]:
    """Return a pool of a host of its own."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield find_pool(opened, "p")


def test_a_seed_is_made_of_the_declaration() -> None:
    """Its documents are in the image, and the same make the same."""
    spec = FirstBootSpec("#!/bin/sh\n", "{}", None, (), None, "web")
    content = build_seed(spec, "id-1", "web-1", ())
    assert content == build_iso(spec.documents("id-1", "web-1", ()))
    assert content != build_seed(spec, "id-2", "web-1", ())


def test_another_content_is_another_volume() -> None:
    """So that what a guest reads is never changed under it."""
    names = {seed_volume_name(name, content) for name in ("web-1", "web-2") for content in (b"a", b"b")}
    assert len(names) == 4
    assert seed_volume_name("web-1", b"a") == "web-1-seed-ca978112ca1b.iso"


def test_only_an_instances_own_seeds_retire(pool: Pool) -> None:
    """Neither those that are kept, nor another instance's, nor what only looks like one."""
    mine = [seed_volume_name("web", content) for content in (b"a", b"b", b"c")]
    others = [seed_volume_name("web-1", b"a"), "web-seed-1.iso", "web-seed-ca978112ca1b.iso.bak", "xweb" + mine[0][3:]]
    for name in (*mine, *others):
        pool.create(name, 1, "raw")
    assert retire_seeds(pool, "web", {mine[0]}) == sorted(mine[1:])
    assert set(pool.volumes()) == {mine[0], *others}
    assert retire_seeds(pool, "web", {mine[0]}) == []
