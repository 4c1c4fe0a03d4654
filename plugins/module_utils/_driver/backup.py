# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Backup jobs: QEMU writes what is on a guest's disks at one point to volumes, while the guest goes on.

A job puts nothing into the disks' chains, so whenever it ends, and whoever began it, all that it leaves is what it wrote.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass

from .._errors import ConflictError, DriverError, NotFoundError, UnsupportedError, WaitTimeoutError
from .._xml.backup import read_backup_paths
from .connection import Connection, libvirt
from .domain import Domain, is_active
from .snapshot import disk_capacity

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0
_STALLED_SECONDS = 600.0
"""A job that gets no further for so long is not waited for."""
_ABORT_SECONDS = 60.0

Note = t.Callable[[int, int], None]
"""Is told how many bytes were looked at, and of how many."""


@dataclass(frozen=True)
class BackupJob:
    """A job as it is waited for: what it does (words that follow "cannot"), and one of its disks with where that goes."""

    doing: str
    target: str
    path: str
    timeout: float | None = None
    """Without it, the job may take as long as it gets further."""
    note: Note | None = None


def begin_backup(connection: Connection, domain: Domain, doing: str, backup: str, checkpoint: str | None) -> None:
    """Begin a job that writes to volumes which are there, of what is on the disks now; with a checkpoint of that moment."""
    begin = getattr(domain.handle, "backupBegin", None)
    if begin is None:
        raise UnsupportedError(f"Cannot {doing}: the Python library libvirt is too old to back up disks; update it.")
    try:
        connection.call(doing, begin, backup, checkpoint, libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
    except DriverError as exc:
        if exc.details.get("libvirt_code") == libvirt.VIR_ERR_CHECKPOINT_INCONSISTENT:
            raise ConflictError(f"{exc} It was lost since this was planned; run again.") from exc
        raise


def current_backup(connection: Connection, domain: Domain) -> frozenset[str] | None:
    """Return the paths that a job writes to now; None where there is none."""
    ask = getattr(domain.handle, "backupGetXMLDesc", None)
    if ask is None or not is_active(connection, domain):
        return None
    try:
        return read_backup_paths(connection.call(f"ask for a backup of {domain.name}", ask, 0))
    except (NotFoundError, UnsupportedError):
        return None


def wait_for_backup(connection: Connection, domain: Domain, job: BackupJob) -> None:
    """Wait until all that the job was to write can be read, or raise why it can't be."""
    patience, pause = _Patience(job), _FIRST_PAUSE_SECONDS
    while job.path in (current_backup(connection, domain) or ()):
        stats = _stats(connection, domain, 0)
        patience.note(stats)
        if job.note is not None and "disk_total" in stats:
            job.note(stats.get("disk_processed", 0), stats["disk_total"])
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    completed = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
    _judge(job, _stats(connection, domain, completed))
    # QEMU writes what it holds back when libvirt takes the files away from it, which it does after the job counts as ended,
    # and before it answers what has to wait for its turn.
    disk_capacity(connection, domain, job.target)


def abort_backup(connection: Connection, domain: Domain, paths: t.AbstractSet[str]) -> None:
    """End a job that writes to any of these paths, if there is one, and wait until it has."""
    end = time.monotonic() + _ABORT_SECONDS
    while paths & (current_backup(connection, domain) or frozenset()):
        with contextlib.suppress(DriverError):
            connection.call(f"end a backup of {domain.name}", domain.handle.abortJob)
        if time.monotonic() > end:
            raise WaitTimeoutError(
                f"The backup of {domain.name} to {', '.join(sorted(paths))} does not end (virsh domjobabort {domain.name})."
            )
        time.sleep(_FIRST_PAUSE_SECONDS)


def _stats(connection: Connection, domain: Domain, flags: int) -> dict[str, t.Any]:
    try:
        return dict(connection.call(f"ask how the backup of {domain.name} goes", domain.handle.jobStats, flags))
    except DriverError:
        # The guest may have ended with it.
        return {}


def _judge(job: BackupJob, stats: t.Mapping[str, t.Any]) -> None:
    is_ours = stats.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP
    if is_ours and stats.get("type") == libvirt.VIR_DOMAIN_JOB_COMPLETED and stats.get("success", True):
        return
    reason = stats.get("errmsg")
    if reason is None and stats.get("type") == libvirt.VIR_DOMAIN_JOB_FAILED:
        reason = "QEMU could not write it"
    raise DriverError(f"Cannot {job.doing}: {reason or 'it was ended by somebody, or the guest was switched off'}.")


class _Patience:
    """Tells a job that takes long from one that stands still, or takes longer than it may."""

    def __init__(self, job: BackupJob) -> None:
        self._job = job
        self._done: int | None = None
        self._begun = self._since = time.monotonic()

    def note(self, stats: t.Mapping[str, t.Any]) -> None:
        """Look how far the job is, and give up on it."""
        now, timeout = time.monotonic(), self._job.timeout
        done = stats.get("disk_processed")
        if done != self._done:
            self._done, self._since = done, now
        if timeout is None and now - self._since > _STALLED_SECONDS:
            raise WaitTimeoutError(f"Cannot {self._job.doing}: the job gets no further, and is ended.")
        if timeout is not None and now - self._begun > timeout:
            raise WaitTimeoutError(
                f"Cannot {self._job.doing}: it took longer than {timeout:g} seconds; raise option timeout."
            )
