# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Snapshots of domains, and the guest's memory that an external one leaves in a file."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import NotFoundError, UnsupportedError
from .._spec.snapshot import Snapshot
from .._xml.snapshot import read_snapshot
from .capabilities import supported
from .connection import Connection, libvirt
from .domain import Domain


def list_snapshots(connection: Connection, domain: Domain) -> list[Snapshot]:
    """Return all snapshots that libvirt knows of, in the order they were made."""
    doing = f"list the snapshots of {domain.name}"
    listed = supported(connection, doing, domain.handle.listAllSnapshots, 0)
    if listed is None:
        raise UnsupportedError(f"Cannot {doing}: this hypervisor has no snapshots.")
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE
    found = []
    for raw in listed:
        name = raw.getName()
        text = connection.call(f"read snapshot {name} of {domain.name}", raw.getXMLDesc, flags)
        is_current = connection.call(f"ask whether snapshot {name} of {domain.name} is current", raw.isCurrent, 0)
        found.append(read_snapshot(text, bool(is_current)))
    return sorted(found, key=lambda one: (one.created, one.name))


def snapshot_texts(connection: Connection, domain: Domain) -> t.Iterator[str]:
    """Give what libvirt remembers of each snapshot; one that is deleted meanwhile is left out."""
    for raw in connection.call(f"list the snapshots of {domain.name}", domain.handle.listAllSnapshots, 0):
        with contextlib.suppress(NotFoundError):
            yield str(connection.call(f"read snapshot {raw.getName()} of {domain.name}", raw.getXMLDesc, 0))


def create_internal(connection: Connection, domain: Domain, xml: str) -> None:
    """Have a snapshot written into the disks themselves, of a guest that runs with its memory."""
    connection.call(f"take a snapshot of {domain.name}", domain.handle.snapshotCreateXML, xml, 0)


def create_external(connection: Connection, domain: Domain, xml: str, memory: bool, quiesce: bool) -> None:
    """Have all disks go over to volumes that are there already, at one point, or none of them.

    The daemon itself freezes and thaws the guest's file systems, so that they are thawed though this process ends.
    """
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
    if not memory:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    if quiesce:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    connection.call(f"take a snapshot of {domain.name}", domain.handle.snapshotCreateXML, xml, flags)


def redefine(connection: Connection, domain: Domain, xml: str, current: bool) -> None:
    """Replace what libvirt remembers of a snapshot; the ``current`` one is the parent of the next."""
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    if current:
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
    connection.call(f"describe a snapshot of {domain.name} anew", domain.handle.snapshotCreateXML, xml, flags)


def revert(connection: Connection, domain: Domain, name: str) -> None:
    """Go back to an internal snapshot, and to the definition of then."""
    snapshot = _look_up(connection, domain, name)
    # What is lost by that, the user has said that it may be; it is no more than that.
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE
    connection.call(f"go back to snapshot {name} of {domain.name}", domain.handle.revertToSnapshot, snapshot, flags)


def delete(connection: Connection, domain: Domain, name: str, forget: bool) -> None:
    """Delete a snapshot from the disks; with ``forget`` only what libvirt remembers of it."""
    snapshot = _look_up(connection, domain, name)
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY if forget else 0
    connection.call(f"delete snapshot {name} of {domain.name}", snapshot.delete, flags)


def restore(connection: Connection, name: str, path: str, edit: t.Callable[[str], str]) -> None:
    """Start a domain from the memory in the file at ``path``; ``edit`` changes where its disks lie."""
    flags = libvirt.VIR_DOMAIN_SAVE_IMAGE_XML_SECURE
    xml = connection.call(f"read the memory of {name} in {path}", connection.raw.saveImageGetXMLDesc, path, flags)
    connection.call(f"load the memory of {name} from {path}", connection.raw.restoreFlags, path, edit(xml), 0)


def start_held(connection: Connection, domain: Domain) -> None:
    """Start a domain whose guest never runs, and that ends when this process does."""
    flags = libvirt.VIR_DOMAIN_START_PAUSED | libvirt.VIR_DOMAIN_START_AUTODESTROY
    connection.call(f"start {domain.name} with its CPUs held", domain.handle.createWithFlags, flags)


def disk_capacity(connection: Connection, domain: Domain, target: str) -> int:
    """Return the bytes that the guest sees of a disk."""
    return int(connection.call(f"read disk {target} of {domain.name}", domain.handle.blockInfo, target, 0)[0])


def _look_up(connection: Connection, domain: Domain, name: str) -> t.Any:
    return connection.call(f"look up snapshot {name} of {domain.name}", domain.handle.snapshotLookupByName, name, 0)
