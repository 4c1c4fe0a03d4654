# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what one look at a guest means: pure, so properties hold for any look."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.addresses import GuestAddress
from ansible_collections.kilonova.compute.plugins.module_utils._errors import AgentAbsentError, GuestError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.cloud_init import CloudInitStatus
from ansible_collections.kilonova.compute.plugins.module_utils._service._guest.conditions import Seen, choose, judge
from ansible_collections.kilonova.compute.plugins.module_utils._spec.waiting import (
    CONDITIONS,
    FAMILIES,
    SOURCES,
    AddressChoice,
    WaitSpec,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.scripted_guest import MAC, OTHER_MAC
from hypothesis import given
from hypothesis import strategies as st

DOCKER = "02:42:ac:11:00:01"


def at(address: str, source: str = "agent", mac: str | None = MAC, interface: str = "eth0") -> GuestAddress:
    """Return an address."""
    return GuestAddress(address, 24, f"ipv{ipaddress.ip_address(address).version}", mac, interface, source)


V4, V6 = at("192.0.2.7"), at("2001:db8::7")
SECOND = at("198.51.100.7", mac=OTHER_MAC, interface="eth1")
LOOPBACK, LINK_LOCAL = at("127.0.0.1", mac=None, interface="lo"), at("fe80::7")
BRIDGE = at("172.17.0.1", mac=DOCKER, interface="docker0")
LEASE = at("192.0.2.8", "lease", interface="vnet0")


@pytest.mark.parametrize(
    ("choice", "addresses", "chosen"),
    [
        # IPv4 first, whatever the guest lists first.
        ({}, [LOOPBACK, LINK_LOCAL, V6, V4], V4),
        ({"family": "ipv6"}, [LINK_LOCAL, V4, V6], V6),
        # What terraform-provider-libvirt users met: a bridge of the guest's containers was taken for its address.
        ({}, [BRIDGE, V4], V4),
        ({}, [BRIDGE], None),
        ({}, [LOOPBACK, LINK_LOCAL], None),
        ({}, [], None),
        # The first NIC as libvirt counts, and any other by number, MAC address or network.
        ({}, [SECOND, V4], V4),
        ({}, [SECOND], SECOND),
        ({"nic": 1}, [V4, SECOND], SECOND),
        ({"nic": OTHER_MAC}, [V4, SECOND], SECOND),
        ({"nic": 1}, [V4], None),
        ({"cidr": ipaddress.ip_network("198.51.100.0/24")}, [V4, SECOND], SECOND),
        ({"cidr": ipaddress.ip_network("2001:db8::/64")}, [V4, V6], V6),
        ({"cidr": ipaddress.ip_network("203.0.113.0/24")}, [V4, SECOND], None),
        # A device that is passed through has a MAC address that libvirt does not know.
        ({"nic": DOCKER}, [V4, BRIDGE], BRIDGE),
        # Sources in their order, before families and NICs.
        ({}, [V4, LEASE], LEASE),
        ({"sources": ("agent", "lease")}, [LEASE, V4], V4),
        ({"sources": ("arp",)}, [LEASE, V4], None),
        ({"family": "ipv6"}, [LEASE, V6], V6),
    ],
)
def test_the_address_that_counts(
    choice: dict[str, t.Any], addresses: list[GuestAddress], chosen: GuestAddress | None
) -> None:
    """Of a guest with two NICs."""
    assert choose(AddressChoice(**choice), (MAC, OTHER_MAC), addresses) == chosen


def test_a_guest_without_nics_that_libvirt_knows() -> None:
    """Anything that can be reached counts."""
    assert choose(AddressChoice(), (), [LOOPBACK, LINK_LOCAL, BRIDGE]) == BRIDGE


def judged(*conditions: str, seen: Seen, **declared: t.Any) -> dict[str, str]:
    """Return what is said of conditions that do not hold."""
    verdict = judge("web", WaitSpec(conditions, **declared), seen)
    assert verdict.failure is None
    return dict(verdict.pending)


GOOD = Seen(
    "running",
    (MAC, OTHER_MAC),
    True,
    None,
    (V4,),
    cloud_init=CloudInitStatus("done"),
    cloud_init_problem="",
    knock=None,
)


def test_all_is_well() -> None:
    """Nothing is left, and the address is told."""
    verdict = judge("web", WaitSpec(CONDITIONS), GOOD)
    assert (verdict.pending, verdict.failure, verdict.address) == ((), None, V4)


@pytest.mark.parametrize("state", ["nostate", "paused", "shutdown", "pmsuspended"])
def test_not_running_yet(state: str) -> None:
    """From these a guest may come back."""
    assert judged("running", seen=replace(GOOD, state=state)) == {"running": f"its state is {state}"}


@pytest.mark.parametrize(("state", "words"), [("shutoff", "is shut off"), ("crashed", "has crashed")])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_over(state: str, words: str, condition: str) -> None:
    """From these it does not, whatever is waited for."""
    failure = judge("web", WaitSpec((condition,)), replace(GOOD, state=state)).failure
    assert isinstance(failure, GuestError)
    assert str(failure) == f"Instance web {words}, while it was waited for {condition}."


def test_last_words_about_an_address() -> None:
    """Who was asked for which, what was seen instead, and which source had trouble."""
    seen = replace(GOOD, addresses=(BRIDGE, LINK_LOCAL), problems=("Cannot read arp.",))
    choice = AddressChoice(family="ipv4", nic=0)
    assert judged("ip", seen=seen, address=choice) == {
        "ip": "no address of family ipv4 on NIC 0 from lease, agent, arp; others were seen: 172.17.0.1 of docker0 from"
        " agent, fe80::7 of eth0 from agent; Cannot read arp."
    }
    assert judged("ip", seen=replace(GOOD, addresses=())) == {"ip": "no address from lease, agent, arp"}
    assert judged("port", seen=replace(GOOD, addresses=())) == {"port": "no address from lease, agent, arp"}
    assert judged("ip", "port", seen=replace(GOOD, addresses=()))["port"] == "there is no address to connect to"


def test_last_words_about_a_port() -> None:
    """Where, and what it said."""
    assert judged("port", seen=replace(GOOD, knock="Connection refused"), port=80) == {
        "port": "192.0.2.7 port 80: Connection refused"
    }


def test_last_words_about_the_agent_and_cloud_init() -> None:
    """As they were seen."""
    seen = replace(GOOD, agent="it is not connected", cloud_init=None, cloud_init_problem="the agent cannot be asked")
    assert judged("agent", "cloud_init", seen=seen) == {
        "agent": "it is not connected",
        "cloud_init": "the agent cannot be asked",
    }
    seen = replace(GOOD, cloud_init=CloudInitStatus("running", ("a first error",)))
    assert judged("cloud_init", seen=seen) == {"cloud_init": "it says running"}


@pytest.mark.parametrize(
    ("conditions", "choice", "failed"),
    [
        (("agent",), AddressChoice(), True),
        (("cloud_init",), AddressChoice(), True),
        (("ip",), AddressChoice(sources=("agent",)), True),
        (("ip",), AddressChoice(), False),
        (("running",), AddressChoice(sources=("agent",)), False),
    ],
)
def test_a_guest_without_a_channel(conditions: tuple[str, ...], choice: AddressChoice, failed: bool) -> None:
    """What needs an agent is not waited for."""
    failure = judge("web", WaitSpec(conditions, address=choice), replace(GOOD, has_channel=False)).failure
    assert isinstance(failure, AgentAbsentError) is failed


def test_a_nic_that_is_not_there() -> None:
    """It does not come by waiting; where no address is waited for, it does not matter."""
    spec = WaitSpec(("ip",), address=AddressChoice(nic=2))
    assert isinstance(judge("web", spec, GOOD).failure, SpecError)
    assert judge("web", replace(spec, conditions=("running",)), GOOD).failure is None


@pytest.mark.parametrize(("errors", "words"), [(("a", "b"), "a; b."), ((), "it names no errors, see /var/log")])
def test_a_cloud_init_that_failed(errors: tuple[str, ...], words: str) -> None:
    """Its errors are named; where it is not waited for, it does not matter."""
    seen = replace(GOOD, cloud_init=CloudInitStatus("error", errors))
    failure = judge("web", WaitSpec(("cloud_init",)), seen).failure
    assert isinstance(failure, GuestError)
    assert failure.details == {"cloud_init_errors": list(errors)}
    assert f"cloud-init failed in web: {words}" in str(failure)
    assert judge("web", WaitSpec(("agent",)), seen).failure is None


near_ips = ["192.0.2.1", "192.0.2.2", "10.1.1.1", "127.0.0.1", "169.254.3.3", "::1", "fe80::1", "2001:db8::5"]
ips = st.one_of(st.sampled_from(near_ips), st.ip_addresses().map(str))
macs = st.sampled_from([MAC, OTHER_MAC, DOCKER])
seen_addresses = st.builds(at, ips, st.sampled_from(SOURCES), st.none() | macs)
networks = st.sampled_from(["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32", "fe80::/10", "0.0.0.0/0"])
choices = st.builds(
    AddressChoice,
    nic=st.one_of(st.none(), macs, st.integers(0, 3)),
    cidr=st.none() | networks.map(ipaddress.ip_network),
    family=st.sampled_from(FAMILIES),
    sources=st.lists(st.sampled_from(SOURCES), min_size=1, unique=True).map(tuple),
)
nics = st.lists(macs, max_size=3, unique=True).map(tuple)
looks = st.builds(
    Seen,
    state=st.sampled_from(["running", "blocked", "paused", "shutdown", "shutoff", "crashed", "nostate"]),
    macs=nics,
    has_channel=st.booleans(),
    agent=st.none() | st.just("away"),
    addresses=st.lists(seen_addresses, max_size=5).map(tuple),
    cloud_init=st.none() | st.sampled_from(["done", "running", "error"]).map(CloudInitStatus),
    knock=st.none() | st.just("refused"),
)
specs = st.builds(
    WaitSpec,
    conditions=st.lists(st.sampled_from(CONDITIONS), min_size=1, unique=True).map(tuple),
    address=choices,
)


@given(specs, looks)
def test_a_wait_ends_well_only_when_all_holds(spec: WaitSpec, seen: Seen) -> None:
    """Said again in other words than the code's; and what does not hold is named, once, in order."""
    verdict = judge("web", spec, seen)
    assert [condition for condition, _text in verdict.pending] == [
        condition for condition in spec.conditions if condition in dict(verdict.pending)
    ]
    assert all(text for _condition, text in verdict.pending)
    if verdict.failure is not None:
        assert not verdict.pending
        return
    address = verdict.address
    holds = {
        "running": seen.state in ("running", "blocked"),
        "ip": address is not None,
        "agent": seen.agent is None,
        "cloud_init": seen.cloud_init == CloudInitStatus("done"),
        "port": address is not None and seen.knock is None,
    }
    assert {condition for condition in spec.conditions if not holds[condition]} == set(dict(verdict.pending))


@given(choices, nics, st.lists(seen_addresses, max_size=6))
def test_the_chosen_address_is_one_that_was_asked_for(
    choice: AddressChoice, known: tuple[str, ...], addresses: list[GuestAddress]
) -> None:
    """It can be reached, is as declared, on one of the guest's NICs, and no better source knows another."""
    chosen = choose(choice, known, addresses)
    if chosen is None:
        return
    parsed = ipaddress.ip_address(chosen.address)
    assert chosen in addresses
    assert not parsed.is_loopback
    assert not parsed.is_link_local
    assert choice.cidr is None or parsed in choice.cidr
    assert choice.family in ("any", chosen.family)
    if isinstance(choice.nic, str):
        assert chosen.mac == choice.nic
    elif choice.nic is not None:
        assert chosen.mac == known[choice.nic]
    elif known:
        assert chosen.mac in known
    better = choice.sources[: choice.sources.index(chosen.source)]
    assert choose(choice, known, [address for address in addresses if address.source in better]) is None


@given(choices, nics, st.lists(seen_addresses, max_size=6), st.data())
def test_noise_does_not_change_the_choice(
    choice: AddressChoice, known: tuple[str, ...], addresses: list[GuestAddress], data: st.DataObject
) -> None:
    """Link-local and loopback addresses, wherever they are listed, and what later sources would say."""
    chosen = choose(choice, known, addresses)
    noise = data.draw(st.lists(st.sampled_from([LOOPBACK, LINK_LOCAL, at("169.254.9.9"), at("::1")]), max_size=3))
    assert choose(choice, known, [*noise, *addresses]) == chosen
    if chosen is not None:
        asked = choice.sources[: choice.sources.index(chosen.source) + 1]
        assert choose(choice, known, [address for address in addresses if address.source in asked]) == chosen
