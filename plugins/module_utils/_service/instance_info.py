# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""All instances of a host, or those that were asked for, as they are now."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._driver import guests as guest_driver
from .._driver.addresses import GuestAddress, interface_addresses
from .._driver.connection import Connection
from .._driver.probe import NAME_PREFIX
from .._errors import NotFoundError, SpecError
from .._spec.query import Query
from .._spec.record import InstanceRecord
from .._xml import domain as domain_xml
from .instance_row import instance_row
from .present import Present, look_at


@dataclass(frozen=True)
class InfoOptions:
    """Which instances are asked for, and who is asked for their addresses."""

    names: frozenset[str] | None = None
    """None is every name."""
    fleet: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    all_domains: bool = False
    addresses: tuple[str, ...] = ()
    query: Query | None = None

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> InfoOptions:
        """Validate the module's options."""
        return cls(
            names=None if params["names"] is None else frozenset(params["names"]),
            fleet=params["fleet"],
            labels=tuple(_label(key, value) for key, value in params["labels"].items()),
            all_domains=params["all_domains"],
            addresses=tuple(dict.fromkeys(params["addresses"])),
            query=None if params["query"] is None else Query.of("query", params["query"]),
        )

    def want(self, record: InstanceRecord | None) -> bool:
        """Tell whether an instance of this record is asked for."""
        if record is None:
            # Somebody else's domain is of no fleet and has no labels.
            return self.all_domains and self.fleet is None and not self.labels
        return (self.fleet is None or record.fleet == self.fleet) and set(self.labels) <= set(record.labels)


def list_instances(connection: Connection, options: InfoOptions) -> list[t.Any]:
    """Return the instances by name, or what the query makes of them; one that vanishes meanwhile is left out."""
    autostarted = guest_driver.autostarted(connection)
    rows = []
    for reading in guest_driver.read_guests(connection, options.names, usage=True):
        # Another run's probe is no guest, and gone in a moment.
        if reading.name.startswith(NAME_PREFIX):
            continue
        defined = domain_xml.read(reading.xml)
        if not options.want(defined.record):
            continue
        try:
            present = look_at(connection, reading, defined)
            addresses = _addresses(connection, present, options.addresses)
        except NotFoundError:
            continue
        rows.append(instance_row(present, addresses, autostarted, connection.uri))
    return rows if options.query is None else options.query.apply_to_list(rows)


def _addresses(connection: Connection, present: Present, sources: tuple[str, ...]) -> list[GuestAddress]:
    """Return the addresses that others can use, each as the first source told it, in the order of the NICs."""
    if not present.reading.is_active:
        return []
    found: dict[tuple[str, str | None], GuestAddress] = {}
    for source in sources:
        for address in interface_addresses(connection, present.reading.handle, source):
            if address.is_reachable:
                found.setdefault((address.address, address.mac), address)
    macs = [nic.mac for nic in present.machine.nics]
    # What the guest made itself, such as a bridge for its containers, comes last.
    return sorted(found.values(), key=lambda one: macs.index(one.mac) if one.mac in macs else len(macs))


def _label(key: t.Any, value: t.Any) -> tuple[str, str]:
    if isinstance(value, (dict, list)) or value is None:
        raise SpecError(f"labels[{key}]", f"{value!r} is not a label's value", "give a text")
    return str(key), str(value)
