# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Snapshots as plain data."""

from __future__ import annotations

import typing as t

from ..._driver.connection import Connection
from ..._driver.guests import GuestReading, find_guest
from ..._driver.snapshot import list_snapshots
from ..._errors import NotFoundError
from ..._spec.instant import written
from ..._spec.snapshot import Snapshot


def find_instance(connection: Connection, name: str) -> GuestReading:
    """Return the domain of that name, or say that there is none."""
    guest = find_guest(connection, name)
    if guest is None:
        raise NotFoundError(f"There is no instance {name} on this host.")
    return guest


def list_rows(connection: Connection, name: str) -> list[dict[str, t.Any]]:
    """Return the snapshots of a domain, in the order they were taken."""
    return [row_of(one) for one in list_snapshots(connection, find_instance(connection, name))]


def row_of(snapshot: Snapshot) -> dict[str, t.Any]:
    """Return what is told of a snapshot."""
    return {
        "name": snapshot.name,
        "type": snapshot.type,
        "memory": snapshot.memory,
        "disks": (
            [place.target for place in snapshot.frozen]
            if snapshot.external
            else [target for target, _path in snapshot.sources]
        ),
        "description": snapshot.description,
        "created_at": written(snapshot.created),
        "parent": snapshot.parent,
        "current": snapshot.current,
        "managed": snapshot.is_ours,
    }
