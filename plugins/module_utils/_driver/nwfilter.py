# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Network filters: listed, read, defined and forgotten."""

from __future__ import annotations

import contextlib
import typing as t
from urllib.parse import urlsplit

from .._errors import DriverError, NotFoundError
from .capabilities import supported
from .connection import Connection, libvirt

Filters = t.Mapping[str, t.Any]
"""Libvirt's own objects by name."""


def list_filters(connection: Connection) -> dict[str, t.Any] | None:
    """Return the network filters by name; None where there can be none, as where libvirt is an ordinary user's."""
    if urlsplit(connection.uri).path == "/session":
        return None
    try:
        listed = supported(connection, "list network filters", connection.raw.listAllNWFilters, 0)
    except DriverError as exc:
        # The daemon for network filters is not installed.
        if exc.details.get("libvirt_code") != libvirt.VIR_ERR_SYSTEM_ERROR:
            raise
        return None
    return None if listed is None else {handle.name(): handle for handle in listed}


def read_filter_xml(connection: Connection, handle: t.Any) -> str | None:
    """Return a filter's definition; None where it is gone by now."""
    try:
        return str(connection.call(f"read network filter {handle.name()}", handle.XMLDesc, 0))
    except NotFoundError:
        return None


def define_filter(connection: Connection, name: str, text: str) -> None:
    """Make a filter, or replace it for all running guests at once."""
    connection.call(f"define network filter {name}", connection.raw.nwfilterDefineXML, text)


def undefine_filter(connection: Connection, name: str, handle: t.Any) -> None:
    """Forget a filter, which libvirt refuses while another filter or a running guest refers to it."""
    with contextlib.suppress(NotFoundError):
        connection.call(f"remove network filter {name}", handle.undefine)
