# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of addresses that networks keep for an instance's NICs."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ComputeError, ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.existing import Existing, OwnDisk
from ansible_collections.kilonova.compute.plugins.module_utils._plan.fixed_ip import (
    Reservation,
    as_host,
    refuse_kept,
    refuse_unfit,
    released,
    reserved,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.instance import plan_absent, plan_present
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Plan
from ansible_collections.kilonova.compute.plugins.module_utils._spec.machine import Machine
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import (
    DhcpHost,
    DhcpRange,
    NetworkIp,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import NetworkLayout
from ansible_collections.kilonova.compute.plugins.module_utils._spec.record import FixedIp, InstanceRecord
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec, machine_of
from hypothesis import given, settings
from hypothesis import strategies as st

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
NET = "networks[0].fixed_ip"
FIXED = FixedIp(MAC, "192.0.2.7", "lan")
SPEC = instance_spec(networks=[{"network": "lan", "mac": MAC}])
VDA = OwnDisk("vda", "default", "web-1-vda.qcow2", "/pool/web-1-vda.qcow2", capacity_bytes=1024**3)
RANGES = (DhcpRange("192.0.2.100", "192.0.2.199"),)
LAYOUT = NetworkLayout("nat", ips=(NetworkIp("198.51.100.1/24", (), ()), NetworkIp("192.0.2.1/24", RANGES, ())))


def _with(fixed_ips: tuple[FixedIp, ...], existing: Machine | None = None) -> Machine:
    machine = machine_of(SPEC, existing=existing)
    return replace(machine, record=replace(machine.record or InstanceRecord(), fixed_ips=fixed_ips))


def _existing(recorded: tuple[FixedIp, ...], *found: Reservation) -> Existing:
    machine = replace(_with(recorded), uuid="u")
    return Existing(machine, "running", True, disks=(VDA,), live=machine, reservations=found)


def _steps(plan: Plan) -> list[str]:
    return [action.describe().replace("web-1", "i") for action in plan.actions if action.verb != "create_disk"]


@pytest.mark.parametrize(
    ("recorded", "found", "wanted", "steps"),
    [
        ((FIXED,), (Reservation(FIXED),), (FIXED,), []),
        ((), (), (FIXED,), ["update i", f"reserve_address i/{MAC}"]),
        # Left by a run that died, or missing in the definition or the network that runs.
        ((FIXED,), (), (FIXED,), [f"reserve_address i/{MAC}"]),
        ((FIXED,), (Reservation(FIXED, whole=False),), (FIXED,), [f"reserve_address i/{MAC}"]),
        (
            (FIXED,),
            (Reservation(FIXED),),
            (replace(FIXED, ip="192.0.2.8"),),
            [f"release_address i/{MAC}", "update i", f"reserve_address i/{MAC}"],
        ),
        ((FIXED,), (Reservation(FIXED),), (), [f"release_address i/{MAC}", "update i"]),
        # What another network kept before goes too.
        (
            (FIXED,),
            (Reservation(FIXED), Reservation(replace(FIXED, network="old"))),
            (FIXED,),
            [f"release_address i/{MAC}"],
        ),
        # What somebody else declared for the NIC is not ours.
        ((), (Reservation(FIXED),), (), []),
        # On a bridge nobody keeps anything.
        ((), (), (replace(FIXED, network=""),), ["update i"]),
    ],
)
def test_steps(
    recorded: tuple[FixedIp, ...], found: tuple[Reservation, ...], wanted: tuple[FixedIp, ...], steps: list[str]
) -> None:
    """The record knows an address before a network keeps it, and as long as one does."""
    existing = _existing(recorded, *found)
    plan = plan_present(SPEC, _with(wanted, existing.machine), existing).plan
    assert _steps(plan) == steps


def test_a_new_instance_has_its_address_before_it_starts() -> None:
    """Its record comes first, so that a run that dies leaves nothing that nobody knows of."""
    plan = plan_present(SPEC.completed(), _with((FIXED,)), None).plan
    assert _steps(plan) == ["define i", f"reserve_address i/{MAC}", "start i"]
    assert (f"nics[{MAC}].fixed_ip", None, "192.0.2.7") in [(one.path, one.before, one.after) for one in plan.changes]


def test_absent_frees_what_the_record_knows() -> None:
    """Before the record goes."""
    other = Reservation(FixedIp(OTHER, "192.0.2.9", "lan"))
    plan = plan_absent(SPEC.name, SPEC.fleet, _existing((FIXED,), Reservation(FIXED), other))
    assert _steps(plan)[-2:] == [f"release_address i/{MAC}", "undefine i"]


@pytest.mark.parametrize(
    ("layout", "address", "words"),
    [
        (replace(LAYOUT, ips=()), "192.0.2.7", "no DHCP for IPv4"),
        (replace(LAYOUT, ips=LAYOUT.ips[:1] if LAYOUT.ips else ()), "198.51.100.7", "no DHCP for IPv4"),
        (LAYOUT, "198.51.100.7", "outside of 192.0.2.0/24"),
        (LAYOUT, "203.0.113.7", "outside of 192.0.2.0/24"),
        (LAYOUT, "192.0.2.0", "nobody can have 192.0.2.0"),
        (LAYOUT, "192.0.2.255", "nobody can have 192.0.2.255"),
        (LAYOUT, "192.0.2.1", "the host's own address"),
    ],
)
def test_addresses_that_a_network_cannot_keep(layout: NetworkLayout, address: str, words: str) -> None:
    """Each is refused with the option named."""
    with pytest.raises(SpecError, match=words) as caught:
        refuse_unfit(NET, "lan", layout, address)
    assert caught.value.option == NET


def test_an_address_in_the_range_or_beside_it_will_do() -> None:
    """A reservation takes it out of the range."""
    for address in ("192.0.2.7", "192.0.2.150"):
        refuse_unfit(NET, "lan", LAYOUT, address)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (DhcpHost("192.0.2.7", OTHER, name="printer"), "keeps 192.0.2.7 for printer"),
        (DhcpHost("192.0.2.7", OTHER), f"keeps 192.0.2.7 for {OTHER}"),
        (DhcpHost("192.0.2.8", MAC), f"keeps 192.0.2.8 for {MAC}, as somebody else declared"),
        (DhcpHost("192.0.2.8", OTHER), None),
        (DhcpHost("192.0.2.7", MAC), None),
    ],
)
def test_what_is_kept_for_others(host: DhcpHost, words: str | None) -> None:
    """An address goes to one, and a NIC has one; what was the instance's own before is not in the way."""
    error: ComputeError | None = None
    try:
        refuse_kept(NET, FIXED, [host], ())
    except ConflictError as exc:
        error = exc
    assert (error is None) == (words is None)
    assert words is None or words in str(error)
    refuse_kept(NET, FIXED, [host], {MAC, OTHER})


