# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of libvirt's XML of a backup of one disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.disk_copy import read_copy_paths, write_disk_copy
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

SCHEMA = Path("/usr/share/libvirt/schemas/domainbackup.rng")


@pytest.mark.skipif(not SCHEMA.exists(), reason="libvirt's schemas are not installed")
def test_is_what_libvirt_wants() -> None:
    """One disk is copied, and the others are named as not."""
    text = write_disk_copy("vda", "/pool/a & b.qcow2", ("vdb", "sda"))
    schema = etree.RelaxNG(etree.parse(str(SCHEMA)))
    assert schema.validate(etree.fromstring(text)), schema.error_log
    root = etree.fromstring(text)
    assert {disk.get("name"): disk.get("backup") for disk in root.iter("disk")} == {
        "vda": "yes",
        "vdb": "no",
        "sda": "no",
    }


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1
    )
)
def test_any_path_comes_back(path: str) -> None:
    """What is written is read."""
    assert read_copy_paths(write_disk_copy("vda", path)) == {path}


def test_nothing_is_copied_elsewhere() -> None:
    """A backup that somebody fetches writes to a socket or a scratch file."""
    assert read_copy_paths("<domainbackup mode='pull'><disks><disk name='vda'/></disks></domainbackup>") == frozenset()
