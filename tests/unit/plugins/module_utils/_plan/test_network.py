# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a declared virtual network takes."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, NotFoundError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.network import (
    ADD,
    DELETE,
    MODIFY,
    Intent,
    NetworkState,
    PluggedNic,
    plan_network,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.network_drift import merge
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network import NetworkSpec
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_address import DhcpHost, NetworkIp
from ansible_collections.kilonova.compute.plugins.module_utils._spec.network_layout import NetworkLayout, Portgroup
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.networks import EXAMPLES, as_declared, layouts
from hypothesis import given

NAT = EXAMPLES["nat"]
FIRST, SECOND = NAT.ips or ()
UP = NetworkState(NAT, NAT)
NIC = PluggedNic("web", "52:54:00:00:00:01")
USED = replace(UP, nics=(NIC,))


def plan(found: NetworkState | None, /, **declared: t.Any) -> Intent:
    """Plan a declaration."""
    options = {name: declared.pop(name) for name in ("state", "autostart", "allow_restart") if name in declared}
    return plan_network(NetworkSpec("lan", layout=NetworkLayout(**declared), **options), found)


def words(intent: Intent) -> list[str]:
    """Return the planned steps."""
    return [action.describe() for action in intent.plan.actions]


def changes(intent: Intent) -> dict[str, tuple[t.Any, t.Any, str]]:
    """Return the changes by path."""
    return {change.path: (change.before, change.after, change.effect) for change in intent.plan.changes}


def test_a_new_network_is_defined_and_started() -> None:
    """As far as is declared."""
    intent = plan(None, mode="nat", ips=(FIRST,), autostart=True)
    assert words(intent) == ["define_network lan", "start_network lan", "set_autostart lan"]
    assert intent.wanted == merge(NetworkLayout(mode="nat", ips=(FIRST,)), None)
    assert changes(intent)["network.mode"] == (None, "nat", "live")
    assert words(plan(None, mode="nat", state="inactive")) == ["define_network lan"]
    assert words(plan(None, mode="nat", state="present")) == ["define_network lan"]
    with pytest.raises(NotFoundError, match="declare its mode"):
        plan(None)


@given(layouts())
def test_a_network_as_declared_is_left_alone(layout: NetworkLayout) -> None:
    """Be it declared as a whole or not at all."""
    state = NetworkState(layout, layout, nics=(NIC,))
    for declared in (as_declared(layout), NetworkLayout()):
        assert not plan_network(NetworkSpec("lan", layout=declared), state).plan.changed


@given(layouts(("nat", "isolated")), layouts(("nat", "isolated")))
def test_what_is_done_makes_what_is_declared(found: NetworkLayout, declared: NetworkLayout) -> None:
    """The definition anew, or each item; and how it runs as well, or that waits."""
    intent = plan_network(NetworkSpec("lan", layout=as_declared(declared)), NetworkState(found, found, nics=(NIC,)))
    assert intent.plan.changed == bool(intent.wanted or intent.items)
    if intent.wanted:
        assert not any(step.persistent for step in intent.items)
    else:
        assert all(step.persistent and step.live for step in intent.items)
        assert not intent.pending


def test_items_change_in_both_copies_at_once() -> None:
    """What is in the way goes first."""
    host, more = DhcpHost("192.0.2.10", mac="52:54:00:00:00:77"), DhcpHost("192.0.2.77", mac="52:54:00:00:00:78")
    intent = plan(USED, ips=(SECOND, NetworkIp(FIRST.address, dhcp_hosts=(host, more))))
    assert words(intent) == ["update_network lan"]
    assert intent.wanted is None
    assert [step.verb for step in intent.items] == [DELETE, DELETE, ADD, ADD]
    assert all((step.subnet, step.live, step.persistent) == (0, True, True) for step in intent.items)
    assert changes(intent)[f"network.ips[{FIRST.address}].dhcp_hosts[{more.mac}]"] == (None, str(more), "live")


def test_copies_that_differ_are_both_put_right() -> None:
    """Each as far as it differs."""
    changed = replace(NAT, ips=(replace(FIRST, dhcp_ranges=()), SECOND))
    for state, live in ((NetworkState(changed, NAT), True), (NetworkState(NAT, changed), False)):
        intent = plan(state, ips=(FIRST, SECOND))
        assert [(step.verb, step.live, step.persistent) for step in intent.items] == [(ADD, live, not live)] * 2
    swapped = NetworkState(NAT, replace(NAT, ips=(SECOND, FIRST)))
    intent = plan(swapped, ips=(replace(FIRST, dhcp_ranges=()), SECOND))
    assert {(step.subnet, step.live) for step in intent.items} == {(0, True), (1, False)}


def test_the_default_port_group_steps_back_first() -> None:
    """Since there is only one."""
    old = replace(NAT, portgroups=(Portgroup("a", default=True), Portgroup("b")))
    intent = plan(NetworkState(old, old), portgroups=(Portgroup("b", default=True), Portgroup("a")))
    assert [(step.verb, step.item.name) for step in intent.items] == [(MODIFY, "a"), (MODIFY, "b")]


