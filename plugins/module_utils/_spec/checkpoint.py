# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Checkpoints: points in time from which on QEMU remembers what a guest writes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "kilonova-"
"""What the names of all checkpoints begin with that the collection makes."""
_UUID_DIGITS = 8


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that libvirt knows of."""

    name: str
    targets: frozenset[str] = frozenset()
    """Of the disks of which it is still known what was written since."""


def checkpoint_prefix(pool_uuid: str) -> str:
    """Return what the names of checkpoints begin with whose backups are in that pool: each pool has a series of its own."""
    return f"{PREFIX}{pool_uuid[:_UUID_DIGITS]}-"


def checkpoint_name(pool_uuid: str, seconds: int, backup: str) -> str:
    """Return a name that no earlier checkpoint had, so that what is left of one is never taken for another."""
    return f"{checkpoint_prefix(pool_uuid)}{seconds}-{backup}"
