# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of subnets and bridges that are somebody else's already."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.network_overlap import (
    Neighbour,
    has_news,
    refuse_overlap,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import NetworkIp
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import NetworkLayout

LAN = NetworkLayout(mode="nat", bridge="vbr0", ips=(NetworkIp("192.0.2.1/24"), NetworkIp("2001:db8::1/64")))


@pytest.mark.parametrize("address", ["192.0.2.200/25", "192.0.0.1/16", "2001:db8::2/48"])
def test_an_overlap_is_refused(address: str) -> None:
    """Larger or smaller, of either kind of address; who has it is named."""
    for found in (None, NetworkLayout(mode="nat", ips=())):
        with pytest.raises(SpecError, match="of network other") as caught:
            refuse_overlap(LAN, found, [Neighbour("network other", ("198.51.100.1/24", address))])
        assert caught.value.option == "ips"


def test_what_was_there_already_is_not_refused() -> None:
    """Nor a neighbour elsewhere."""
    neighbours = [Neighbour("network other", ("192.0.2.1/24",), "vbr0")]
    refuse_overlap(LAN, LAN, neighbours)
    refuse_overlap(LAN, None, [Neighbour("network other", ("192.0.3.1/24", "2001:db8:1::1/64"), "vbr1")])
    assert not has_news(LAN, LAN)
    assert has_news(LAN, None)


def test_a_bridge_is_one_network_s() -> None:
    """But for one that libvirt does not make."""
    neighbours = [Neighbour("network other", (), "vbr0")]
    with pytest.raises(SpecError, match="vbr0 is the bridge of network other") as caught:
        refuse_overlap(LAN, None, neighbours)
    assert caught.value.option == "bridge"
    refuse_overlap(NetworkLayout(mode="bridge", bridge="vbr0"), None, neighbours)
