# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What libvirt wants to know of a backup of one disk, and what it says of one that is being made."""

from __future__ import annotations

import typing as t

from .document import add, new, parse, to_text

_QCOW2 = "qcow2"


def write_disk_copy(target: str, path: str, others: t.Iterable[str] = ()) -> str:
    """Return what has the disk ``target`` copied into the qcow2 file at ``path``, and the disks ``others`` not."""
    root = new("domainbackup", mode="push")
    disks = add(root, "disks")
    disk = add(disks, "disk", name=target, backup="yes", type="file")
    add(disk, "driver", type=_QCOW2)
    add(disk, "target", file=path)
    for other in others:
        add(disks, "disk", name=other, backup="no")
    return to_text(root, pretty=True)


def read_copy_paths(text: str) -> frozenset[str]:
    """Return the files that are being written to."""
    targets = parse(text, "The backup's XML").iterfind("disks/disk/target")
    return frozenset(target.get("file", "") for target in targets)
