# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a declared virtual network takes: in which steps, and which of them wait for a restart. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ConflictError, NotFoundError, SpecError
from .._spec.network import ABSENT, ACTIVE, INACTIVE, NetworkSpec
from .._spec.network_layout import MANAGED_MODES, MODES, NetworkLayout, check_mode_options, check_whole
from .network_drift import DEVICES, HOSTS, NOTHING, PORTGROUPS, RANGES, Drift, Place, compare, merge
from .plan import LIVE, Action, Change, Plan

DEFINE = "define_network"
UPDATE = "update_network"
START = "start_network"
STOP = "stop_network"
RESTART = "restart_network"
REPLUG = "replug_nic"
AUTOSTART = "set_autostart"
UNDEFINE = "undefine_network"
BY_RESTART = "restart"
"""The effect of a change that a running network takes up when it is restarted."""
DELETE, MODIFY, ADD = "delete", "modify", "add"


@dataclass(frozen=True)
class PluggedNic:
    """A NIC of a running guest; one that is not ``plugged`` any more names the network in vain."""

    instance: str
    mac: str
    plugged: bool = True


@dataclass(frozen=True)
class NetworkState:
    """A network as it is: how it runs, and how it is defined; of either None where it is not."""

    running: NetworkLayout | None
    defined: NetworkLayout | None
    autostart: bool = False
    nics: tuple[PluggedNic, ...] = ()
    strangers: tuple[str, ...] = ()
    """Who else is plugged in, and is no guest of this hypervisor's driver."""
    users: tuple[str, ...] = ()
    """Instances, running or not, that have NICs in it by their definition; read only where it is to be removed."""
    kept_macs: frozenset[str] = frozenset()
    """Whose reservations a declared list of such leaves alone."""

    @property
    def layout(self) -> NetworkLayout | None:
        """Return what is changed: the definition, or how it runs where that is all there is."""
        return self.defined or self.running

    @property
    def occupants(self) -> tuple[str, ...]:
        """Return who is plugged in."""
        return tuple(dict.fromkeys((*(nic.instance for nic in self.nics), *self.strangers)))


class ItemStep(t.NamedTuple):
    """One item that libvirt changes without a new definition."""

    verb: str
    place: Place
    item: t.Any
    subnet: int
    """The number of its subnet, of what DHCP gives out; else -1."""
    live: bool = False
    persistent: bool = False


@dataclass(frozen=True)
class Intent:
    """The plan, and what its steps need."""

    plan: Plan
    wanted: NetworkLayout | None = None
    """What it is defined as, where it is defined anew."""
    items: tuple[ItemStep, ...] = ()
    replug: tuple[PluggedNic, ...] = ()
    pending: tuple[str, ...] = ()
    """Options that wait for a restart."""


@dataclass
class _Draft:
    """A plan in the making."""

    name: str
    actions: list[Action] = field(default_factory=list)

    def add(self, verb: str, *changes: Change, target: str | None = None) -> None:
        """Append an action."""
        self.actions.append(Action(verb, target or self.name, changes))


def plan_network(spec: NetworkSpec, state: NetworkState | None) -> Intent:
    """Return what is to be done, or raise what stands against it."""
    resource = f"network {spec.name}"
    if spec.state == ABSENT:
        return Intent(Plan(resource, tuple(_removal(spec, state)))) if state else Intent(Plan(resource))
    wanted = _wanted(spec, state)
    draft = _Draft(spec.name)
    intent = _definition(spec, state, wanted, draft)
    is_running = bool(state and state.running)
    replug = intent.replug
    if state and spec.state == INACTIVE and is_running:
        _refuse_occupants(spec, state, "stopped")
        draft.add(STOP, Change("network.active", True, False))
    if spec.state == ACTIVE and not is_running:
        draft.add(START, Change("network.active", False, True))
        replug = state.nics if state and wanted.can_replug else ()
    for nic in replug:
        draft.add(REPLUG, target=f"{nic.mac} of {nic.instance}")
    autostart = bool(state and state.autostart)
    if spec.autostart not in (None, autostart):
        draft.add(AUTOSTART, Change("network.autostart", autostart, spec.autostart))
    return Intent(Plan(resource, tuple(draft.actions)), intent.wanted, intent.items, replug, intent.pending)


