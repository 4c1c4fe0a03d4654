# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Calls of the driver that libvirt's test driver does not know, on QEMU; the outcome is read with virsh."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain as driver
from ansible_collections.kilonova.compute.plugins.module_utils._driver import domain_change as change
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain_change import Scope
from ansible_collections.kilonova.compute.plugins.module_utils._errors import UnsupportedError

from .conftest import Hypervisor

LIVE = Scope(live=True, persistent=False)
PERSISTENT = Scope(live=False, persistent=True)
BOTH = Scope(live=True, persistent=True)
MAC = "52:54:00:00:00:77"
NIC = "<interface type='user'><mac address='{}'/><model type='virtio'/><alias name='ua-nic'/>{}</interface>"
XML = """
<domain type='qemu'><name>{}</name><memory>65536</memory><os><type machine='q35'>hvm</type></os><devices>
  <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
  <disk type='file'><driver name='qemu' type='raw'/><source file='{}'/><target dev='vda' bus='virtio'/></disk>
</devices></domain>
"""


@pytest.fixture
def connection(hypervisor: Hypervisor) -> t.Iterator[Connection]:
    """Return a connection to the hypervisor."""
    with Connection(hypervisor.uri) as opened:
        yield opened


@pytest.fixture
def guest(hypervisor: Hypervisor, connection: Connection, name: str) -> NamedHandle:
    """Return a guest that has nothing to boot, with its CPUs held."""
    hypervisor.virsh("vol-create-as", "default", f"{name}-vda.raw", "1M", "--format", "raw")
    xml = XML.format(name, hypervisor.pool_path() / f"{name}-vda.raw")
    subprocess.run(["virsh", "-c", hypervisor.uri, "define", "/dev/stdin"], input=xml, check=True, text=True)
    found = NamedHandle(name, connection.raw.lookupByName(name))
    driver.start(connection, name, found.handle, paused=True)
    assert hypervisor.state(name) == "paused"
    return found


def test_devices_come_change_and_go(hypervisor: Hypervisor, connection: Connection, guest: NamedHandle) -> None:
    """In the guest, in its definition, or in both."""
    change.attach_device(connection, guest, NIC.format(MAC, ""), BOTH)
    assert MAC in hypervisor.virsh("domiflist", guest.name)
    change.update_device(connection, guest, NIC.format(MAC, "<link state='down'/>"), BOTH)
    assert hypervisor.virsh("domif-getlink", guest.name, MAC).endswith("down")
    assert hypervisor.virsh("domif-getlink", guest.name, MAC, "--config").endswith("down")
    change.detach_alias(connection, guest, "ua-nic", PERSISTENT)
    assert MAC not in hypervisor.virsh("domiflist", guest.name, "--inactive")
    change.attach_device(connection, guest, NIC.format(MAC, ""), PERSISTENT)
    change.detach_device(connection, guest, NIC.format(MAC, ""), PERSISTENT)
    assert MAC not in hypervisor.virsh("domiflist", guest.name, "--inactive")
    assert MAC in hypervisor.virsh("domiflist", guest.name)


def test_throttles_and_shares(hypervisor: Hypervisor, connection: Connection, guest: NamedHandle) -> None:
    """A daemon of a session, as the lab's are, has no CPU shares, and bandwidth for the next boot only."""
    change.set_block_iotune(connection, guest, "vda", {"total_bytes_sec": 1048576}, BOTH)
    for scope in ("--live", "--config"):
        tuned = hypervisor.virsh("blkdeviotune", guest.name, "vda", scope)
        assert "total_bytes_sec: 1048576" in tuned
    change.set_block_iotune(connection, guest, "vda", {"total_bytes_sec": 0}, LIVE)
    assert "total_bytes_sec: 0" in hypervisor.virsh("blkdeviotune", guest.name, "vda", "--live")
    bridged = f"<interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/></interface>"
    change.attach_device(connection, guest, bridged, PERSISTENT)
    change.set_interface_parameters(connection, guest, MAC, {"inbound.average": 128}, PERSISTENT)
    assert "inbound.average: 128" in hypervisor.virsh("domiftune", guest.name, MAC, "--config")
    with pytest.raises(UnsupportedError, match=f"CPU shares of {guest.name}"):
        change.set_scheduler_parameters(connection, guest, {"cpu_shares": 2048}, PERSISTENT)
