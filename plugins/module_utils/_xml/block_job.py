# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What a running guest's XML says of a job on one of its disks."""

from __future__ import annotations

from .document import attribute, parse


def is_mirror_ready(xml: str, target: str) -> bool:
    """Tell whether a job has caught up with what the guest writes, so that the disk can go over to its other place."""
    disks = parse(xml, "The domain's XML").iterfind("devices/disk")
    disk = next((one for one in disks if attribute(one, "target", "dev") == target), None)
    return disk is not None and attribute(disk, "mirror", "ready") == "yes"
