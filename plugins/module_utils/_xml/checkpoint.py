# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Libvirt's XML of a checkpoint."""

from __future__ import annotations

import typing as t

from .._spec.checkpoint import Checkpoint
from .document import XmlError, add, new, parse, set_attributes, text_of, to_text

_BITMAP, _NONE = "bitmap", "no"


def write_checkpoint(name: str, tracked: t.Iterable[str], others: t.Iterable[str]) -> str:
    """Return what libvirt wants to know of a new checkpoint: on the disks ``tracked`` and not on ``others``."""
    root = new("domaincheckpoint")
    add(root, "name", name)
    disks = add(root, "disks")
    for target in tracked:
        add(disks, "disk", name=target, checkpoint=_BITMAP)
    for target in others:
        add(disks, "disk", name=target, checkpoint=_NONE)
    return to_text(root, pretty=True)


def without_disk(text: str, target: str) -> str:
    """Return libvirt's description of a checkpoint with that disk left out of it."""
    root = parse(text, "The checkpoint's XML")
    for disk in root.iterfind(f"disks/disk[@checkpoint='{_BITMAP}']"):
        if disk.get("name") == target:
            disk.attrib.clear()
            set_attributes(disk, name=target, checkpoint=_NONE)
    return to_text(root)


def read_checkpoint(text: str, sized: bool) -> Checkpoint:
    """Return what libvirt tells of a checkpoint; where it was asked for sizes, a disk without one has lost its bitmap."""
    root = parse(text, "The checkpoint's XML")
    if root.tag != "domaincheckpoint":
        raise XmlError(f"The checkpoint's XML cannot be read: it is <{root.tag}>.")
    disks = root.iterfind(f"disks/disk[@checkpoint='{_BITMAP}']")
    targets = (disk.get("name", "") for disk in disks if not sized or disk.get("size") is not None)
    return Checkpoint(text_of(root, "name") or "", frozenset(targets))
