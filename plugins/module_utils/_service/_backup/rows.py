# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Backups as plain data."""

from __future__ import annotations

import typing as t

from ..._plan.backup_scene import BackupScene
from ..._spec.backup_record import BackupRecord


def rows_of(scene: BackupScene) -> list[dict[str, t.Any]]:
    """Return what is told of the backups in a scene, oldest first."""
    return [row_of(record, scene) for record in scene.backups]


def row_of(record: BackupRecord, scene: BackupScene) -> dict[str, t.Any]:
    """Return what is told of a backup."""
    damage = scene.damage(record)
    return {
        "instance": record.instance,
        "backup": record.backup,
        "uuid": record.uuid,
        "type": "incremental" if record.incremental else "full",
        "parent": record.parent,
        "created_at": record.created_at,
        "quiesced": record.quiesced,
        "powered_off": record.held,
        "description": record.description,
        "damage": damage,
        "disks": [
            {
                "target": disk.target,
                "volume": record.volume(disk.target),
                "capacity_bytes": disk.capacity_bytes,
                "stored_bytes": disk.stored_bytes,
                "incremental": disk.incremental,
            }
            for disk in record.disks
        ],
        "left_out": list(record.left_out),
    }
