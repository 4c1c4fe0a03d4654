# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Storage volumes and pools as data, out of libvirt's XML and into it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .document import Element, add, attribute, new, parse, to_text

_QCOW2_COMPAT = "1.1"
_FILE_POOLS = frozenset({"dir", "fs", "netfs"})


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
    changed: str | None = None
    """The same, of the content or what is known of the file."""
    backing_path: str | None = None
    backing_format: str | None = None
    mode: int | None = None
    """Permissions of a volume that is a file."""
    encryption: str | None = None
    """How the content is encrypted, such as luks."""
    secret_uuid: str | None = None
    """Of the secret that opens it, as far as libvirt has one."""
    type: str | None = None
    """file or block, or what libvirt alone knows to open; only read."""
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
    is_followed: bool = field(default=False, compare=False)
    """Libvirt tells what lies below it, be it nothing."""


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

    @property
    def holds_files(self) -> bool:
        """Tell whether its volumes are files."""
        return self.type in _FILE_POOLS


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
    if volume.encryption:
        encryption = add(target, "encryption", format=volume.encryption)
        if volume.secret_uuid:
            add(encryption, "secret", type="passphrase", uuid=volume.secret_uuid)
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
        changed=root.findtext("target/timestamps/ctime"),
        format=attribute(root, "target/format", "type"),
        backing_path=root.findtext("backingStore/path"),
        backing_format=attribute(root, "backingStore/format", "type"),
        mode=int(mode, 8) if mode else None,
        encryption=attribute(root, "target/encryption", "format"),
        secret_uuid=attribute(root, "target/encryption/secret", "uuid"),
        type=root.get("type"),
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
    return tuple(_disk_sources(parse(domain_text).iterfind("devices/disk")))


def read_snapshot_sources(snapshot_text: str) -> tuple[DiskSource, ...]:
    """Return what the disks of a domain lay on when a snapshot was taken, and since then."""
    root = parse(snapshot_text, "The snapshot's XML")
    paths = ("domain/devices/disk", "inactiveDomain/devices/disk", "disks/disk")
    return tuple(source for path in paths for source in _disk_sources(root.iterfind(path)))


def _disk_sources(disks: t.Iterable[Element]) -> t.Iterator[DiskSource]:
    for parent in disks:
        for holder in (parent, *parent.iter("backingStore"), *parent.iter("mirror")):
            source = holder.find("source")
            if source is None:
                continue
            image_format = attribute(holder, "driver" if holder is parent else "format", "type")
            # What lies on another machine has the name that it has there, as such a pool's volumes do.
            path = source.get("file") or source.get("dev") or (source.get("name") if source.get("protocol") else None)
            followed = holder.find("backingStore") is not None
            yield DiskSource(path, image_format, source.get("pool"), source.get("volume"), followed)


def _bytes(root: Element, tag: str) -> int:
    return int(root.findtext(tag) or 0)