def _removal(spec: NetworkSpec, state: NetworkState) -> t.Iterator[Action]:
    _refuse_occupants(spec, state, "removed")
    if state.running:
        yield Action(STOP, spec.name, (Change("network.active", True, False),))
    if state.defined:
        yield Action(UNDEFINE, spec.name, tuple(_changes(compare(state.defined, NOTHING))))


def _refuse_occupants(spec: NetworkSpec, state: NetworkState, verb: str) -> None:
    names = tuple(dict.fromkeys((*state.occupants, *state.users)))
    if names:
        have = "has" if len(names) == 1 else "have"
        raise ConflictError(
            f"Network {spec.name} can't be {verb}, since {', '.join(names)} {have} NICs in it; take those away first.",
            {"instances": list(names)},
        )


def _wanted(spec: NetworkSpec, state: NetworkState | None) -> NetworkLayout:
    """Return the whole network that is declared, or raise what does not go together."""
    declared, found = spec.layout, state.layout if state else None
    if found is None and declared.mode is None:
        raise NotFoundError(
            f"Option mode: there is no network named {spec.name}, so it is to be defined; declare its mode, such as nat,"
            " and what that needs.",
            {"option": "mode"},
        )
    wanted = merge(declared, found, state.kept_macs if state else ())
    if not declared.declared():
        return wanted
    if found and found.mode != wanted.mode and not {found.mode, wanted.mode} <= set(MANAGED_MODES):
        raise SpecError(
            "mode",
            f"network {spec.name} is of mode {found.mode}, and can't become one of mode {wanted.mode}",
            "have it removed with state: absent, and then defined anew",
        )
    if wanted.mode not in MODES:
        raise SpecError(
            declared.declared()[0],
            f"network {spec.name} is of mode {wanted.mode}, of which nothing can be declared",
            "declare only state and autostart",
        )
    check_mode_options(declared, wanted.mode)
    check_whole(wanted)
    return wanted


def _definition(spec: NetworkSpec, state: NetworkState | None, wanted: NetworkLayout, draft: _Draft) -> Intent:
    """Plan what changes of a network that is there or is made, and stays or does not stay up."""
    plan = Plan(draft.name)
    if state is None:
        draft.add(DEFINE, *_changes(compare(NOTHING, wanted)))
        return Intent(plan, wanted)
    if state.defined is None:
        draft.add(DEFINE, Change("network.persistent", False, True))
    drift = compare(state.defined or wanted, wanted)
    if state.running is None or spec.state == INACTIVE:
        if drift.items or drift.settings:
            draft.add(UPDATE, *_changes(drift))
        return Intent(plan, wanted if draft.actions else None)
    return _running(spec, state, state.running, wanted, draft)


def _running(
    spec: NetworkSpec, state: NetworkState, running: NetworkLayout, wanted: NetworkLayout, draft: _Draft
) -> Intent:
    """Plan what changes of a network that is up and stays so."""
    now = compare(running, merge(spec.layout, running, state.kept_macs))
    later = compare(state.defined or wanted, wanted)
    is_restarted = bool(now.settings) and _may_restart(spec, state, running, wanted)
    must_define = bool(draft.actions or later.settings or (is_restarted and later.items))
    steps = () if is_restarted else _item_steps(running, now, None if must_define else state.defined, later)
    changes = tuple(_changes_of_running(now, later, steps, is_restarted))
    if later.settings or later.items or steps:
        draft.add(UPDATE, *changes)
        changes = ()
    replug = tuple(nic for nic in state.nics if is_restarted or not nic.plugged) if running.can_replug else ()
    if is_restarted:
        draft.add(RESTART, *changes)
    pending = () if is_restarted else tuple(now.settings)
    return Intent(Plan(draft.name), wanted if must_define else None, steps, replug, pending)


