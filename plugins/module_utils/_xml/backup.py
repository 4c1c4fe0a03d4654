# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Libvirt's XML of a backup job."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .document import add, new, parse, to_text

_QCOW2 = "qcow2"


@dataclass(frozen=True)
class BackupTarget:
    """A disk and the volume that it is written to, whole or what was written since the checkpoint ``since``."""

    target: str
    path: str
    since: str | None = None


def write_backup(targets: t.Iterable[BackupTarget], others: t.Iterable[str]) -> str:
    """Return what libvirt wants to know of a job that writes disks to volumes which are there; ``others`` are left out."""
    root = new("domainbackup", mode="push")
    disks = add(root, "disks")
    for one in targets:
        disk = add(disks, "disk", name=one.target, backup=True, type="file")
        if one.since is None:
            disk.set("backupmode", "full")
        else:
            disk.set("backupmode", "incremental")
            disk.set("incremental", one.since)
        add(disk, "driver", type=_QCOW2)
        add(disk, "target", file=one.path)
    for target in others:
        add(disks, "disk", name=target, backup=False)
    return to_text(root, pretty=True)


def read_backup_paths(text: str) -> frozenset[str]:
    """Return the paths that a job writes to."""
    root = parse(text, "The backup's XML")
    return frozenset(target.get("file") for target in root.iterfind("disks/disk/target") if target.get("file"))
