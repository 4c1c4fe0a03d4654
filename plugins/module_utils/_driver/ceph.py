# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What libvirt says of images in a Ceph cluster, in words that help: it makes errors of numbers that were another call's."""

from __future__ import annotations

from .._errors import ConflictError, DriverError


def kept_by_ceph(image: str, pool: str, reason: DriverError) -> ConflictError:
    """Return why an image could not be removed: it has snapshots, as one has that was copied, or somebody has it open."""
    return ConflictError(
        f"Volume {image} of pool {pool} is kept by Ceph: it has snapshots, as one has that was copied, or is open elsewhere;"
        " see rbd status and rbd snap ls, have its copies flattened (rbd flatten), remove its snapshots (rbd snap unprotect,"
        " rbd snap purge), and run again.",
        {**reason.details, "libvirt_message": reason.message},
    )
