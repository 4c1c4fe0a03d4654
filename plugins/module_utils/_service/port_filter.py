# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The network filters that the collection keeps on a hypervisor: made when a NIC needs them, removed when none does.

All of it is done under the hypervisor's lock, since a filter that one run finds unused another may be about to use.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._driver.connection import Connection
from .._driver.nwfilter import Filters, define_filter, list_filters, read_filter_xml, undefine_filter
from .._errors import DriverError
from .._plan.security_group import with_members
from .._spec.port_filter import GROUP_PREFIX, PREFIX, PortFilter
from .._spec.security_group import Group
from .._xml.nwfilter import read_filter, read_filter_uuid, write_filter
from .._xml.port_filter import port_filters
from .._xml.security_group import filter_name, read_group, write_group
from .facts_guests import Guest
from .group_members import members_here


class FilterList:
    """The hypervisor's network filters, listed when somebody asks."""

    def __init__(self, connection: Connection) -> None:
        """List nothing yet."""
        self._connection = connection
        self._listed: Filters | None = None
        self.is_listed = False

    @property
    def listed(self) -> Filters | None:
        """Return the filters by name; None where there can be none."""
        if not self.is_listed:
            self._listed, self.is_listed = list_filters(self._connection), True
        return self._listed

    def forget(self) -> None:
        """Forget them, because this run or another has made some or removed some."""
        self.is_listed = False


def group_names(filters: Filters) -> tuple[str, ...]:
    """Return the names of all security groups."""
    return tuple(sorted(name[len(GROUP_PREFIX) :] for name in filters if name.startswith(GROUP_PREFIX)))


def make_port_filters(connection: Connection, filters: Filters, ports: t.Iterable[PortFilter]) -> None:
    """Have the filters that NICs with these guards refer to, as they shall be."""
    wanted = {name: content for port in ports for name, content in port_filters(port).items()}
    for name, content in wanted.items():
        text = read_filter_xml(connection, filters[name]) if name in filters else None
        if text is None or read_filter(text) != content:
            define_filter(connection, name, write_filter(name, content, read_filter_uuid(text) if text else None))


def unused_port_filters(filters: Filters, guests: t.Iterable[Guest]) -> tuple[str, ...]:
    """Return the NICs' filters that no definition refers to."""
    used = {nic.filter for guest in guests for nic in guest.machine.nics}
    return tuple(sorted(name for name in filters if name.startswith(f"{PREFIX}.") and name not in used))


def sweep_port_filters(connection: Connection, filters: Filters, guests: t.Iterable[Guest]) -> None:
    """Remove the NICs' filters that nothing refers to; one that a running guest still has is for another time."""
    for name in unused_port_filters(filters, guests):
        with contextlib.suppress(DriverError):
            undefine_filter(connection, name, filters[name])


def read_groups(connection: Connection, filters: Filters) -> dict[str, tuple[Group, str]]:
    """Return all security groups by name, each with its XML."""
    found = {}
    for name in group_names(filters):
        text = read_filter_xml(connection, filters[filter_name(name)])
        if text is not None:
            found[name] = (read_group(name, text)[0], text)
    return found


def follow_members(connection: Connection, guests: t.Sequence[Guest], joined: t.Collection[str]) -> None:
    """Let the rules that name one of the groups ``joined`` have the addresses of the members that it has now."""
    filters = list_filters(connection) or {}
    groups = {
        name: (group, text)
        for name, (group, text) in read_groups(connection, filters).items()
        if group.remote_groups & set(joined)
    }
    wanted = {remote for group, _text in groups.values() for remote in group.remote_groups}
    here = members_here(connection, guests, wanted) if wanted else {}
    for name, (group, text) in groups.items():
        desired = with_members(group, here)
        if desired != group:
            define_filter(connection, filter_name(name), write_group(desired, read_filter_uuid(text)))
