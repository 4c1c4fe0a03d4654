# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of refusals that snapshots and backups share."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.snapshot_refusals import refuse_two_places
from ansible_collections.kilonova.compute.plugins.module_utils._spec.snapshot_disk import DiskTraits, SnapshotTraits


def traits(**paths: str) -> SnapshotTraits:
    """Return what is known of an instance with disks at the paths."""
    return SnapshotTraits(tuple(DiskTraits(target, path, "qcow2") for target, path in paths.items()), tuple(paths))


def test_a_disk_that_is_to_lie_elsewhere_is_refused() -> None:
    """One that is only plugged in, or only to come, is nowhere else."""
    refuse_two_places("web", traits(vda="/a", vdc="/c"), traits(vda="/a", vdb="/b"))
    with pytest.raises(
        ConflictError, match="Disk vda of instance web lies on /a, and will lie on /z after its next boot"
    ):
        refuse_two_places("web", traits(vda="/z"), traits(vda="/a"))
