# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for backup jobs, with answers as libvirt gives them."""

from __future__ import annotations

import types
import typing as t

import libvirt
import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._driver import backup as subject
from ansible_collections.kilonova.compute.plugins.module_utils._driver.connection import Connection
from ansible_collections.kilonova.compute.plugins.module_utils._driver.domain import NamedHandle
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    ConflictError,
    DriverError,
    UnsupportedError,
    WaitTimeoutError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._xml.backup import BackupTarget, write_backup

DOING = "copy disk vda of web"
PATH = "/pool/work"
BACKUP = write_backup((BackupTarget("vda", PATH),), ())
DONE = types.MappingProxyType(
    {
        "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP,
        "type": libvirt.VIR_DOMAIN_JOB_COMPLETED,
        "success": True,
    }
)


class Refusal(libvirt.libvirtError):
    """What libvirt raises, at first as where no backup is being made."""

    def __init__(self, code: int = libvirt.VIR_ERR_NO_DOMAIN_BACKUP) -> None:
        """Take an error's code."""
        super().__init__("libvirt says no")
        self.code = code

    def get_error_code(self) -> int:
        """Return it."""
        return self.code


class Handle:
    """A domain in which a backup is seen so many times before it ends; ``result`` is None where the guest ended with it."""

    def __init__(self, seen: int = 0, result: t.Mapping[str, t.Any] | None = DONE, code: int | None = None) -> None:
        """Begin."""
        self.seen, self.result, self.asked = seen, result, list[str]()
        self.code = code or libvirt.VIR_ERR_NO_DOMAIN_BACKUP

    def state(self) -> list[int]:
        """Tell that it runs."""
        return [libvirt.VIR_DOMAIN_RUNNING, 0]

    def backupBegin(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, backup: str, checkpoint: str | None, flags: int
    ) -> int:
        """Note what is begun, or refuse."""
        if self.code != libvirt.VIR_ERR_NO_DOMAIN_BACKUP:
            raise Refusal(self.code)
        assert flags == libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL
        self.asked.append(f"backupBegin {checkpoint} {backup}")
        return 0

    def backupGetXMLDesc(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, unused_flags: int
    ) -> str:
        """Return the backup's XML."""
        if not self.seen:
            raise Refusal(self.code)
        self.seen -= 1
        return BACKUP

    def jobStats(self, flags: int) -> dict[str, t.Any]:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Return how far it is, or how it ended."""
        if self.result is None:
            raise Refusal(libvirt.VIR_ERR_OPERATION_INVALID)
        return dict(self.result) if flags else {"disk_total": 10, "disk_processed": 5}

    def blockInfo(  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        self, target: str, unused_flags: int
    ) -> list[int]:
        """Note that somebody waited for a turn."""
        self.asked.append(f"blockInfo {target}")
        return [10, 10, 10]

    def abortJob(self) -> None:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Note that it is to end."""
        self.asked.append("abortJob")


class Stopped:
    """A domain that does not run."""

    def state(self) -> list[int]:
        """Tell so."""
        return [libvirt.VIR_DOMAIN_SHUTOFF, 0]

    def backupGetXMLDesc(self, flags: int) -> str:  # noqa: N802  # pylint: disable=invalid-name  # libvirt's name
        """Be asked for nothing."""
        raise AssertionError(flags)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Connection]:
    """Return a connection, of which only the way it makes calls is used, and no pauses."""
    for name in ("_FIRST_PAUSE_SECONDS", "_LONGEST_PAUSE_SECONDS"):
        monkeypatch.setattr(subject, name, 0.0)
    with Connection("test:///default") as opened:
        yield opened


def wait(connection: Connection, handle: t.Any, timeout: float | None = 60) -> list[tuple[int, int | None]]:
    """Wait for a job and return what was noted."""
    noted: list[tuple[int, int | None]] = []
    job = subject.BackupJob(DOING, "vda", PATH, timeout, lambda done, total: noted.append((done, total)))
    subject.wait_for_backup(connection, NamedHandle("web", handle), job)
    return noted