def test_a_restart_waits_for_guests() -> None:
    """What can change at once does; the rest is defined, and said in every run until it is allowed."""
    more = (*(FIRST.dhcp_hosts or ()), DhcpHost("192.0.2.77", mac="52:54:00:00:00:78"))
    intent = plan(USED, domain="other.example", ips=(replace(FIRST, dhcp_hosts=more), SECOND))
    assert words(intent) == ["update_network lan"]
    assert intent.pending == ("domain",)
    assert {effect for _before, _after, effect in changes(intent).values()} == {"live", "restart"}
    assert [(step.live, step.persistent) for step in intent.items] == [(True, False)]
    assert intent.wanted is not None
    waiting = replace(USED, defined=intent.wanted)
    intent = plan(waiting, domain="other.example")
    assert (intent.plan.changed, intent.pending) == (False, ("domain",))
    intent = plan(waiting, domain="other.example", allow_restart=True)
    assert words(intent) == ["restart_network lan", f"replug_nic {NIC.mac} of web"]
    assert changes(intent) == {"network.domain": ("lan.example", "other.example", "restart")}
    intent = plan(USED, domain="other.example", allow_restart=True)
    assert words(intent) == ["update_network lan", "restart_network lan", f"replug_nic {NIC.mac} of web"]
    assert (intent.items, intent.pending) == ((), ())


def test_what_an_earlier_run_left_to_a_restart_is_no_change_of_this_one() -> None:
    """Only said to be pending."""
    waiting = replace(USED, defined=replace(NAT, domain="other.example"))
    intent = plan(waiting, domain="other.example", portgroups=(Portgroup("a"),))
    assert set(changes(intent)) == {"network.portgroups[a]"}
    assert intent.pending == ("domain",)


def test_a_network_that_nobody_is_in_is_restarted() -> None:
    """Without asking."""
    assert words(plan(UP, mtu=1500)) == ["update_network lan", "restart_network lan"]
    assert words(plan(UP, mode="isolated")) == ["update_network lan", "restart_network lan"]


@pytest.mark.parametrize("name", ["openvswitch", "macvtap"])
def test_where_nics_cannot_be_plugged_in_anew_a_restart_is_refused(name: str) -> None:
    """And without leave it waits."""
    layout = EXAMPLES[name]
    change: dict[str, t.Any] = {"bridge": "ovs1"} if name == "openvswitch" else {"macvtap_mode": "private"}
    state = NetworkState(layout, layout, nics=(NIC,))
    assert plan(state, **change).pending
    with pytest.raises(SpecError, match="the NICs of web") as caught:
        plan(state, **change, allow_restart=True)
    assert caught.value.option == "allow_restart"


def test_strangers_are_not_cut_off() -> None:
    """Somebody whom another driver runs has a port too."""
    state = replace(UP, strangers=("container",))
    assert plan(state, mtu=1500).pending
    with pytest.raises(SpecError, match="the NICs of container"):
        plan(state, mtu=1500, allow_restart=True)
    with pytest.raises(ConflictError, match="container has NICs in it"):
        plan(state, state="inactive")


def test_a_network_in_use_is_neither_stopped_nor_removed() -> None:
    """Nor while a definition names it."""
    for state in ("inactive", "absent"):
        with pytest.raises(ConflictError, match="since web has NICs in it"):
            plan(USED, state=state)
    with pytest.raises(ConflictError, match="since a, b have NICs in it"):
        plan(replace(UP, users=("a", "b")), state="absent")


def test_it_is_stopped_and_removed() -> None:
    """From wherever an earlier run has left it."""
    assert words(plan(UP, state="inactive")) == ["stop_network lan"]
    assert words(plan(UP, state="inactive", mtu=1500)) == ["update_network lan", "stop_network lan"]
    assert words(plan(UP, state="absent")) == ["stop_network lan", "undefine_network lan"]
    assert words(plan(NetworkState(None, NAT), state="absent")) == ["undefine_network lan"]
    assert words(plan(NetworkState(NAT, None), state="absent")) == ["stop_network lan"]
    assert not plan(None, state="absent").plan.changed
    assert changes(plan(UP, state="absent"))["network.mode"] == ("nat", None, "live")


def test_guests_are_plugged_in_again_after_a_stop() -> None:
    """Also when only that is left to do; not where they need no port, or can't have one."""
    lost = replace(USED, running=None, nics=(replace(NIC, plugged=False),))
    assert words(plan(lost)) == ["start_network lan", f"replug_nic {NIC.mac} of web"]
    assert words(plan(replace(lost, running=NAT))) == [f"replug_nic {NIC.mac} of web"]
    assert words(plan(lost, state="present")) == []
    tapped = EXAMPLES["macvtap"]
    assert words(plan(NetworkState(None, tapped, nics=lost.nics))) == ["start_network lan"]


def test_a_network_that_does_not_run_is_only_defined() -> None:
    """And one that is not persistent becomes so."""
    assert words(plan(NetworkState(None, NAT), state="present", mtu=1500)) == ["update_network lan"]
    intent = plan(NetworkState(NAT, None), autostart=True)
    assert words(intent) == ["define_network lan", "set_autostart lan"]
    assert intent.wanted == NAT


def test_only_modes_of_one_kind_become_each_other() -> None:
    """And of a mode that is not known here, nothing can be declared."""
    with pytest.raises(SpecError, match="can't become one of mode bridge") as caught:
        plan(UP, mode="bridge", bridge="br0")
    assert caught.value.option == "mode"
    with pytest.raises(SpecError) as caught:
        plan(UP, openvswitch=True)
    assert caught.value.option == "openvswitch"
    foreign = NetworkState(replace(NAT, mode="hostdev"), replace(NAT, mode="hostdev"))
    assert not plan(foreign).plan.changed
    with pytest.raises(SpecError, match="of which nothing can be declared"):
        plan(foreign, mtu=1500)


def test_a_device_waits_with_its_mode() -> None:
    """One that NAT leaves by is not taken away from it while it still is NAT."""
    intent = plan(USED, mode="isolated")
    assert intent.items == ()
    assert intent.pending
