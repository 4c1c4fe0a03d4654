# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a record says by itself."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import InstanceRecord, OwnedDisk

DATA = OwnedDisk("vdb", "default", "data")


@pytest.mark.parametrize(
    ("record", "root"),
    [
        (InstanceRecord(disk_gb=1, disks=(DATA,)), DATA),
        (InstanceRecord(image="tiny", disks=(DATA,)), DATA),
        (InstanceRecord(disks=(DATA,)), None),
        (InstanceRecord(disk_gb=1, image="tiny", disks=(DATA,), adopted=True), None),
        (InstanceRecord(disk_gb=1), None),
    ],
)
def test_the_root_disk_is_one_that_was_made_to_boot_from(record: InstanceRecord, root: OwnedDisk | None) -> None:
    """What was made for an instance without one, or for an adopted domain, is a volume more."""
    assert record.root == root
