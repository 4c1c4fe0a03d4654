# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of shared directories that golden files do not show."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Filesystem, Machine
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError
from ansible_collections.kilonova.compute.plugins.module_utils._xml.domain import edit, read

SHARED = (
    "<domain><devices><filesystem accessmode='mapped'><source dir='/old'/><target dir='tag'/><readonly/></filesystem>"
    "<filesystem type='ram'><source usage='1024'/><target dir='/tmp'/></filesystem></devices></domain>"
)


def test_finds_a_directory_by_its_tag() -> None:
    """How access is mapped stays; other kinds of file systems are not read."""
    assert read(SHARED).filesystems == (Filesystem("tag", "/old", readonly=True),)
    edited = edit(SHARED, Machine("kvm", "m", filesystems=(Filesystem("tag", "/new", readonly=False),)))
    assert read(edited).filesystems == (Filesystem("tag", "/new", readonly=False),)
    assert 'accessmode="mapped"' in edited


def test_another_kind_of_file_system_is_not_taken_away() -> None:
    """Memory is no directory of the host."""
    with pytest.raises(XmlError, match=r"^File system /tmp is of type ram: only mount is known\.$"):
        edit(SHARED, Machine("kvm", "m", filesystems=(Filesystem("/tmp", "/new"),)))
