# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of virtual networks on libvirt's test driver."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.network import (
    ItemChange,
    all_networks,
    define_network,
    defined_guests,
    find_network,
    interface_definitions,
    running_guests,
)
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError, NotFoundError

LAN = """<network><name>lan</name><bridge name='virbr7'/><ip address='192.0.2.1' prefix='24'><dhcp/></ip></network>"""


def test_a_network_is_defined_run_and_forgotten() -> None:
    """Whoever else is there."""
    with Connection("test:///default") as connection:
        network = define_network(connection, "lan", LAN)
        assert (network.is_active, network.is_persistent, network.autostart) == (False, True, False)
        network.start()
        network.set_autostart(True)
        assert (network.is_active, network.autostart) == (True, True)
        assert network.ports() is None
        assert {found.name for found in all_networks(connection)} == {"default", "lan"}
        host = "<host mac='52:54:00:00:00:01' ip='192.0.2.9'/>"
        network.change(ItemChange("add", "dhcp_hosts", 0, host, live=True, persistent=False))
        assert "192.0.2.9" in network.xml()
        network.change(ItemChange("delete", "dhcp_hosts", 0, host, live=True, persistent=False))
        with pytest.raises(DriverError, match="Cannot change dhcp_hosts of network lan"):
            network.change(ItemChange("delete", "dhcp_hosts", 0, host, live=True, persistent=False))
        network.stop()
        # This driver has but one copy to show.
        assert network.defined_xml() == network.xml()
        network.undefine()
        # As when another run was quicker.
        network.undefine()
        assert find_network(connection, "lan") is None
        with pytest.raises(NotFoundError):
            network.start()


def test_guests_and_interfaces_are_listed() -> None:
    """As they run, and as they are defined."""
    with Connection("test:///default") as connection:
        (guest,) = running_guests(connection)
        assert (guest.name, "<domain" in guest.xml) == ("test", True)
        assert [(name, "<domain" in text) for name, text in defined_guests(connection)] == [("test", True)]
        assert "name='eth1'" in interface_definitions(connection)[0]
