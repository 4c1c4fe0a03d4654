# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is waited for."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._options_wait import wait_options
from ansible_collections.kilonova.compute.plugins.module_utils._spec.waiting import AddressChoice, WaitSpec


def spec(**declared: t.Any) -> WaitSpec:
    """Return what those options mean, with Ansible's own defaults filled in."""
    result = ArgumentSpecValidator(wait_options()).validate(declared)
    assert not result.error_messages
    return WaitSpec.from_params(result.validated_parameters)


def test_nothing_is_waited_for_by_default() -> None:
    """And the defaults are those of the dataclass."""
    assert spec() == WaitSpec()
    assert not spec().needs_address
    assert not spec().needs_agent


def test_conditions_in_their_own_order() -> None:
    """Each once, however they are declared."""
    assert spec(wait_for=["port", "agent", "port"]).conditions == ("agent", "port")


@pytest.mark.parametrize(
    ("conditions", "sources", "address", "agent"),
    [
        (["running"], ["agent"], False, False),
        (["ip"], ["lease", "agent"], True, False),
        (["ip"], ["agent", "agent"], True, True),
        (["port"], ["agent"], True, True),
        (["agent"], ["lease"], False, True),
        (["cloud_init"], ["lease"], False, True),
    ],
)
def test_what_it_takes(conditions: list[str], sources: list[str], address: bool, agent: bool) -> None:
    """Without an agent some waits never end."""
    declared = spec(wait_for=conditions, wait_address={"sources": sources})
    assert (declared.needs_address, declared.needs_agent) == (address, agent)


def test_an_address_as_declared() -> None:
    """A network may be written by any of its addresses, a MAC address in upper case."""
    declared = spec(wait_address={"nic": "52:54:00:AB:CD:EF", "cidr": "192.0.2.9/24", "family": "ipv4"})
    network = ipaddress.ip_network("192.0.2.0/24")
    assert declared.address == AddressChoice("52:54:00:ab:cd:ef", network, "ipv4")
    assert declared.address.describe() == " of family ipv4 in 192.0.2.0/24 on NIC 52:54:00:ab:cd:ef"
    assert spec(wait_address={"nic": "1"}).address.nic == 1
    assert spec().address.describe() == ""


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"wait_timeout": -1}, r"Option wait_timeout: -1 is too small; it is in seconds"),
        ({"wait_port": 0}, r"Option wait_port: 0 is not a TCP port; take one of 1 to 65535"),
        ({"wait_port": 65536}, r"Option wait_port: 65536"),
        ({"wait_address": {"nic": "eth0"}}, r"wait_address.nic: 'eth0' is neither"),
        ({"wait_address": {"nic": "-1"}}, r"wait_address.nic"),
        ({"wait_address": {"nic": "²"}}, r"wait_address.nic"),
        # What YAML makes of an unquoted 52:54:00:12:34:56.
        ({"wait_address": {"nic": "41135481296"}}, r"wait_address.nic: .* in quotes"),
        ({"wait_address": {"cidr": "192.0.2.0/33"}}, r"wait_address.cidr: .* is not a network; write it as"),
        ({"wait_address": {"cidr": "2001:db8::/32", "family": "ipv4"}}, r"has no ipv4 addresses; take family: ipv6"),
        ({"wait_address": {"sources": []}}, r"wait_address.sources: it is empty; take some of lease, agent, arp"),
    ],
)
def test_bad_input(declared: dict[str, t.Any], words: str) -> None:
    """One sentence that names the option and what would be right."""
    with pytest.raises(SpecError, match=words):
        spec(**declared)
