# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the connection and the translation of libvirt's errors, on libvirt's own test driver."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    DriverError,
    NotFoundError,
    UnreachableError,
    UnsupportedError,
)

URI = "test:///default"


def test_a_wrong_uri_names_the_option() -> None:
    """Nothing answers there, and the sentence says what to look at."""
    with pytest.raises(UnreachableError, match=r"option uri.*libvirtd"):
        Connection("test:///nowhere/at/all")


def test_errors_have_kinds_and_say_what_was_tried(capfd: pytest.CaptureFixture[str]) -> None:
    """By libvirt's code, never by its words; and libvirt itself prints nothing."""
    with Connection(URI) as connection:
        with pytest.raises(NotFoundError, match=r"^Cannot look up domain nosuch: "):
            connection.call("look up domain nosuch", connection.raw.lookupByName, "nosuch")
        with pytest.raises(UnsupportedError, match=r"^Cannot read the host's CPU map"):
            connection.call("read the host's CPU map", connection.raw.getDomainCapabilities, None, None, None, "xen", 0)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "fault",
    [UnicodeDecodeError("utf-8", b"\x80", 0, 1, "invalid start byte"), SystemError("a result with an exception set")],
)
def test_an_unreadable_reason_is_an_error_like_any_other(fault: Exception) -> None:
    """Some of QEMU's helpers write bytes that libvirt-python cannot decode; the call failed all the same."""

    def function() -> None:
        raise fault

    with Connection(URI) as connection, pytest.raises(DriverError, match=r"^Cannot start web: .* not readable text"):
        connection.call("start web", function)


def test_calls_are_counted_by_name() -> None:
    """What the no-op tests rely on."""
    with Connection(URI) as connection:
        for _turn in range(3):
            connection.call("read the host's name", connection.raw.getHostname)
        assert connection.calls == {"getHostname": 3}