def test_is_begun(connection: Connection) -> None:
    """With a checkpoint or without; one that was lost meanwhile is told as that."""
    handle = Handle()
    for checkpoint in (None, "c1"):
        subject.begin_backup(connection, NamedHandle("web", handle), DOING, "<x/>", checkpoint)
    assert handle.asked == ["backupBegin None <x/>", "backupBegin c1 <x/>"]
    for code, kind, words in (
        (libvirt.VIR_ERR_CHECKPOINT_INCONSISTENT, ConflictError, r"lost since this was planned; run again\."),
        (libvirt.VIR_ERR_INTERNAL_ERROR, DriverError, f"Cannot {DOING}: libvirt says no"),
    ):
        with pytest.raises(kind, match=words):
            subject.begin_backup(connection, NamedHandle("web", Handle(code=code)), DOING, "<x/>", None)


def test_is_waited_for(connection: Connection) -> None:
    """How far it is is told; at the end libvirt is asked what it answers after it let go of the file."""
    handle = Handle(seen=3)
    assert wait(connection, handle) == [(5, 10)] * 3
    assert handle.asked == ["blockInfo vda"]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({**DONE, "success": False, "errmsg": "No space left"}, "No space left"),
        ({**DONE, "type": libvirt.VIR_DOMAIN_JOB_FAILED, "errmsg": "No space left"}, "No space left"),
        ({**DONE, "type": libvirt.VIR_DOMAIN_JOB_FAILED}, "QEMU could not write it"),
        ({**DONE, "type": libvirt.VIR_DOMAIN_JOB_CANCELLED, "success": False}, "it was ended by somebody, or"),
        ({**DONE, "operation": libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP, "errmsg": "No space left"}, "No space left"),
        (None, "or the guest was switched off"),
    ],
)
def test_failure(connection: Connection, result: dict[str, t.Any] | None, reason: str) -> None:
    """A job that did not end well wrote nothing that counts."""
    with pytest.raises(DriverError, match=rf"Cannot {DOING}: .*{reason}"):
        wait(connection, Handle(seen=1, result=result))


def test_too_long(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for without end, and without a limit not where it gets no further."""
    with pytest.raises(WaitTimeoutError, match="raise option timeout"):
        wait(connection, Handle(seen=10**6), timeout=0)
    monkeypatch.setattr(subject, "_STALLED_SECONDS", 0.0)
    with pytest.raises(WaitTimeoutError, match="gets no further"):
        wait(connection, Handle(seen=10**6), timeout=None)
    assert len(wait(connection, Handle(seen=3), timeout=60)) == 3


def test_abort(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended until it has; one to another file is left alone; one that does not end is told."""
    handle = Handle(seen=2)
    subject.abort_backup(connection, NamedHandle("web", handle), {PATH, "/pool/other"})
    assert handle.asked == ["abortJob"] * 2
    for paths in ({"/other"}, frozenset[str]()):
        handle = Handle(seen=1)
        subject.abort_backup(connection, NamedHandle("web", handle), paths)
        assert handle.asked == []
    monkeypatch.setattr(subject, "_ABORT_SECONDS", -1.0)
    with pytest.raises(WaitTimeoutError, match="does not end"):
        subject.abort_backup(connection, NamedHandle("web", Handle(seen=10)), {PATH})


def test_where_there_is_none(connection: Connection) -> None:
    """Where no guest runs, and where there is no such thing; any other error is one."""
    assert subject.current_backup(connection, NamedHandle("web", Handle(seen=1))) == frozenset({PATH})
    assert subject.current_backup(connection, NamedHandle("web", Stopped())) is None
    old = NamedHandle("web", object())
    assert subject.current_backup(connection, old) is None
    with pytest.raises(UnsupportedError, match="too old"):
        subject.begin_backup(connection, old, DOING, BACKUP, None)
    unsupported = NamedHandle("web", Handle(code=libvirt.VIR_ERR_NO_SUPPORT))
    assert subject.current_backup(connection, unsupported) is None
    with pytest.raises(DriverError):
        subject.current_backup(connection, NamedHandle("web", Handle(code=libvirt.VIR_ERR_INTERNAL_ERROR)))
