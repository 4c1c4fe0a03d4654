# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Virtual networks: what is there is read, compared with what is declared, and brought about."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._driver.connection import Connection
from .._driver.host import capabilities
from .._driver.network import (
    ItemChange,
    Network,
    all_networks,
    define_network,
    defined_guests,
    find_network,
    interface_definitions,
)
from .._errors import DriverError, SpecError
from .._plan import network as steps
from .._plan.network import Intent, NetworkState, plan_network
from .._plan.network_drift import kept_hosts
from .._plan.network_overlap import Neighbour, has_news, refuse_overlap
from .._spec.network import ABSENT, NetworkSpec
from .._spec.network_layout import NetworkLayout
from .._xml.network_items import render_item
from .._xml.network_layout import edit_layout, read_interface_addresses, read_layout, render_layout
from .._xml.record import read_domain_record
from .lock import host_lock
from .network_nics import EMPTY, Occupancy, defined_users, read_occupancy, replug

_LOCK_SECONDS = 600.0
_SUBNET_IS_TAKEN = "already in use by interface"
"""Libvirt's words, when the host has a route to a subnet already."""


@dataclass(frozen=True)
class _View:
    """What was read, and libvirt's own object and texts for the steps."""

    state: NetworkState | None = None
    network: Network | None = None
    running: str | None = None
    defined: str | None = None
    occupancy: Occupancy = EMPTY


def ensure_network(connection: Connection, spec: NetworkSpec, check: bool) -> dict[str, t.Any]:
    """Bring the network about that ``spec`` declares, or only say what it takes, and return the task's result."""
    intent = _plan(connection, spec, _look(connection, spec))
    if intent.plan.changed and not check:
        host = capabilities(connection).uuid
        with host_lock(f"network {host} {spec.name}", _LOCK_SECONDS, f"network {spec.name}"):
            view = _look(connection, spec)
            intent = _plan(connection, spec, view)
            _apply(connection, spec, view, intent)
    network = find_network(connection, spec.name)
    return {
        **intent.plan.as_result(),
        "restart_required": bool(intent.pending),
        "network": _as_result(network) if network else None,
        "diff": intent.plan.as_diff(),
        "warnings": list(_warnings(spec, intent)),
    }


def _look(connection: Connection, spec: NetworkSpec) -> _View:
    network = find_network(connection, spec.name)
    if network is None:
        return _View()
    running = network.xml() if network.is_active else None
    defined = network.defined_xml() if network.is_persistent else None
    layouts = [None if text is None else read_layout(text) for text in (running, defined)]
    bridge = next((layout.bridge for layout in layouts if layout and layout.bridge), "")
    occupancy = read_occupancy(connection, network, running is not None, bridge)
    state = NetworkState(
        running=layouts[0],
        defined=layouts[1],
        autostart=network.autostart,
        nics=occupancy.nics,
        strangers=occupancy.strangers,
        users=defined_users(connection, spec.name) if spec.state == ABSENT else (),
        kept_macs=_kept_macs(connection, spec, [layout for layout in layouts if layout]),
    )
    return _View(state, network, running, defined, occupancy)


def _kept_macs(connection: Connection, spec: NetworkSpec, layouts: t.Sequence[NetworkLayout]) -> frozenset[str]:
    """Return the NICs for which the network keeps what instances declare; asked only where a declared list could take it."""
    is_list_declared = any(ip.dhcp_hosts is not None for ip in spec.layout.ips or ())
    if not is_list_declared or not any(True for layout in layouts for _kept in kept_hosts(layout)):
        return frozenset()
    records = (read_domain_record(text) for _name, text in defined_guests(connection))
    fixed_ips = (fixed for record in records if record for fixed in record.fixed_ips)
    return frozenset(fixed.mac for fixed in fixed_ips if fixed.network == spec.name)


