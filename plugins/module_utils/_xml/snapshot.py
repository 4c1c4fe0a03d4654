# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Libvirt's XML of a snapshot, which holds the domain's of then, once or, of a running guest, twice."""

from __future__ import annotations

import typing as t

from .._spec.record import InstanceRecord
from .._spec.snapshot import EXTERNAL, INTERNAL, Frozen, Snapshot
from .._spec.snapshot_disk import DiskTraits, NewLayer, SnapshotTraits
from .document import (
    Element,
    XmlError,
    add,
    as_int,
    attribute,
    drop,
    ensure,
    new,
    parse,
    set_attributes,
    text_of,
    to_text,
)
from .power import read_power_traits
from .record import find_record, put_record

_DEFINITION, _GUEST = "inactiveDomain", "domain"
_PATH = {"file": "file", "block": "dev"}
"""Attribute of ``<source>`` by the disk's type."""
_QCOW2 = "qcow2"


def write_snapshot(
    name: str,
    description: str | None,
    layers: t.Sequence[NewLayer] = (),
    others: t.Sequence[str] = (),
    memory_path: str | None = None,
) -> str:
    """Return what libvirt wants to know of a new snapshot: an external one with ``layers``, else an internal one.

    The disks ``others`` are left out of it.
    """
    root = new("domainsnapshot")
    add(root, "name", name)
    if description is not None:
        add(root, "description", description)
    if memory_path is not None:
        add(root, "memory", snapshot=EXTERNAL, file=memory_path)
    if layers:
        disks = add(root, "disks")
        for layer in layers:
            disk = add(disks, "disk", name=layer.target, snapshot=EXTERNAL, type="file")
            add(disk, "driver", type=_QCOW2)
            add(disk, "source", file=layer.path)
        for target in others:
            add(disks, "disk", name=target, snapshot="no")
    return to_text(root, pretty=True)


def read_snapshot(text: str, current: bool = False) -> Snapshot:
    """Return what libvirt tells of a snapshot."""
    root = _parse(text)
    guest = root.find(_GUEST)
    definition = guest if root.find(_DEFINITION) is None else root.find(_DEFINITION)
    outside = {disk.get("name") for disk in root.iterfind(f"disks/disk[@snapshot='{EXTERNAL}']")}
    memory = attribute(root, "memory", "snapshot")
    disks = [] if guest is None else list(_writable(guest))
    return Snapshot(
        name=text_of(root, "name") or "",
        created=as_int(text_of(root, "creationTime")) or 0,
        description=root.findtext("description"),
        state=text_of(root, "state") or "",
        external=bool(outside) or memory == EXTERNAL,
        memory=memory in (INTERNAL, EXTERNAL),
        memory_path=attribute(root, "memory", "file"),
        frozen=tuple(
            Frozen(disk.target, disk.path, disk.format) for disk in disks if disk.target in outside and disk.path
        ),
        sources=tuple((disk.target, disk.path or "") for disk in disks),
        record=None if definition is None else find_record(definition),
        parent=text_of(root, "parent/name"),
        current=current,
        xml=text,
    )


def read_snapshot_traits(xml: str) -> SnapshotTraits:
    """Read from a domain's ``xml`` what matters for a snapshot of it."""
    root = parse(xml, "The domain's XML")
    return SnapshotTraits(
        disks=tuple(_writable(root)),
        targets=tuple(target.get("dev", "") for target in root.iterfind("devices/disk/target")),
        pflash=attribute(root, "os/loader", "type") == "pflash" or attribute(root, "os", "firmware") == "efi",
        tpm=root.find("devices/tpm/backend[@type='emulator']") is not None,
        host_devices=read_power_traits(xml).host_devices,
    )


def move_disks(xml: str, moved: t.Mapping[str, Frozen], record: InstanceRecord | None = None) -> str:
    """Return a domain's XML with those disks lying elsewhere, and with the ``record``."""
    domain = parse(xml, "The domain's XML")
    _move(domain, moved)
    put_record(domain, record)
    return to_text(domain)


def move_frozen(xml: str, moved: t.Mapping[str, Frozen]) -> str:
    """Return a snapshot's XML with the state of those disks lying elsewhere."""
    root = _parse(xml)
    for domain in _domains(root):
        _move(domain, moved)
    return to_text(root)


def put_snapshot_record(xml: str, record: InstanceRecord) -> str:
    """Return a snapshot's XML with another record of the instance in it."""
    root = _parse(xml)
    for domain in _domains(root):
        put_record(domain, record)
    return to_text(root)


def _parse(text: str) -> Element:
    root = parse(text, "The snapshot's XML")
    if root.tag != "domainsnapshot":
        raise XmlError(f"The snapshot's XML cannot be read: it is <{root.tag}>.")
    return root


def _domains(root: Element) -> t.Iterator[Element]:
    for tag in (_GUEST, _DEFINITION):
        yield from root.iterfind(tag)


def _writable(domain: Element) -> t.Iterator[DiskTraits]:
    for disk in domain.iterfind("devices/disk"):
        device = disk.get("device", "disk")
        if device in ("cdrom", "floppy") or disk.find("readonly") is not None:
            continue
        kind = disk.get("type", "file")
        yield DiskTraits(
            target=attribute(disk, "target", "dev") or "",
            path=attribute(disk, "source", _PATH[kind]) if kind in _PATH else None,
            format=attribute(disk, "driver", "type") or "raw",
            type=kind,
            device=device,
            shareable=disk.find("shareable") is not None,
            encrypted=disk.find("encryption") is not None or disk.find("source/encryption") is not None,
            transient=disk.find("transient") is not None,
        )


def _move(domain: Element, moved: t.Mapping[str, Frozen]) -> None:
    for disk in domain.iterfind("devices/disk"):
        place = moved.get(attribute(disk, "target", "dev") or "")
        if place is None:
            continue
        set_attributes(ensure(disk, "driver"), type=place.format)
        source = ensure(disk, "source")
        set_attributes(source, file=place.path)
        # The chain below the old source is not that of the new one, nor is its number in a guest that ran.
        source.attrib.pop("index", None)
        drop(disk, "backingStore")
