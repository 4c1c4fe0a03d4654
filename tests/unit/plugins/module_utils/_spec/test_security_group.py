# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what can be declared of a security group."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.security_group import SecurityGroupSpec
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.security import group_spec


def test_a_whole_declaration() -> None:
    """Addresses are written in one way, and each rule with a remote group is known by its option."""
    spec = group_spec(
        description="Web",
        egress_default="deny",
        rules=[{}, {"remote_group": "db"}],
        members={"db": ["2001:DB8::1", "10.0.0.1", "10.0.0.1"]},
    )
    assert (spec.description, spec.egress_default, len(spec.rules or ())) == ("Web", "deny", 2)
    assert spec.members == {"db": frozenset({"2001:db8::1", "10.0.0.1"})}
    assert spec.options == (("db", "rules[1].remote_group"),)


def test_what_is_not_declared_is_none() -> None:
    """Of a group that shall be absent nothing counts but its name."""
    assert group_spec() == SecurityGroupSpec("web")
    assert group_spec(state="absent", rules=[{"remote_cidr": "x"}]) == SecurityGroupSpec("web", present=False)


@pytest.mark.parametrize(
    ("declared", "option"),
    [
        ({"name": "a.b"}, "name"),
        ({"name": "-a"}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"description": " x"}, "description"),
        ({"members": {"db": "10.0.0.1"}}, "members.db"),
        ({"members": {"db": ["10.0.0.0/8"]}}, "members.db"),
        ({"members": {"d b": []}}, "members"),
        ({"egress_default": "allow", "rules": [{"direction": "egress"}]}, "egress_default"),
    ],
)
def test_bad_input_is_refused(declared: dict[str, t.Any], option: str) -> None:
    """With the option named."""
    with pytest.raises(SpecError) as caught:
        group_spec(**declared)
    assert caught.value.option == option
