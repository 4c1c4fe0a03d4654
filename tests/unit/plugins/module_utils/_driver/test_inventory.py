# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of lists of guests, pools, networks and devices, on libvirt's test driver."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.capabilities import once
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.guests import (
    BlockStats,
    _blocks,
    read_guests,
    running_definitions,
)
from ansible_collections.kilonova.compute.plugins.module_utils._driver.inventory import (
    read_mdevs,
    read_networks,
    read_pci_devices,
    read_pools,
)

NODE = """
<node>
  <domain type='test'><name>b</name><memory>2048</memory><os><type>hvm</type></os></domain>
  <domain type='test'><name>a</name><memory>1024</memory><os><type>hvm</type></os></domain>
  <network><name>inner</name><bridge name='virbr7'/></network>
  <network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
    <ip address='192.0.2.1' netmask='255.255.255.0'/></network>
  <pool type='dir'><name>images</name><target><path>/images</path></target></pool>
  <pool type='dir'><name>default</name><target><path>/default</path></target></pool>
  <device><name>computer</name><capability type='system'><hardware><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></hardware><firmware/></capability></device>
  <device><name>pci_0000_3b_00_1</name><parent>computer</parent><capability type='pci'><class>0x020000</class>
    <domain>0</domain><bus>59</bus><slot>0</slot><function>1</function><product id='0x1'/><vendor id='0x2'/>
  </capability></device>
  <device><name>pci_0000_01_00_0</name><parent>computer</parent><capability type='pci'>
    <domain>0</domain><bus>1</bus><slot>0</slot><function>0</function><product id='0x1'/><vendor id='0x2'/>
  </capability></device>
  <device><name>mdev_4b20d080_1b54_4048_85b3_a6a62d165c01</name><parent>computer</parent><capability type='mdev'>
    <type id='nvidia-11'/><iommuGroup number='12'/></capability></device>
</node>
"""


@pytest.fixture
def connection(tmp_path: Path) -> t.Iterator[Connection]:
    """Return a connection to a host of its own, which is gone with it."""
    node = tmp_path / "node.xml"
    node.write_text(NODE)
    with Connection(f"test://{node}") as opened:
        yield opened


def lack_statistics(connection: Connection) -> None:
    """Make the driver one without statistics in bulk, as LXC's and Xen's are."""
    once(connection, ("lacks", "getAllDomainStats"), lambda: [False])[0] = True


@pytest.mark.parametrize("lacks", [False, True])
def test_guests_with_and_without_bulk_statistics(connection: Connection, lacks: bool) -> None:
    """Without, the states are asked one by one; disks have no sizes."""
    if lacks:
        lack_statistics(connection)
    connection.raw.lookupByName("a").destroy()
    guests = read_guests(connection)
    assert [(guest.name, guest.state, guest.is_active) for guest in guests] == [
        ("a", "shutoff", False),
        ("b", "running", True),
    ]
    assert all(guest.blocks == () for guest in guests)
    assert guests[0].uuid == connection.raw.lookupByName("a").UUIDString()
    assert "<name>a</name>" in guests[0].xml


def test_a_guest_with_saved_memory(connection: Connection) -> None:
    """It is off, and known to be saved."""
    connection.raw.lookupByName("a").managedSave()
    assert [(guest.name, guest.has_saved_memory) for guest in read_guests(connection)] == [("a", True), ("b", False)]


def test_a_guest_that_vanishes_is_left_out(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was listed, and is gone when its definition is read."""
    read = libvirt.virDomain.XMLDesc

    def vanish(self: t.Any, flags: int = 0) -> str:
        if self.name() == "a" and self.isActive():
            self.destroy()
            self.undefine()
        return read(self, flags)

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", vanish)
    assert [guest.name for guest in read_guests(connection)] == ["b"]


def test_running_guests(connection: Connection) -> None:
    """No more than asked for, and only those that run."""
    assert len(list(running_definitions(connection, 1))) == 1
    connection.raw.lookupByName("a").destroy()
    definitions = list(running_definitions(connection, 9))
    assert len(definitions) == 1
    assert "<name>b</name>" in definitions[0]


def test_list_calls_are_few(connection: Connection) -> None:
    """One for what was saved and one for all; without statistics the second is another one."""
    read_guests(connection)
    assert (connection.calls["listAllDomains"], connection.calls["getAllDomainStats"]) == (1, 1)
    lack_statistics(connection)
    read_guests(connection)
    assert (connection.calls["listAllDomains"], connection.calls["getAllDomainStats"]) == (3, 1)
    assert connection.calls["state"] == 2


def test_pools(connection: Connection) -> None:
    """By name, active or not."""
    connection.raw.storagePoolLookupByName("images").destroy()
    assert [(pool.description.name, pool.description.path, pool.is_active) for pool in read_pools(connection)] == [
        ("default", "/default", True),
        ("images", "/images", False),
    ]


def test_networks(connection: Connection) -> None:
    """By name, active or not."""
    connection.raw.networkLookupByName("inner").destroy()
    found = [(one.description.name, one.description.forward_mode, one.is_active) for one in read_networks(connection)]
    assert found == [("default", "nat", True), ("inner", None, False)]


def test_pci_devices(connection: Connection) -> None:
    """By address."""
    assert [device.address for device in read_pci_devices(connection)] == ["0000:01:00.0", "0000:3b:00.1"]


@pytest.mark.parametrize(("is_active", "taken"), [(True, 200704), (False, 4096)])
def test_disk_sizes(is_active: bool, taken: int) -> None:
    """Under a running guest the room taken has another name; a disk whose size is not told is there without it."""
    stats = {
        "block.count": 2,
        "block.0.name": "vda",
        "block.0.path": "/p/a",
        "block.0.allocation": 4096,
        "block.0.capacity": 2**30,
        "block.0.physical": 200704,
        "block.1.name": "sda",
    }
    assert list(_blocks(stats, is_active)) == [
        BlockStats("vda", "/p/a", 2**30, taken),
        BlockStats("sda", None, None, None),
    ]


def test_mediated_devices(connection: Connection) -> None:
    """Older libvirts tell their UUID in the name."""
    assert read_mdevs(connection) == ["4b20d080-1b54-4048-85b3-a6a62d165c01"]
