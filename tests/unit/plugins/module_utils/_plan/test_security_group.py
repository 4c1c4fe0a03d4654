# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a declared security group takes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import ConflictError, SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.plan import Plan
from ansible_collections.kilonova.compute.plugins.module_utils._plan.security_group import (
    GroupState,
    merged,
    plan_group,
    with_members,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_group import Group, Members
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_rule import Rule
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.security import group_spec, groups
from hypothesis import given

PING = Rule(protocol="icmp", icmp_type=8)
FROM_DB = Rule(protocol="udp", remote_group="db")
WEB = Group("web", "Web", "deny", frozenset({PING, FROM_DB}), {"db": Members(frozenset({"10.0.0.1"}))})


def plan(found: Group | None, here: dict[str, frozenset[str]] | None = None, **declared: t.Any) -> Plan:
    """Return what a declaration takes."""
    spec = group_spec(**declared)
    state = GroupState(found) if found else None
    return plan_group(spec, state, with_members(merged(spec, found), here or {}))


def told(planned: Plan) -> list[tuple[str, t.Any, t.Any]]:
    """Return the changes as plain tuples."""
    return [(change.path, change.before, change.after) for change in planned.changes]


def test_a_new_group_shows_all_it_has() -> None:
    """In words, one line each."""
    planned = plan(None, description="Web", rules=[{"protocol": "icmp", "icmp_type": 8}])
    assert planned.as_result()["actions"] == ["define_group web"]
    assert planned.as_diff()["after"] == (
        "security_group: web\ndescription: Web\negress_default: allow\nrule: ingress ipv4 icmp type 8\n"
    )
    assert planned.as_diff()["before"] == ""


def test_what_is_not_declared_stays() -> None:
    """Rules that are declared are all there are."""
    here = {"db": frozenset({"10.0.0.1"})}
    assert not plan(WEB, here).changed
    assert told(plan(WEB, here, rules=[{"protocol": "icmp", "icmp_type": 8}], egress_default="allow")) == [
        ("egress_default", "deny", "allow"),
        ("rule", "ingress ipv4 udp from group db", None),
        ("members[db].here", ["10.0.0.1"], None),
    ]


def test_members_are_followed() -> None:
    """Those here as they are found, those elsewhere as they are declared; other families are of no use to the rules."""
    here = {"db": frozenset({"10.0.0.3", "fe80::1"}), "others": frozenset({"10.9.9.9"})}
    planned = plan(WEB, here, members={"db": ["10.0.0.2", "2001:db8::1"]})
    assert told(planned) == [
        ("members[db].here", ["10.0.0.1"], ["10.0.0.3"]),
        ("members[db].elsewhere", None, ["10.0.0.2"]),
    ]
    with pytest.raises(SpecError, match=r"Option members\.others: no rule of security group web names that group"):
        plan(WEB, members={"others": []})


def test_egress_rules_want_egress_denied() -> None:
    """Also where only one of the two is declared."""
    with pytest.raises(SpecError, match="Option egress_default"):
        plan(None, rules=[{"direction": "egress"}])
    with pytest.raises(SpecError, match="Option egress_default"):
        plan(Group("web", egress_default="deny", rules=frozenset({Rule("egress")})), egress_default="allow")


def test_a_filter_that_somebody_changed_is_put_right() -> None:
    """Though the group reads as declared."""
    planned = plan_group(group_spec(), GroupState(WEB, is_whole=False), WEB)
    assert told(planned) == [("filter", "changed by somebody else", "as declared")]


def test_removal() -> None:
    """It is refused while somebody uses the group; one that is not there is no matter."""
    spec = group_spec(state="absent")
    assert not plan_group(spec, None, None).changed
    planned = plan_group(spec, GroupState(WEB), None)
    assert planned.as_result()["actions"] == ["undefine_group web"]
    assert "rule: ingress ipv4 icmp type 8\n" in planned.as_diff()["before"]
    assert planned.as_diff()["after"] == ""
    with pytest.raises(ConflictError, match="it is used by vm-1, security group db; take it away"):
        plan_group(spec, GroupState(WEB, users=("vm-1", "security group db")), None)


@given(groups(), groups())
def test_a_plan_leads_where_it_says(before: Group, after: Group) -> None:
    """What is as it shall be is left alone, and anything else is told."""
    spec = group_spec(name="web")
    assert not plan_group(spec, GroupState(after), after).changed
    same = (before.description, before.egress_default, before.rules, dict(before.members)) == (
        after.description,
        after.egress_default,
        after.rules,
        dict(after.members),
    )
    assert plan_group(spec, GroupState(before), after).changed != same
