# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance as it is now: running, what its guest has; off, what it is defined with."""

from __future__ import annotations

import typing as t
import urllib.parse
from dataclasses import dataclass

from .._driver.connection import Connection
from .._driver.domain import live_xml
from .._driver.guests import GuestReading
from .._spec.machine import Machine
from .._spec.record import InstanceRecord
from .._xml import domain as domain_xml
from .._xml.runtime import Endpoint, Runtime, read_runtime
from .facts_guests import power_state

_WILDCARDS = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True)
class Present:
    """An instance with its ``machine`` as it is now, and its ``record``, which is that of the definition."""

    reading: GuestReading
    machine: Machine
    runtime: Runtime
    record: InstanceRecord | None

    @property
    def power_state(self) -> str:
        """Return Nova's word for its state."""
        return power_state(self.reading)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return where its screens can be reached; nowhere while it is off."""
        return self.runtime.endpoints if self.reading.is_active else ()


def look_at(connection: Connection, reading: GuestReading, defined: Machine) -> Present:
    """Read what runs, with one call for a guest that does; raises NotFoundError if the domain is gone."""
    if not reading.is_active:
        return Present(reading, defined, read_runtime(reading.xml), defined.record)
    live = live_xml(connection, reading)
    return Present(reading, domain_xml.read(live), read_runtime(live), defined.record)


def graphics_rows(present: Present, uri: str) -> list[dict[str, t.Any]]:
    """Return the endpoints of an instance as they are reported; ``uri`` is how the hypervisor was reached."""
    return [
        {
            "type": endpoint.type,
            "host": endpoint.host,
            "port": endpoint.port,
            "tls_port": endpoint.tls_port,
            "websocket": endpoint.websocket,
            "socket": endpoint.socket,
            "uri": endpoint_uri(endpoint, uri),
        }
        for endpoint in present.endpoints
    ]


def endpoint_uri(endpoint: Endpoint, uri: str) -> str:
    """Return what a viewer takes; one that listens everywhere is at the host that the hypervisor was reached at."""
    if endpoint.socket:
        return f"{endpoint.type}+unix://{urllib.parse.quote(endpoint.socket)}"
    host = endpoint.host or ""
    if not host or host in _WILDCARDS:
        host = urllib.parse.urlsplit(uri).hostname or "localhost"
    if ":" in host:
        host = f"[{host}]"
    plain = f":{endpoint.port}" if endpoint.port else ""
    secure = f"?tls-port={endpoint.tls_port}" if endpoint.tls_port else ""
    return f"{endpoint.type}://{host}{plain}{secure}"
