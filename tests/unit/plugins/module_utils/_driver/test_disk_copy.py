# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the copy of a running guest's disk, with answers as libvirt gives them."""

from __future__ import annotations

import typing as t

import libvirt
import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import disk_copy as subject
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    DriverError,
    UnsupportedError,
    WaitTimeoutError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.disk_copy import write_disk_copy

PLACE = subject.CopyPlace("vda", "/pool/work")
BACKUP = write_disk_copy("vda", "/pool/work")
DONE = {
    "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP,
    "type": libvirt.VIR_DOMAIN_JOB_COMPLETED,
    "success": True,
}


class NoBackup(libvirt.libvirtError):
    """What libvirt raises when no backup is being made."""

    def __init__(self, code: int = libvirt.VIR_ERR_NO_DOMAIN_BACKUP) -> None:
        """Take an error's code."""
        super().__init__("no domain backup job present")
        self.code = code

    def get_error_code(self) -> int:
        """Return it."""
        return self.code


class Handle:
    """A domain in which a backup is seen so many times before it ends."""

    def __init__(self, seen: int = 0, result: dict[str, t.Any] | None = None, code: int | None = None) -> None:
        """Begin."""
        self.seen, self.result, self.asked = seen, result or DONE, list[str]()
        self.code = code or libvirt.VIR_ERR_NO_DOMAIN_BACKUP

    def backupGetXMLDesc(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, unused_flags: int
    ) -> str:
        """Return the backup's XML."""
        if not self.seen:
            raise NoBackup(self.code)
        self.seen -= 1
        return BACKUP

    def jobStats(self, flags: int) -> dict[str, t.Any]:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Return how far it is, or how it ended."""
        return self.result if flags else {"disk_total": 10, "disk_processed": 5}

    def blockInfo(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, target: str, unused_flags: int
    ) -> list[int]:
        """Note that somebody waited for a turn."""
        self.asked.append(f"blockInfo {target}")
        return [10, 10, 10]

    def abortJob(self) -> None:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Note that it is to end."""
        self.asked.append("abortJob")


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used, and no patience."""
    for name in ("_FIRST_PAUSE_SECONDS", "_LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(subject, name, 0.0)
    with Connection("test:///default") as opened:
        yield opened


def wait(connection: Connection, handle: t.Any, timeout: float = 60) -> list[tuple[int, int | None]]:
    """Wait for a copy and return what was noted."""
    noted: list[tuple[int, int | None]] = []
    subject.wait_for_copy(
        connection, NamedHandle("web", handle), PLACE, timeout, lambda done, total: noted.append((done, total))
    )
    return noted


def test_is_waited_for(connection: Connection) -> None:
    """How far it is is told; at the end libvirt is asked what it answers after it let go of the file."""
    handle = Handle(seen=3)
    assert wait(connection, handle) == [(5, 10)] * 3
    assert handle.asked == ["blockInfo vda"]


@pytest.mark.parametrize(
    "result",
    [
        {**DONE, "success": False, "errmsg": "No space left"},
        {**DONE, "type": libvirt.VIR_DOMAIN_JOB_FAILED, "errmsg": "No space left"},
        {**DONE, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP, "errmsg": "No space left"},
    ],
)
def test_failure(connection: Connection, result: dict[str, t.Any]) -> None:
    """A job that did not end well is no copy."""
    with pytest.raises(DriverError, match=r"Cannot copy a disk of web to /pool/work: No space left\."):
        wait(connection, Handle(result=result))


def test_too_long(connection: Connection) -> None:
    """It is not waited for without end."""
    with pytest.raises(WaitTimeoutError, match="raise option timeout"):
        wait(connection, Handle(seen=10**6), timeout=0)


def test_abort(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended until it has; one to another file is left alone; one that does not end is told."""
    handle = Handle(seen=2)
    subject.abort_copy(connection, NamedHandle("web", handle), PLACE.path)
    assert handle.asked == ["abortJob"] * 2
    subject.abort_copy(connection, NamedHandle("web", Handle(seen=1)), "/other")
    monkeypatch.setattr(subject, "_ABORT_SECONDS", -1.0)
    with pytest.raises(WaitTimeoutError, match="does not end"):
        subject.abort_copy(connection, NamedHandle("web", Handle(seen=10)), PLACE.path)


def test_hypervisors_without(connection: Connection) -> None:
    """There is nothing to see where there is no such thing; any other error is one."""
    old = NamedHandle("web", object())
    assert subject.copied_to(connection, old) == frozenset()
    with pytest.raises(UnsupportedError, match="too old"):
        subject.begin_copy(connection, old, BACKUP)
    unsupported = NamedHandle("web", Handle(code=libvirt.VIR_ERR_NO_SUPPORT))
    assert subject.copied_to(connection, unsupported) == frozenset()
    with pytest.raises(DriverError):
        subject.copied_to(connection, NamedHandle("web", Handle(code=libvirt.VIR_ERR_INTERNAL_ERROR)))
