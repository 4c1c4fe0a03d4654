# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for storage pools' definitions between data and libvirt's XML."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.pool import (
    DEFAULT_PATHS,
    FORMATS,
    POOL_TYPES,
    PoolAuth,
    PoolHost,
    PoolLayout,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.pool import (
    read_layout,
    read_pool_types,
    write_pool,
)
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
PATHS = st.from_regex(r"\A(/[A-Za-z0-9 &<>'\"._-]+){1,3}\Z")
TARGETS = st.just("iqn.2026-01.com.example:disks")
AUTHS = st.builds(PoolAuth, NAMES, st.uuids().map(str)) | st.builds(PoolAuth, NAMES, st.none(), NAMES)
HOSTS = st.lists(st.builds(PoolHost, st.from_regex(r"\A[a-z0-9][a-z0-9.-]{0,20}\Z"), st.none() | st.integers(1, 65535)))
SOME_HOSTS = HOSTS.filter(bool).map(tuple)
ONE_HOST = SOME_HOSTS.map(lambda hosts: hosts[:1])
DEVICES = st.lists(PATHS, min_size=1, max_size=3).map(tuple)


def formats(pool_type: str) -> st.SearchStrategy[str | None]:
    """Return what a type can declare."""
    return st.none() | st.sampled_from(FORMATS[pool_type])


LAYOUTS: dict[str, st.SearchStrategy[PoolLayout]] = {
    "dir": st.builds(PoolLayout, st.just("dir"), path=PATHS),
    "fs": st.builds(
        PoolLayout, st.just("fs"), path=PATHS, devices=PATHS.map(lambda path: (path,)), format=formats("fs")
    ),
    "netfs": st.builds(PoolLayout, st.just("netfs"), path=PATHS, hosts=ONE_HOST, dir=PATHS, format=formats("netfs")),
    "logical": st.builds(
        PoolLayout, st.just("logical"), name=NAMES, devices=st.none() | DEVICES, format=formats("logical")
    ),
    "iscsi": st.builds(
        PoolLayout,
        st.just("iscsi"),
        path=PATHS,
        hosts=SOME_HOSTS,
        devices=TARGETS.map(lambda target: (target,)),
        initiator=st.none() | TARGETS,
        auth=st.none() | AUTHS,
    ),
    "rbd": st.builds(PoolLayout, st.just("rbd"), name=NAMES, hosts=SOME_HOSTS, auth=st.none() | AUTHS),
    "zfs": st.builds(
        PoolLayout, st.just("zfs"), name=NAMES, devices=st.none() | DEVICES.map(lambda devices: devices[:1])
    ),
}


@pytest.fixture(scope="module")
def schema() -> etree.RelaxNG:
    """Return libvirt's own schema of storage pools."""
    path = Path("/usr/share/libvirt/schemas/storagepool.rng")
    if not path.exists():
        pytest.fail(f"libvirt's schema {path} is missing: install libvirt-daemon or libvirt-common")
    return etree.RelaxNG(etree.parse(str(path)))


@pytest.mark.parametrize("pool_type", POOL_TYPES)
@given(data=st.data())
def test_what_is_written_is_valid_and_read(schema: etree.RelaxNG, pool_type: str, data: st.DataObject) -> None:
    """Libvirt's schema accepts every pool that is defined, and nothing of it is lost."""
    name, layout = data.draw(NAMES), data.draw(LAYOUTS[pool_type])
    text = write_pool(name, layout)
    schema.assertValid(etree.fromstring(text))
    assert read_layout(text) == layout


def test_an_iscsi_pool_needs_no_path() -> None:
    """Its disks are where udev puts them."""
    layout = PoolLayout("iscsi", hosts=(PoolHost("a"),), devices=("iqn.2026-01.com.example:disks",))
    assert read_layout(write_pool("a", layout)).path == DEFAULT_PATHS["iscsi"]


def test_reads_which_types_there_are() -> None:
    """A backend that is not installed is no type."""
    text = "<storagepoolCapabilities><pool type='dir' supported='yes'/><pool type='rbd' supported='no'/></storagepoolCapabilities>"
    assert read_pool_types(text) == {"dir"}