@pytest.mark.parametrize(("name", "told"), [("web-1", "web-1"), ("1web", None), ("a.b", None)])
def test_the_name_that_dns_knows(name: str, told: t.Any) -> None:
    """Libvirt takes no name that begins with a digit, and its DHCP server none with a domain of another's."""
    assert as_host(name, FIXED) == DhcpHost("192.0.2.7", MAC, name=told)


fixed_ips = st.lists(
    st.builds(
        FixedIp,
        st.sampled_from((MAC, OTHER)),
        st.sampled_from(("192.0.2.7", "192.0.2.8")),
        st.sampled_from(("a", "b", "")),
    ),
    unique_by=lambda fixed: fixed.mac,
).map(tuple)
kept = st.sets(
    st.tuples(st.sampled_from((MAC, OTHER)), st.sampled_from(("192.0.2.7", "192.0.2.8")), st.sampled_from(("a", "b"))),
    max_size=4,
)


@settings(deadline=None)
@given(recorded=fixed_ips, wanted=fixed_ips, there=kept)
def test_what_is_kept_afterwards(
    recorded: tuple[FixedIp, ...], wanted: tuple[FixedIp, ...], there: set[tuple[str, str, str]]
) -> None:
    """Whatever a run before left: what is declared, and what somebody else declared for a NIC that we never had."""
    spec = instance_spec(networks=[{"network": "a", "mac": MAC}, {"network": "a", "mac": OTHER}])
    record, new = InstanceRecord(fixed_ips=recorded), InstanceRecord(fixed_ips=wanted)
    found = {FixedIp(*one) for one in there}
    readings = [Reservation(one) for one in found]
    gone = {action.target.partition("/")[2] for action in released("i", record, readings, wanted)}
    left = {one for one in found if one.mac not in gone or one in wanted}
    made = {action.target.partition("/")[2] for action in reserved(spec, new, readings)}
    after = left | {one for one in wanted if one.mac in made}
    ours = {one.mac for one in recorded}
    assert {one for one in after if one.mac in ours} == {one for one in wanted if one.network and one.mac in ours}
    assert after >= {one for one in wanted if one.network}
    assert not released("i", new, [Reservation(one) for one in after if one.mac in ours], wanted)
    assert not reserved(spec, new, [Reservation(one) for one in after])
