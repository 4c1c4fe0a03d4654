# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for ending a guest whose agent takes the request and does nothing, for which libvirt waits a minute."""

from __future__ import annotations

import threading
import typing as t

import libvirt
import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._errors import WaitTimeoutError
from ansible_collections.kilonova.compute.plugins.module_utils._service import power


class Deaf:
    """A domain that answers a request to power off when its plug is pulled."""

    def __init__(self, handle: libvirt.virDomain) -> None:
        """Stand before a domain of the test driver."""
        self._handle = handle
        self._ended = threading.Event()
        self.requests = 0

    def __getattr__(self, name: str) -> t.Any:
        """Pass everything else on."""
        return getattr(self._handle, name)

    def shutdown(self) -> None:
        """Take the request."""
        self.requests += 1
        assert self._ended.wait(60)

    def destroy(self) -> None:
        """Pull the plug."""
        self._handle.destroy()
        self._ended.set()


def test_an_agent_that_takes_the_request_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for as long as the user said and no longer; and nobody is asked twice at once."""
    monkeypatch.setattr(power, "_ACPI_AGAIN_SECONDS", 0.05)
    with Connection("test:///default") as connection:
        raw = connection.raw.lookupByName("test")
        deaf = Deaf(raw)
        domain = NamedHandle("test", deaf)
        with pytest.raises(WaitTimeoutError, match="force: true"):
            power.stop(connection, domain, 0.2, force=False)
        assert raw.isActive()
        power.stop(connection, domain, 0.2, force=True)
        assert not raw.isActive()
        # The second stop asked for itself, while the first one's request was still waiting.
        assert deaf.requests == 1 + 1
        raw.create()
