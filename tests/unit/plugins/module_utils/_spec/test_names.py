# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the rule of names."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.names import (
    check_name,
    check_volume_name,
    console_log_name,
    is_console_log,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("name", ["a", "0", "web-1", "debian-12.5_x", "A" * 63])
def test_good_names_come_back(name: str) -> None:
    """A good name is returned as it is."""
    assert check_name("name", name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "-a", "_a", "..", "a/b", "a b", "a\n", "ä", "a<b>", "a'b", "A" * 64, None, 7]
)
def test_bad_names_are_refused_by_option(name: object) -> None:
    """The error names the option, the value and the rule."""
    with pytest.raises(SpecError) as caught:
        check_name("instances[0].name", name)
    assert caught.value.option == "instances[0].name"
    assert repr(name) in caught.value.message
    assert "1 to 63" in caught.value.message


@given(st.text(max_size=80))
def test_no_name_can_leave_its_place(name: str) -> None:
    """Whatever passes is one path component, and needs no quoting in XML or a shell."""
    try:
        check_name("name", name)
    except SpecError:
        return
    assert name.isascii()
    assert not set(name) & set("/\\<>&'\"$`;|* \n\t\0")
    assert name not in (".", "..")
    assert not name.startswith("-")


def test_the_units_of_an_iscsi_server_are_volumes() -> None:
    """They have names of libvirt's, which nothing else may have."""
    assert check_volume_name("name", "unit:0:0:1") == "unit:0:0:1"
    assert check_volume_name("name", "data") == "data"
    for name in ("unit:0:0", "unit:0:0:x", "disk:0:0:1", "unit:0:0:1/.."):
        with pytest.raises(SpecError):
            check_volume_name("name", name)


def test_a_console_log_is_known_by_its_name() -> None:
    """One that somebody else named is theirs, wherever it lies."""
    assert is_console_log("web-1", f"/pool/{console_log_name('web-1')}")
    assert not is_console_log("web-1", f"/pool/{console_log_name('other-web-1')}")
    assert not is_console_log("web-1", "/var/log/web-1.log")
