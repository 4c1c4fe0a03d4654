# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Security groups: what is there is read, compared with what is declared, and brought about."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from .._driver.connection import Connection
from .._driver.guests import read_guests
from .._driver.host import capabilities
from .._driver.nwfilter import define_filter, list_filters, read_filter_xml, undefine_filter
from .._driver.probe import NAME_PREFIX
from .._errors import NotFoundError, UnsupportedError
from .._plan.plan import Plan
from .._plan.security_group import UNDEFINE, GroupState, merged, plan_group, with_members
from .._spec.security_group import Group, SecurityGroupSpec
from .._xml.nwfilter import read_filter_uuid
from .._xml.security_group import filter_name, read_group, write_group
from .facts_guests import Guest, understand
from .group_members import groups_of, members_here, users_of
from .lock import claims_lock
from .port_filter import group_names, read_groups, sweep_port_filters


@dataclass(frozen=True)
class GroupOutcome:
    """What was planned, and the group as it is now."""

    plan: Plan
    group: dict[str, t.Any] | None = None
    warnings: tuple[str, ...] = ()


class _Scene:
    """The hypervisor as it is now: everything is asked once, and only when needed."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name
        listed = list_filters(connection)
        if listed is None:
            raise UnsupportedError(
                f"Option uri: the hypervisor at {connection.uri} has no network filters, of which security groups are made;"
                " take one whose libvirt runs as the system's, such as qemu:///system.",
                {"option": "uri"},
            )
        self.filters = listed
        handle = listed.get(filter_name(name))
        self.text = None if handle is None else read_filter_xml(connection, handle)
        self.found: Group | None = None
        self.is_whole = True
        if self.text:
            self.found, self.is_whole = read_group(name, self.text)

    @cached_property
    def guests(self) -> list[Guest]:
        """Return all domains but another run's probe."""
        readings = read_guests(self.connection)
        return understand(one for one in readings if not one.name.startswith(NAME_PREFIX))

    def state(self, spec: SecurityGroupSpec) -> GroupState | None:
        """Return the group as it is; who uses it only matters where it shall go."""
        if self.found is None:
            return None
        return GroupState(self.found, self.is_whole, () if spec.present else self._users())

    def _users(self) -> tuple[str, ...]:
        others = read_groups(self.connection, self.filters)
        naming = [
            name for name, (group, _text) in others.items() if name != self.name and self.name in group.remote_groups
        ]
        return (*users_of(self.guests, self.name), *(f"security group {name}" for name in naming))

    def desired(self, spec: SecurityGroupSpec) -> Group | None:
        """Return the group as it shall be."""
        if not spec.present:
            return None
        group = merged(spec, self.found)
        remote = group.remote_groups
        return with_members(group, members_here(self.connection, self.guests, remote) if remote else {})

    def unknown(self, spec: SecurityGroupSpec) -> list[tuple[str, str]]:
        """Return the groups that are named and not there, each with the option that names it."""
        known = {*group_names(self.filters), self.name}
        return [(group, option) for group, option in spec.options if spec.present and group not in known]

    def refuse_unknown(self, spec: SecurityGroupSpec) -> None:
        """Refuse to name groups that are not there."""
        for group, option in self.unknown(spec):
            raise NotFoundError(
                f"Option {option}: there is no security group {group} on this hypervisor; declare it first. There are:"
                f" {', '.join(sorted({*group_names(self.filters)} - {self.name})) or 'none'}.",
                {"option": option},
            )

    def apply(self, plan: Plan, desired: Group | None) -> None:
        """Do what is planned: a group is replaced in one call, for all running guests."""
        name = filter_name(self.name)
        if desired is not None:
            define_filter(
                self.connection, name, write_group(desired, read_filter_uuid(self.text) if self.text else None)
            )
        elif plan.has(UNDEFINE):
            # What is left of guests that are gone refers to the group.
            stale = {one: handle for one, handle in self.filters.items() if self.name in groups_of(one)}
            sweep_port_filters(self.connection, stale, self.guests)
            undefine_filter(self.connection, name, self.filters[name])


def ensure_group(connection: Connection, spec: SecurityGroupSpec, check_mode: bool) -> GroupOutcome:
    """Bring the group about that ``spec`` declares."""
    scene = _Scene(connection, spec.name)
    if not check_mode:
        scene.refuse_unknown(spec)
    desired = scene.desired(spec)
    plan = plan_group(spec, scene.state(spec), desired)
    if plan.changed and not check_mode:
        with claims_lock(capabilities(connection).uuid):
            scene = _Scene(connection, spec.name)
            scene.refuse_unknown(spec)
            desired = scene.desired(spec)
            plan = plan_group(spec, scene.state(spec), desired)
            if plan.changed:
                scene.apply(plan, desired)
    shown = scene.found if check_mode else desired
    return GroupOutcome(plan, _as_result(shown) if shown else None, tuple(_warnings(scene, spec)))


def _warnings(scene: _Scene, spec: SecurityGroupSpec) -> t.Iterator[str]:
    """Give what in check mode is no error: a task before may be what defines a group."""
    for group, option in scene.unknown(spec):
        yield f"Option {option}: there is no security group {group} on this hypervisor yet; a task before this one is to define it."


def _as_result(group: Group) -> dict[str, t.Any]:
    return {
        "name": group.name,
        "description": group.description,
        "egress_default": group.egress_default,
        "rules": sorted(rule.in_words() for rule in group.rules),
        "members": {
            name: {"here": sorted(members.here), "elsewhere": sorted(members.elsewhere)}
            for name, members in sorted(group.members.items())
        },
    }
