# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Checkpoints of domains."""

from __future__ import annotations

import typing as t

from .._errors import DriverError
from .._spec.checkpoint import Checkpoint
from .._xml.checkpoint import read_checkpoint, without_disk
from .capabilities import supported
from .connection import Connection, libvirt
from .domain import Domain, is_active


def checkpoint_names(connection: Connection, domain: Domain) -> tuple[str, ...]:
    """Return the names of all that libvirt knows of."""
    return tuple(raw.getName() for raw in _list(connection, domain))


def list_checkpoints(connection: Connection, domain: Domain) -> list[Checkpoint]:
    """Return all that libvirt knows of; of a guest that is there, with what of them can still be relied on."""
    listed = _list(connection, domain)
    sized = bool(listed) and is_active(connection, domain)
    flags = libvirt.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN | (libvirt.VIR_DOMAIN_CHECKPOINT_XML_SIZE if sized else 0)
    return [read_checkpoint(_describe(connection, domain, raw, flags), sized) for raw in listed]


def _list(connection: Connection, domain: Domain) -> list[t.Any]:
    doing = f"list the checkpoints of {domain.name}"
    return supported(connection, doing, domain.handle.listAllCheckpoints, 0) or []


def _describe(connection: Connection, domain: Domain, raw: t.Any, flags: int) -> str:
    return str(connection.call(f"read checkpoint {raw.getName()} of {domain.name}", raw.getXMLDesc, flags))


def delete_checkpoint(connection: Connection, domain: Domain, name: str) -> None:
    """Have it forgotten what was written since, for which there must be a guest, be it held."""
    doing = f"delete checkpoint {name} of {domain.name}"
    raw = connection.call(f"look up checkpoint {name} of {domain.name}", domain.handle.checkpointLookupByName, name, 0)
    no_domain = libvirt.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN
    gone = read_checkpoint(_describe(connection, domain, raw, no_domain), sized=False).targets
    gone -= read_checkpoint(
        _describe(connection, domain, raw, no_domain | libvirt.VIR_DOMAIN_CHECKPOINT_XML_SIZE), sized=True
    ).targets
    text = _describe(connection, domain, raw, libvirt.VIR_DOMAIN_CHECKPOINT_XML_SECURE)
    # Where a disk was replaced, what it kept went with it, and libvirt would touch the others neither. Which disks these
    # are it does not say, since those that only forgot look the same.
    for target in sorted(gone):
        if _is_deleted(connection, doing, raw):
            return
        text = without_disk(text, target)
        define = libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE
        connection.call(
            f"describe checkpoint {name} of {domain.name} anew", domain.handle.checkpointCreateXML, text, define
        )
    if not _is_deleted(connection, doing, raw):
        connection.call(doing, raw.delete, libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)


def _is_deleted(connection: Connection, doing: str, raw: t.Any) -> bool:
    try:
        connection.call(doing, raw.delete, 0)
    except DriverError as exc:
        if exc.details.get("libvirt_code") != libvirt.VIR_ERR_INTERNAL_ERROR:
            raise
        return False
    return True
