# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the addresses that a network configuration gives."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.static_address import (
    StaticAddress,
    read_addresses,
)

MACS = ("52:54:00:00:00:01", "52:54:00:00:00:0a")


def test_addresses_are_told_with_the_nic_that_has_them() -> None:
    """By our name for it, or by the MAC address that the configuration matches; of others only the address is known."""
    network = {
        "version": 2,
        "ethernets": {
            "nic0": {"addresses": ["192.0.2.10/24", {"2001:DB8::0:1/64": {"label": "a"}}], "dhcp4": False},
            "lan": {"match": {"macaddress": MACS[1].upper()}, "addresses": ["192.0.2.11/24"]},
            "nic1": {"match": {"macaddress": "52:54:00:00:00:99"}, "addresses": ["192.0.2.12/24"]},
            "eth7": {"addresses": ["192.0.2.13/24"]},
            "none": {"dhcp4": True},
        },
        "bonds": {"nic0": {"addresses": ["192.0.2.14/24"]}},
    }
    assert read_addresses(network, MACS, "x") == (
        StaticAddress("192.0.2.10", 0),
        StaticAddress("2001:db8::1", 0),
        StaticAddress("192.0.2.11", 1),
        StaticAddress("192.0.2.12", None),
        StaticAddress("192.0.2.13", None),
        StaticAddress("192.0.2.14", None),
    )


@pytest.mark.parametrize("wrong", [None, 7, "192.0.2.10", "192.0.2.256/24", "192.0.2.10/33", [], {}, ["/"], "/"])
def test_what_is_no_address_is_refused(wrong: t.Any) -> None:
    """It would leave the guest without its network."""
    network = {"ethernets": {"nic0": {"addresses": ["192.0.2.10/24", wrong]}}}
    with pytest.raises(SpecError, match=r"^Option x.ethernets.nic0.addresses\[1\]: .* write it as 192.0.2.10/24"):
        read_addresses(network, MACS, "x")


@pytest.mark.parametrize("wrong", ["192.0.2.10/24", 7, {"192.0.2.10/24": {}}])
def test_addresses_are_a_list(wrong: t.Any) -> None:
    """Also where there is one."""
    with pytest.raises(SpecError, match=r"^Option x.ethernets.nic0.addresses: it is no list"):
        read_addresses({"ethernets": {"nic0": {"addresses": wrong}}}, MACS, "x")
