# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the members_elsewhere filter."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kilonova.compute.plugins.filter.members_elsewhere import FilterModule, members_elsewhere


def group(name: str, **members: tuple[list[str], list[str]]) -> dict[str, t.Any]:
    """Return a group as the module tells of it."""
    told = {remote: {"here": here, "elsewhere": elsewhere} for remote, (here, elsewhere) in members.items()}
    return {"name": name, "rules": [], "members": told}


HOSTS = {
    "hv1": [group("web"), group("db", web=(["192.0.2.11"], ["192.0.2.99"]), db=([], []))],
    "hv2": [group("web"), group("db", web=(["192.0.2.120", "192.0.2.13", "2001:db8::1"], []), db=(["192.0.2.5"], []))],
    "hv3": [group("db", web=(["192.0.2.13"], ["192.0.2.11"]))],
    "hv4": [],
}


def test_each_host_is_told_what_is_on_the_others() -> None:
    """Addresses in their order, once; groups without remote groups are not told anything."""
    assert members_elsewhere(HOSTS, "hv1") == {
        "db": {"web": ["192.0.2.13", "192.0.2.120", "2001:db8::1"], "db": ["192.0.2.5"]}
    }
    assert members_elsewhere(HOSTS, "hv3") == {
        "db": {"web": ["192.0.2.11", "192.0.2.13", "192.0.2.120", "2001:db8::1"]}
    }
    assert members_elsewhere(HOSTS, "hv4") == {}


def test_what_is_known_of_hosts_that_do_not_answer_stays() -> None:
    """Their guests may still run."""
    told = members_elsewhere({name: HOSTS[name] for name in ("hv1", "hv3")}, "hv1", complete=False)
    assert told == {"db": {"web": ["192.0.2.13", "192.0.2.99"], "db": []}}


@pytest.mark.parametrize(
    "wrong",
    [[], {"hv2": []}, {"hv1": [{"name": "a"}]}, {"hv1": [group("a", b=(["x"], []))], "x": [group("a", b=(["x"], []))]}],
)
def test_anything_else_is_refused(wrong: t.Any) -> None:
    """In a sentence that says what is to be passed."""
    with pytest.raises(AnsibleFilterError, match="pass what kilonova"):
        members_elsewhere(wrong, "hv1")


def test_is_offered() -> None:
    """Under its name."""
    assert FilterModule().filters() == {"members_elsewhere": members_elsewhere}
