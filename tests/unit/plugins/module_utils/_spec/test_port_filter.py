# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the names of the filters that guard NICs."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.port_filter import (
    PortFilter,
    guards_in_words,
    read_group_names,
    read_port_filter,
)
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import instance_spec
from hypothesis import given
from hypothesis import strategies as st

GROUPS = st.lists(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,20}\Z"), unique=True, max_size=4)


@given(GROUPS, st.booleans())
def test_a_filter_is_read_from_its_name(groups: list[str], port_security: bool) -> None:
    """Nothing else says what guards a NIC."""
    port = PortFilter(tuple(sorted(groups)), port_security)
    assert read_port_filter(port.name) == port


@pytest.mark.parametrize("name", ["clean-traffic", "kilonova-nic", "kilonova-nic.other.web", "kilonova-nics.open.web"])
def test_other_filters_are_not_ours(name: str) -> None:
    """They are shown by their name."""
    assert read_port_filter(name) is None
    assert guards_in_words(name) == f"filter {name}"


def test_guards_in_words() -> None:
    """As a user declares them."""
    assert guards_in_words("kilonova-nic.clean.db.web") == "security groups db, web; port security"
    assert guards_in_words("kilonova-nic.clean") == "no security groups; port security"
    assert guards_in_words("kilonova-nic.clean", "192.0.2.7") == "no security groups; port security for 192.0.2.7"
    assert guards_in_words("") == "no security groups; no port security"
    assert guards_in_words(None) is None


def test_names_of_groups() -> None:
    """Their order does not count, and together they must fit into the name of a file."""
    assert read_group_names("security_groups", None) is None
    assert read_group_names("security_groups", ["web", "db", "web"]) == ("db", "web")
    for names in (["a.b"], ["a" * 60, "b" * 60, "c" * 60, "d" * 60]):
        with pytest.raises(SpecError):
            read_group_names("security_groups", names)


def test_an_instance_names_its_groups() -> None:
    """A bad name is refused where it stands."""
    nic = (
        instance_spec(networks=[{"bridge": "br0", "security_groups": ["b", "a"], "port_security": False}]).nics or ()
    )[0]
    assert (nic.security_groups, nic.port_security) == (("a", "b"), False)
    with pytest.raises(SpecError) as caught:
        instance_spec(networks=[{"bridge": "br0"}, {"bridge": "br1", "security_groups": ["a b"]}])
    assert caught.value.option == "networks[1].security_groups"
