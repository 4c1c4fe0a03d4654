# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Compare a declared storage pool with what is there. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import ConflictError, NotFoundError, SpecError
from .._spec.pool import USUAL_PORTS, PoolHost, PoolLayout, PoolSpec
from .._spec.pool_key import OPTION
from .plan import Action, Change, Plan
from .volume_secret import SecretState

DEFINE = "define_pool"
START = "start_pool"
STOP = "stop_pool"
AUTOSTART = "set_autostart"
UNDEFINE = "undefine_pool"
SET_KEY = "set_key"
FORGET_KEY = "forget_key"


@dataclass(frozen=True)
class PoolState:
    """A pool as it is; ``users`` are the domains that have disks in it, as far as that matters."""

    layout: PoolLayout
    active: bool
    autostart: bool
    persistent: bool
    users: tuple[str, ...] = ()


def plan_pool(spec: PoolSpec, state: PoolState | None, secret: SecretState | None = None) -> Plan:
    """Return what is to be done, or raise what stands against it; ``secret`` is the one of the pool's own, where it matters."""
    resource = f"storage pool {spec.name}"
    if spec.present:
        return Plan(resource, (*_key(spec, secret), *_presence(spec, state)))
    actions = list(_removal(spec, state)) if state else []
    if secret is not None and secret.is_ours:
        actions.append(Action(FORGET_KEY, spec.name))
    return Plan(resource, tuple(actions))


def _key(spec: PoolSpec, secret: SecretState | None) -> t.Iterator[Action]:
    """Give what has libvirt keep the declared key; one that another run left half is set again."""
    if spec.key is None:
        return
    if secret is not None and not secret.is_ours:
        raise ConflictError(
            f"Option {OPTION}: libvirt has a secret {secret.uuid} for pool {spec.name} already, which kilonova.compute did not"
            " make; remove it (virsh secret-undefine), or declare secret_uuid instead.",
            {"option": OPTION},
        )
    if secret is None or not secret.is_finished:
        yield Action(SET_KEY, spec.name, (Change(f"pool.{OPTION}", None, "set"),))
    elif not spec.key.fits(secret.description):
        yield Action(SET_KEY, spec.name, (Change(f"pool.{OPTION}", "another", "set"),))


def _removal(spec: PoolSpec, state: PoolState) -> t.Iterator[Action]:
    _refuse_users(spec, state, "removed")
    if state.active:
        yield Action(STOP, spec.name, (Change("pool.active", True, False),))
    if state.persistent:
        yield Action(UNDEFINE, spec.name, tuple(_layout_changes(state.layout, gone=True)))


def _presence(spec: PoolSpec, state: PoolState | None) -> t.Iterator[Action]:
    if state is None and spec.layout is None:
        raise NotFoundError(
            f"Option type: there is no storage pool named {spec.name}, so it is to be defined; declare its type, such as"
            " dir, and what that needs.",
            {"option": "type"},
        )
    if state is None and spec.layout:
        yield Action(DEFINE, spec.name, tuple(_layout_changes(spec.layout)))
    elif state:
        _refuse_other_layout(spec, state)
        if not state.persistent:
            yield Action(DEFINE, spec.name, (Change("pool.persistent", False, True),))
    active = bool(state and state.active)
    if spec.active != active:
        if state and state.active:
            _refuse_users(spec, state, "stopped")
        yield Action(START if spec.active else STOP, spec.name, (Change("pool.active", active, spec.active),))
    autostart = bool(state and state.autostart)
    if spec.autostart != autostart:
        yield Action(AUTOSTART, spec.name, (Change("pool.autostart", autostart, spec.autostart),))


def _layout_changes(layout: PoolLayout, gone: bool = False) -> t.Iterator[Change]:
    for option, value in layout.options().items():
        shown = _shown(value)
        yield Change(f"pool.{option}", shown if gone else None, None if gone else shown)


def _refuse_users(spec: PoolSpec, state: PoolState, verb: str) -> None:
    if state.users:
        raise ConflictError(
            f"Storage pool {spec.name} can't be {verb}: it holds disks of {', '.join(state.users)}; remove those first,"
            " or move their disks.",
            {"users": list(state.users)},
        )


def _refuse_other_layout(spec: PoolSpec, state: PoolState) -> None:
    found, usual_port = state.layout.options(), USUAL_PORTS.get(state.layout.type)
    for option, value in (spec.layout.options() if spec.layout else {}).items():
        if _comparable(found.get(option), usual_port) != _comparable(value, usual_port):
            has = f"has {_shown(found[option])}" if option in found else "has none"
            raise SpecError(
                option,
                f"storage pool {spec.name} {has}, and {_shown(value)} is declared; a pool that is there is not moved",
                "declare what it has, or have it removed with state: absent, which keeps its data, and then defined anew",
            )


def _comparable(value: t.Any, usual_port: int | None) -> t.Any:
    """Return a value without its order, and with the port that libvirt writes down for a server declared without one."""
    if not isinstance(value, tuple):
        return value
    return frozenset(
        replace(one, port=usual_port) if isinstance(one, PoolHost) and one.port is None else one for one in value
    )


def _shown(value: t.Any) -> t.Any:
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return str(value)
