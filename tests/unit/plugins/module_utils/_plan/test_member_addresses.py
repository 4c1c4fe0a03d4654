# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which addresses a member of a security group can bring: pure, by example and as properties of hostile guests."""

from __future__ import annotations

import ipaddress
import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.member_addresses import (
    MOST_SEEN,
    Seen,
    Surroundings,
    member_addresses,
)
from hypothesis import given
from hypothesis import strategies as st

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
LAN = Surroundings(("192.0.2.1/24", "2001:db8::1/64"), {"192.0.2.1": "", "192.0.2.9": OTHER, "192.0.2.7": MAC})
BRIDGE = Surroundings(taken=LAN.taken)


def of(
    around: Surroundings = LAN,
    declared: t.Collection[str] = (),
    leased: t.Collection[str] = (),
    told: t.Collection[str] = (),
) -> set[str]:
    """Return the addresses that count."""
    return set(member_addresses(MAC, Seen(*map(frozenset, (declared, leased, told))), around))


@pytest.mark.parametrize("is_declared", [True, False])
def test_what_was_assigned_leaves_the_guest_no_word(is_declared: bool) -> None:
    """Of the same family; of another one it still has."""
    told = {"192.0.2.50", "2001:db8::50", "fe80::50"}

    def beside(*assigned: str) -> set[str]:
        return of(declared=assigned, told=told) if is_declared else of(leased=assigned, told=told)

    assert beside("192.0.2.7") == {"192.0.2.7", "2001:db8::50", "fe80::50"}
    assert beside("192.0.2.7", "2001:db8::7") == {"192.0.2.7", "2001:db8::7", "fe80::50"}


def test_declared_and_leased_are_both_its_own() -> None:
    """As while a guest has an old lease beside its new address."""
    assert of(declared={"192.0.2.7"}, leased={"192.0.2.8"}) == {"192.0.2.7", "192.0.2.8"}


@pytest.mark.parametrize("around", [LAN, BRIDGE])
@pytest.mark.parametrize(
    "address", ["192.0.2.1", "192.0.2.9", "127.0.0.1", "0.0.0.0", "224.0.0.1", "::1", "::", "ff02::1"]
)
def test_what_cannot_be_its_own(around: Surroundings, address: str) -> None:
    """The host's, another's, and those that no NIC has."""
    assert of(around, told={address}) == set()
    assert of(around, told={"192.0.2.7"}) == {"192.0.2.7"}


@pytest.mark.parametrize("address", ["198.51.100.7", "10.0.0.1", "2001:db8:1::7", "192.0.2.255"])
def test_other_subnets_are_of_other_networks(address: str) -> None:
    """Where they are known; who gives the addresses on a bridge is not."""
    assert of(told={address}) == set()
    assert of(BRIDGE, told={address}) == {address}


ADDRESSES = st.sets(
    st.one_of(
        st.integers(0, 300).map(lambda number: str(ipaddress.ip_address("192.0.1.250") + number)),
        st.integers(0, 50).map(lambda number: str(ipaddress.ip_address("2001:db8::") + number)),
        st.ip_addresses().map(str),
    ),
    max_size=40,
)


@given(ADDRESSES, ADDRESSES, st.sampled_from([LAN, BRIDGE]))
def test_whatever_it_tells_is_little(leased: set[str], told: set[str], around: Surroundings) -> None:
    """However many it tells or has leased, a few of each kind count, none of them another's; what is said twice counts once."""
    found = of(around, leased=leased, told=told)
    assert found <= leased | told
    kinds = [(one.version, one.is_link_local) for one in map(ipaddress.ip_address, found)]
    assert all(kinds.count(kind) <= MOST_SEEN for kind in kinds)
    assert all(around.taken.get(address, MAC) == MAC for address in found - leased)
    assert of(around, leased=leased, told=found) == found