def _changes_of_running(
    now: Drift, later: Drift, steps: tuple[ItemStep, ...], is_restarted: bool
) -> t.Iterator[Change]:
    """Give what this run changes: what an earlier one has left to a restart is none of it, unless that comes now."""
    live = {step.place for step in steps if step.live}
    effects = {place: BY_RESTART for place in now.items if place not in live}
    settings = {
        **later.settings,
        **{name: pair for name, pair in now.settings.items() if is_restarted or name in later.settings},
    }
    items = {
        **later.items,
        **{place: pair for place, pair in now.items.items() if is_restarted or place in later.items or place in live},
    }
    return _changes(Drift(settings, items), now.settings, effects)


def _may_restart(spec: NetworkSpec, state: NetworkState, running: NetworkLayout, wanted: NetworkLayout) -> bool:
    """Tell whether the network can be restarted now, or raise why it can't although that is allowed."""
    if not state.occupants:
        return True
    if not spec.allow_restart:
        return False
    if state.strangers:
        who, why = ", ".join(state.strangers), "can't be plugged in anew from here"
    elif not (running.can_replug and wanted.can_replug):
        who, why = ", ".join(state.occupants), f"can't be plugged in anew in mode {wanted.mode} while they run"
    else:
        return True
    raise SpecError(
        "allow_restart", f"the NICs of {who} in network {spec.name} {why}", "shut them down first, or leave it out"
    )


def _item_steps(
    running: NetworkLayout, now: Drift, defined: NetworkLayout | None, later: Drift
) -> tuple[ItemStep, ...]:
    """Return the items in their order: what is in the way goes first. Where both copies need the same, it is one step."""
    live = [
        step for step in _steps(running, now.items) if not (step.place.section == DEVICES and "mode" in now.settings)
    ]
    persistent = _steps(defined, later.items) if defined else []
    steps = (
        step._replace(live=step in live, persistent=step in persistent) for step in dict.fromkeys((*live, *persistent))
    )
    return tuple(sorted(steps, key=_rank))


def _rank(step: ItemStep) -> tuple[int, bool]:
    # Only one port group can be the default, so that the last one steps back first.
    return (DELETE, MODIFY, ADD).index(step.verb), bool(getattr(step.item, "default", False))


def _steps(layout: NetworkLayout, items: dict[Place, tuple[t.Any, t.Any]]) -> list[ItemStep]:
    addresses = [ip.address for ip in layout.ips or ()]
    found = []
    for place, (before, after) in items.items():
        is_of_subnet = place.section in (RANGES, HOSTS)
        if is_of_subnet and place.address not in addresses:
            continue
        subnet = addresses.index(place.address) if is_of_subnet else -1
        if place.section == PORTGROUPS and before and after:
            found.append(ItemStep(MODIFY, place, after, subnet))
            continue
        if before:
            found.append(ItemStep(DELETE, place, before, subnet))
        if after:
            found.append(ItemStep(ADD, place, after, subnet))
    return found


def _changes(
    drift: Drift, restarting: t.Collection[str] = (), effects: t.Mapping[Place, str] | None = None
) -> t.Iterator[Change]:
    for option, (before, after) in drift.settings.items():
        effect = BY_RESTART if option in restarting else LIVE
        yield Change(f"network.{option}", _shown(before), _shown(after), effect)
    for place, (before, after) in drift.items.items():
        yield Change(place.path, _shown(before), _shown(after), (effects or {}).get(place, LIVE))


def _shown(value: t.Any) -> t.Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (tuple, frozenset)):
        words = [str(one) for one in value]
        return (sorted(words) if isinstance(value, frozenset) else words) or None
    return str(value) or None
