# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Storage volumes and pools as data, out of libvirt's XML and into it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import MissingLibraryError

try:
    from lxml import etree

    LXML_IMPORT_ERROR: str | None = None
except ImportError as exc:
    etree = None  # type: ignore[assignment]
    LXML_IMPORT_ERROR = str(exc)


@dataclass(frozen=True)
class VolumeDescription:
    """``<volume>``: sizes in bytes; what libvirt alone knows (``path``, ``physical_bytes``) is only read."""

    name: str
    capacity_bytes: int
    format: str | None = None
    allocation_bytes: int = 0
    physical_bytes: int | None = None
    path: str | None = None
    backing_path: str | None = None
    backing_format: str | None = None


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
    root = _library().Element("volume")
    _add(root, "name", volume.name)
    _add(root, "capacity", str(volume.capacity_bytes), unit="bytes")
    _add(root, "allocation", str(volume.allocation_bytes), unit="bytes")
    target = _add(root, "target")
    if volume.format:
        _add(target, "format", type=volume.format)
    if volume.backing_path:
        backing = _add(root, "backingStore")
        _add(backing, "path", volume.backing_path)
        if volume.backing_format:
            _add(backing, "format", type=volume.backing_format)
    return _library().tostring(root, encoding="unicode")


def read_volume(text: str) -> VolumeDescription:
    """Return what libvirt's XML ``text`` says of a volume."""
    root = _parse(text)
    physical = root.findtext("physical")
    return VolumeDescription(
        name=root.findtext("name") or "",
        capacity_bytes=_bytes(root, "capacity"),
        allocation_bytes=_bytes(root, "allocation"),
        physical_bytes=int(physical) if physical else None,
        path=root.findtext("target/path"),
        format=_attribute(root, "target/format", "type"),
        backing_path=root.findtext("backingStore/path"),
        backing_format=_attribute(root, "backingStore/format", "type"),
    )


def read_pool(text: str) -> PoolDescription:
    """Return what libvirt's XML ``text`` says of a pool."""
    root = _parse(text)
    return PoolDescription(
        name=root.findtext("name") or "",
        uuid=root.findtext("uuid") or "",
        type=root.get("type") or "",
        path=root.findtext("target/path"),
        capacity_bytes=_bytes(root, "capacity"),
        allocation_bytes=_bytes(root, "allocation"),
        available_bytes=_bytes(root, "available"),
    )


def _library() -> t.Any:
    if etree is None:
        raise MissingLibraryError(
            "The Python library lxml is not installed where the module runs"
            f" ({LXML_IMPORT_ERROR}): install python3-lxml (Debian, Ubuntu, Fedora, EL) or lxml."
        )
    return etree


def _parse(text: str) -> t.Any:
    parser = _library().XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    return _library().fromstring(text.encode("utf-8"), parser)


def _add(parent: t.Any, tag: str, text: str | None = None, **attributes: str) -> t.Any:
    child = _library().SubElement(parent, tag, **attributes)
    child.text = text
    return child


def _bytes(root: t.Any, tag: str) -> int:
    return int(root.findtext(tag) or 0)


def _attribute(root: t.Any, path: str, name: str) -> str | None:
    found = root.find(path)
    return None if found is None else found.get(name)
