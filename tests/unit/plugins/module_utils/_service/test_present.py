# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of instances as they are now: where their screens can be reached, and which definition counts."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import GuestReading, read_guests
from ansible_collections.kilonova.compute.plugins.module_utils._service.present import (
    endpoint_uri,
    graphics_rows,
    look_at,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml import domain
from ansible_collections.kilonova.compute.plugins.module_utils._xml.runtime import Endpoint

NODE = """
<node>
  <domain type='test'><name>a</name><memory>1024</memory><vcpu current='1'>2</vcpu><os><type>hvm</type></os>
    <devices><graphics type='vnc' port='5901' listen='127.0.0.1'/></devices></domain>
</node>
"""


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own with one running guest."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


def read(connection: Connection) -> GuestReading:
    """Return the guest."""
    (reading,) = read_guests(connection)
    return reading


def test_what_runs_counts(connection: Connection) -> None:
    """A change of the definition waits for the next boot; until then the guest has what it was started with."""
    handle = connection.raw.lookupByName("a")
    handle.setVcpusFlags(2, 2)
    reading = read(connection)
    present = look_at(connection, reading, domain.read(reading.xml))
    assert (domain.read(reading.xml).current_vcpus, present.machine.current_vcpus) == (2, 1)
    assert (present.power_state, present.record) == ("running", None)
    assert [row["port"] for row in graphics_rows(present, connection.uri)] == [5901]


def test_a_guest_that_is_off_costs_no_call(connection: Connection) -> None:
    """It is what it is defined as, and its screen is nowhere."""
    connection.raw.lookupByName("a").destroy()
    reading = read(connection)
    connection.calls.clear()
    present = look_at(connection, reading, domain.read(reading.xml))
    assert (present.power_state, graphics_rows(present, connection.uri)) == ("stopped", [])
    assert connection.calls == {}


@pytest.mark.parametrize(
    ("endpoint", "uri", "result"),
    [
        (Endpoint("vnc", "127.0.0.1", 5900), "qemu+ssh://root@kvm1/system", "vnc://127.0.0.1:5900"),
        (Endpoint("vnc", "::1", 5900), "qemu:///system", "vnc://[::1]:5900"),
        (Endpoint("vnc", "0.0.0.0", 5900), "qemu+ssh://root@kvm1/system", "vnc://kvm1:5900"),
        (Endpoint("vnc", "::", 5900), "qemu+tls://[2001:db8::1]:16514/system", "vnc://[2001:db8::1]:5900"),
        (Endpoint("vnc", "0.0.0.0", 5900), "qemu:///session?socket=/x", "vnc://localhost:5900"),
        (Endpoint("vnc", None, 5900), "qemu:///system", "vnc://localhost:5900"),
        (Endpoint("spice", "10.0.0.1", 5900, 5901), "qemu:///system", "spice://10.0.0.1:5900?tls-port=5901"),
        (Endpoint("spice", "10.0.0.1", None, 5901), "qemu:///system", "spice://10.0.0.1?tls-port=5901"),
        (Endpoint("vnc", socket="/run/a b.sock"), "qemu:///system", "vnc+unix:///run/a%20b.sock"),
    ],
)
def test_what_a_viewer_takes(endpoint: Endpoint, uri: str, result: str) -> None:
    """What listens everywhere is where the hypervisor was reached."""
    assert endpoint_uri(endpoint, uri) == result