def _plan(connection: Connection, spec: NetworkSpec, view: _View) -> Intent:
    intent = plan_network(spec, view.state)
    found = view.state.layout if view.state else None
    if intent.wanted and has_news(intent.wanted, found):
        refuse_overlap(intent.wanted, found, _neighbours(connection, spec.name, found.bridge if found else ""))
    return intent


def _neighbours(connection: Connection, name: str, bridge: str | None) -> t.Iterator[Neighbour]:
    """Give who has addresses on the host already."""
    own_bridges = {bridge}
    for network in all_networks(connection):
        if network.name == name:
            continue
        for text in dict.fromkeys((network.xml(), network.defined_xml())):
            layout = read_layout(text)
            addresses = tuple(ip.address for ip in layout.ips or ())
            own = layout.bridge or "" if layout.has_own_bridge else ""
            own_bridges.add(own)
            yield Neighbour(f"network {network.name}", addresses, own)
    for text in interface_definitions(connection):
        interface, addresses = read_interface_addresses(text)
        if interface not in own_bridges:
            yield Neighbour(f"the host's interface {interface}", addresses)


def _apply(connection: Connection, spec: NetworkSpec, view: _View, intent: Intent) -> None:
    plan, network = intent.plan, view.network
    if intent.wanted:
        old = view.defined or view.running
        text = edit_layout(old, intent.wanted) if old else render_layout(spec.name, intent.wanted)
        network = define_network(connection, spec.name, text)
    if network is None:
        return
    for step in intent.items:
        xml = render_item(step.item)
        network.change(
            ItemChange(step.verb, step.place.section, step.subnet, xml, live=step.live, persistent=step.persistent)
        )
    if plan.has(steps.RESTART) or plan.has(steps.START):
        _start(connection, network, view, intent)
    elif plan.has(steps.REPLUG):
        replug(connection, network, view.occupancy, intent.replug)
    if plan.has(steps.STOP):
        network.stop()
    if plan.has(steps.AUTOSTART) and spec.autostart is not None:
        network.set_autostart(spec.autostart)
    if plan.has(steps.UNDEFINE):
        network.undefine()


def _start(connection: Connection, network: Network, view: _View, intent: Intent) -> None:
    """Start the network, after a stop where it ran, and plug in its guests; when that fails, it is as it was before."""
    if intent.plan.has(steps.RESTART):
        network.stop()
    try:
        network.start()
        replug(connection, network, view.occupancy, intent.replug)
    except DriverError as exc:
        _go_back(connection, network, view)
        if _SUBNET_IS_TAKEN in exc.message:
            raise SpecError(
                "ips",
                f"the host has a route to a subnet of network {network.name} already ({exc.message})",
                "take another",
            ) from exc
        raise


def _go_back(connection: Connection, network: Network, view: _View) -> None:
    """Have the network as it was: one that ran as it ran, since its definition may be what could not start."""
    if view.running is not None and view.state is not None:
        if network.is_active:
            network.stop()
        text = edit_layout(view.running, read_layout(view.running))
        before = define_network(connection, network.name, text)
        before.start()
        if view.state.running and view.state.running.can_replug:
            replug(connection, before, view.occupancy, view.occupancy.nics)
    elif not network.is_active:
        if view.defined is not None:
            define_network(connection, network.name, view.defined)
        else:
            network.undefine()


def _warnings(spec: NetworkSpec, intent: Intent) -> t.Iterator[str]:
    if intent.pending:
        yield (
            f"Network {spec.name} runs as it was before in {', '.join(intent.pending)}, until it is restarted: guests have"
            " NICs in it, which lose their connection for a moment with allow_restart: true."
        )


def _as_result(network: Network) -> dict[str, t.Any]:
    layout = read_layout(network.xml())
    return {
        "name": network.name,
        "uuid": network.uuid,
        "mode": layout.mode,
        "bridge": layout.bridge or None,
        "addresses": [ip.address for ip in layout.ips or ()],
        "active": network.is_active,
        "autostart": network.autostart,
    }
