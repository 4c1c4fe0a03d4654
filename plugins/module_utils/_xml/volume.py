# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Storage volumes and pools as data, out of libvirt's XML and into it."""

from __future__ import annotations

from dataclasses import dataclass

from .document import Element, add, attribute, new, parse, to_text

_QCOW2_COMPAT = "1.1"


@dataclass(frozen=True)
class VolumeDescription:
    """``<volume>``: sizes in bytes; what libvirt alone knows (``path``, ``physical_bytes``) is only read."""

    name: str
    capacity_bytes: int
    format: str | None = None
    allocation_bytes: int = 0
    physical_bytes: int | None = None
    path: str | None = None
    modified: str | None = None
    """When the content was changed last, by the hypervisor's clock; to be compared for equality only."""
    backing_path: str | None = None
    backing_format: str | None = None
    mode: int | None = None
    """Permissions of a volume that is a file."""
    compat: str | None = None
    """Of a qcow2 volume, the oldest QEMU that reads it; only read."""

    @property
    def stored_bytes(self) -> int:
        """Return how long the content is as it is stored: a disk image is shorter or longer than what a guest sees of it."""
        return self.capacity_bytes if self.physical_bytes is None else self.physical_bytes


@dataclass(frozen=True)
class DiskSource:
    """What one disk of a domain lies on: a path, or a pool's volume."""

    path: str | None
    format: str | None
    pool: str | None = None
    volume: str | None = None


@dataclass(frozen=True)
class PoolDescription:
    """``<pool>``: sizes in bytes."""

    name: str
    uuid: str
    type: str
    path: str | None
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int


def write_volume(volume: VolumeDescription) -> str:
    """Return the XML that creates ``volume``."""
    root = new("volume")
    add(root, "name", volume.name)
    add(root, "capacity", volume.capacity_bytes, unit="bytes")
    add(root, "allocation", volume.allocation_bytes, unit="bytes")
    target = add(root, "target")
    if volume.format:
        add(target, "format", type=volume.format)
    if volume.format == "qcow2":
        # Without being told, libvirt makes qcow2 of a kind that can't remember what was written since a backup.
        add(target, "compat", _QCOW2_COMPAT)
    if volume.mode is not None:
        add(add(target, "permissions"), "mode", f"{volume.mode:04o}")
    if volume.backing_path:
        backing = add(root, "backingStore")
        add(backing, "path", volume.backing_path)
        if volume.backing_format:
            add(backing, "format", type=volume.backing_format)
    return to_text(root)


def read_volume(text: str) -> VolumeDescription:
    """Return what libvirt's XML ``text`` says of a volume."""
    root = parse(text)
    physical = root.findtext("physical")
    mode = root.findtext("target/permissions/mode")
    return VolumeDescription(
        name=root.findtext("name") or "",
        capacity_bytes=_bytes(root, "capacity"),
        allocation_bytes=_bytes(root, "allocation"),
        physical_bytes=int(physical) if physical else None,
        path=root.findtext("target/path"),
        modified=root.findtext("target/timestamps/mtime"),
        format=attribute(root, "target/format", "type"),
        backing_path=root.findtext("backingStore/path"),
        backing_format=attribute(root, "backingStore/format", "type"),
        mode=int(mode, 8) if mode else None,
        compat=root.findtext("target/compat"),
    )


def read_pool(text: str) -> PoolDescription:
    """Return what libvirt's XML ``text`` says of a pool."""
    root = parse(text)
    return PoolDescription(
        name=root.findtext("name") or "",
        uuid=root.findtext("uuid") or "",
        type=root.get("type") or "",
        path=root.findtext("target/path"),
        capacity_bytes=_bytes(root, "capacity"),
        allocation_bytes=_bytes(root, "allocation"),
        available_bytes=_bytes(root, "available"),
    )


def read_disk_sources(domain_text: str) -> tuple[DiskSource, ...]:
    """Return what the disks of a domain lie on, and as far as libvirt tells, what lies below that."""
    found = []
    for parent in parse(domain_text).iterfind("devices/disk"):
        for holder in (parent, *parent.iter("backingStore"), *parent.iter("mirror")):
            source = holder.find("source")
            if source is None:
                continue
            image_format = attribute(holder, "driver" if holder is parent else "format", "type")
            path = source.get("file") or source.get("dev")
            found.append(DiskSource(path, image_format, source.get("pool"), source.get("volume")))
    return tuple(found)


def _bytes(root: Element, tag: str) -> int:
    return int(root.findtext(tag) or 0)
