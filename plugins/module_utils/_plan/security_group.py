# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Compare a declared security group with what is there, in the user's terms. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._errors import ConflictError, SpecError
from .._spec.security_group import ALLOW, Group, Members, SecurityGroupSpec
from .._spec.security_rule import EGRESS, family
from .plan import Action, Change, Plan

DEFINE = "define_group"
UPDATE = "update_group"
UNDEFINE = "undefine_group"

Here = t.Mapping[str, frozenset[str]]
"""The addresses of a group's members on this hypervisor."""


@dataclass(frozen=True)
class GroupState:
    """A group as it is; ``is_whole`` says whether its filter has nothing but what the group is."""

    group: Group
    is_whole: bool = True
    users: tuple[str, ...] = ()
    """Who stands against its removal, as far as that matters."""


def merged(spec: SecurityGroupSpec, found: Group | None) -> Group:
    """Return the group with all that is declared; its members on this hypervisor are those that were found last."""
    base = found or Group(spec.name)
    group = replace(
        base,
        description=base.description if spec.description is None else spec.description,
        egress_default=spec.egress_default or base.egress_default,
        rules=base.rules if spec.rules is None else spec.rules,
    )
    members = {name: group.members_of(name) for name in group.remote_groups}
    for name, addresses in (spec.members or {}).items():
        if name not in members:
            raise SpecError(
                f"members.{name}", f"no rule of security group {spec.name} names that group", "leave it out"
            )
        members[name] = replace(members[name], elsewhere=addresses)
    if group.egress_default == ALLOW and any(rule.direction == EGRESS for rule in group.rules):
        raise SpecError(
            "egress_default",
            f"security group {spec.name} lets everything out, and so its rules for egress have no effect",
            "declare deny, or rules without those",
        )
    return replace(group, members=members)


def with_members(group: Group, here: Here) -> Group:
    """Return the group with its members on this hypervisor, as far as its rules have a use for their addresses."""
    found = {}
    for name in group.remote_groups:
        families = {rule.ethertype for rule in group.rules if rule.remote_group == name}
        sets = (here.get(name, frozenset()), group.members_of(name).elsewhere)
        found[name] = Members(*(frozenset(one for one in addresses if family(one) in families) for addresses in sets))
    return replace(group, members=found)


def plan_group(spec: SecurityGroupSpec, state: GroupState | None, desired: Group | None) -> Plan:
    """Return what is to be done, or raise what stands against it; ``desired`` is None where it shall be absent."""
    resource = f"security group {spec.name}"
    if desired is None:
        return Plan(resource, _removal(spec.name, state) if state else ())
    if state is None:
        changes = (Change("security_group", None, spec.name), *_changes(Group(spec.name, egress_default=""), desired))
        return Plan(resource, (Action(DEFINE, spec.name, changes),))
    changes = tuple(_changes(state.group, desired))
    if not changes and not state.is_whole:
        changes = (Change("filter", "changed by somebody else", "as declared"),)
    return Plan(resource, (Action(UPDATE, spec.name, changes),) if changes else ())


def _removal(name: str, state: GroupState) -> tuple[Action, ...]:
    if state.users:
        raise ConflictError(
            f"Security group {name} can't be removed: it is used by {', '.join(state.users)}; take it away from those first.",
            {"users": list(state.users)},
        )
    gone = (Change("security_group", name, None), *_changes(state.group, Group(name, egress_default="")))
    return (Action(UNDEFINE, name, gone),)


def _changes(before: Group, after: Group) -> t.Iterator[Change]:
    for path in ("description", "egress_default"):
        values = getattr(before, path) or None, getattr(after, path) or None
        if values[0] != values[1]:
            yield Change(path, *values)
    for words in sorted(rule.in_words() for rule in before.rules - after.rules):
        yield Change("rule", words, None)
    for words in sorted(rule.in_words() for rule in after.rules - before.rules):
        yield Change("rule", None, words)
    for name in sorted({*before.members, *after.members}):
        for place in ("here", "elsewhere"):
            there, wanted = (sorted(getattr(group.members_of(name), place)) for group in (before, after))
            if there != wanted:
                yield Change(f"members[{name}].{place}", there or None, wanted or None)
