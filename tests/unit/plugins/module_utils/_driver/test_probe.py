# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of how a probe guest is watched; libvirt's test driver has no consoles, so the guest is played here.

That real guests are seen to start, and that nothing of them stays, is tested in the integration tests.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection, libvirt
from ansible_collections.kilonova.compute.plugins.module_utils._driver.probe import NAME_PREFIX, Vitals, run_probe
from ansible_collections.kilonova.compute.plugins.module_utils._errors import DriverError

RUNNING = 1
PAUSED = 3
SILENCE = -2


class PlayedGuest:
    """A domain and its console: what each look at it shows, the last for ever."""

    def __init__(self, *looks: tuple[int | None, bytes | int]) -> None:
        """Take (state, what the console gives) for each look; state None is a guest that is gone."""
        self._looks = list(looks)
        self._said: bytes | int = SILENCE
        self.seen: list[str] = []

    def openConsole(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, unused_device: None, unused_stream: object, unused_flags: int
    ) -> None:
        """Connect the console."""
        self.seen.append("console")

    def resume(self) -> None:
        """Run."""
        self.seen.append("resume")

    def info(self) -> list[int]:
        """Give the state and the CPU time, which grows."""
        state, self._said = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if state is None:
            error = libvirt.libvirtError("gone")
            error.err = (libvirt.VIR_ERR_NO_DOMAIN, 0, "gone", 2, "", None, None, 0, 0)
            raise error
        return [state, 0, 0, 1, 250_000_000]

    def recv(self, unused_size: int) -> bytes | int:
        """Give what the console has."""
        return self._said

    def abort(self) -> None:
        """Close the console."""
        self.seen.append("close")

    def destroy(self) -> None:
        """End."""
        self.seen.append("destroy")


@pytest.fixture
def connection() -> t.Iterator[Connection]:
    """Return a connection to a host without the probe's names."""
    with Connection("test:///default") as opened:
        yield opened


def play(connection: Connection, monkeypatch: pytest.MonkeyPatch, guest: PlayedGuest) -> list[tuple[str, int]]:
    """Let the host start ``guest`` whatever it is asked to start; return what it was asked."""
    asked: list[tuple[str, int]] = []

    def create(xml: str, flags: int) -> PlayedGuest:
        asked.append((xml, flags))
        return guest

    monkeypatch.setattr(connection.raw, "createXML", create)
    monkeypatch.setattr(connection.raw, "newStream", lambda flags: guest)
    return asked


def test_what_is_awaited_may_come_in_pieces(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console is open before the guest runs, and closed before it is ended."""
    guest = PlayedGuest((RUNNING, SILENCE), (RUNNING, b"No boot"), (RUNNING, SILENCE), (RUNNING, b"able device"))
    asked = play(connection, monkeypatch, guest)
    assert run_probe(connection, str, b"No bootable device", 60) == Vitals(True, cpu_seconds=0.25)
    assert guest.seen == ["console", "resume", "close", "destroy"]
    assert asked == [
        (f"{NAME_PREFIX}1", libvirt.VIR_DOMAIN_START_AUTODESTROY | libvirt.VIR_DOMAIN_START_PAUSED),
    ]


@pytest.mark.parametrize(
    ("looks", "problem"),
    [
        (((RUNNING, SILENCE), (PAUSED, SILENCE)), "was stopped by the hypervisor at once"),
        (((RUNNING, SILENCE), (None, SILENCE)), "died at once"),
        (((RUNNING, b"Hello"), (RUNNING, SILENCE)), "did not start within 1 s"),
    ],
)
def test_what_goes_wrong_is_told(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    looks: tuple[tuple[int | None, bytes | int], ...],
    problem: str,
) -> None:
    """And the guest is ended all the same."""
    guest = PlayedGuest(*looks)
    play(connection, monkeypatch, guest)
    vitals = run_probe(connection, str, b"never said", 0.6)
    assert (vitals.alive, vitals.problem) == (False, problem)
    assert guest.seen[-1] == "destroy"


def test_a_name_that_is_taken_is_passed_over(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run's probe keeps its name."""
    connection.raw.createXML(
        f"<domain type='test'><name>{NAME_PREFIX}1</name><memory>1024</memory><os><type>hvm</type></os></domain>", 0
    )
    asked = play(connection, monkeypatch, PlayedGuest((RUNNING, b"x")))
    assert run_probe(connection, str, b"", 60).alive
    assert [xml for xml, _flags in asked] == [f"{NAME_PREFIX}2"]


def test_a_guest_that_cannot_be_made(connection: Connection) -> None:
    """It is an error that says so."""
    with pytest.raises(DriverError, match="Cannot start a probe guest"):
        run_probe(connection, lambda name: "<nonsense/>", b"", 1)
