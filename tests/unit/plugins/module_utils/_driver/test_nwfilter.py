# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of network filters where there are none; with real ones they are used in the lab."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt, translate
from ansible_collections.kilonova.compute.plugins.module_utils._driver.nwfilter import list_filters
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError, NotFoundError


class Refusal(libvirt.libvirtError):
    """An error of libvirt's with a code."""

    def __init__(self, code: int) -> None:
        """Take the code."""
        super().__init__("no")
        self.code = code

    def get_error_code(self) -> int:
        """Return it."""
        return self.code


def refusing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Have libvirt refuse to list filters."""

    def refuse(*unused: t.Any) -> t.NoReturn:
        raise Refusal(code)

    monkeypatch.setattr(libvirt.virConnect, "listAllNWFilters", refuse)


def test_a_driver_without_network_filters() -> None:
    """It is asked once."""
    with Connection("test:///default") as connection:
        assert list_filters(connection) is None
        assert list_filters(connection) is None
        assert connection.calls["listAllNWFilters"] == 1


@pytest.mark.parametrize("uri", ["qemu:///session", "qemu+ssh://host/session?socket=/run/x"])
def test_an_ordinary_users_libvirt_is_not_asked(uri: str) -> None:
    """It lists none and can define none."""
    with Connection("test:///default") as connection:
        connection.uri = uri
        assert list_filters(connection) is None
        assert connection.calls == {}


def test_a_daemon_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each driver may have one of its own; any other error is one."""
    with Connection("test:///default") as connection:
        refusing(monkeypatch, libvirt.VIR_ERR_SYSTEM_ERROR)
        assert list_filters(connection) is None
        refusing(monkeypatch, libvirt.VIR_ERR_INTERNAL_ERROR)
        with pytest.raises(DriverError, match="Cannot list network filters"):
            list_filters(connection)


def test_a_filter_that_is_gone() -> None:
    """It is told apart from what fails."""
    assert isinstance(translate(Refusal(libvirt.VIR_ERR_NO_NWFILTER), "read it"), NotFoundError)
