# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Backup jobs: QEMU writes what is on a guest's disks at one point to volumes, while the guest goes on."""

from __future__ import annotations

import time
import typing as t

from .._errors import ConflictError, DriverError, NotFoundError, WaitTimeoutError
from .._xml.backup import read_backup_paths
from .connection import Connection, libvirt
from .domain import Domain, is_active
from .events import watch

_STALLED_SECONDS = 600.0
"""A job that gets no further for so long is not waited for."""
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.2


def begin_backup(connection: Connection, domain: Domain, backup: str, checkpoint: str | None) -> None:
    """Begin a job that writes to volumes which are there, with a checkpoint of that moment."""
    flags = libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL
    try:
        connection.call(f"back up {domain.name}", domain.handle.backupBegin, backup, checkpoint, flags)
    except DriverError as exc:
        if exc.details.get("libvirt_code") == libvirt.VIR_ERR_CHECKPOINT_INCONSISTENT:
            raise ConflictError(f"{exc} It was lost since this was planned; run again.") from exc
        raise


def current_backup(connection: Connection, domain: Domain) -> frozenset[str] | None:
    """Return the paths that a job writes to now; None where there is none."""
    if not is_active(connection, domain):
        return None
    try:
        text = connection.call(f"ask for a backup of {domain.name}", domain.handle.backupGetXMLDesc, 0)
    except NotFoundError:
        return None
    return read_backup_paths(text)


def wait_for_backup(connection: Connection, domain: Domain) -> None:
    """Wait until the job has ended, and raise unless it did what it was to do."""
    progress = _Progress(domain.name)
    with watch(connection, domain.handle) as watcher:

        def is_done() -> bool:
            if current_backup(connection, domain) is None:
                return True
            progress.note(_stats(connection, domain, 0))
            return False

        while not watcher.wait_until(is_done, _WAIT_SECONDS, _POLL_SECONDS):
            pass
    completed = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
    _judge(domain, _stats(connection, domain, completed))


def abort_backup(connection: Connection, domain: Domain) -> None:
    """End the job; one that has ended is fine."""
    try:
        connection.call(f"end the backup of {domain.name}", domain.handle.abortJob)
    except DriverError:
        if current_backup(connection, domain) is not None:
            raise


def _stats(connection: Connection, domain: Domain, flags: int) -> dict[str, t.Any]:
    try:
        return dict(connection.call(f"ask how the backup of {domain.name} goes", domain.handle.jobStats, flags))
    except DriverError:
        # The guest may have ended with it.
        return {}


def _judge(domain: Domain, stats: t.Mapping[str, t.Any]) -> None:
    if stats.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP and stats.get(libvirt.VIR_DOMAIN_JOB_SUCCESS):
        return
    reason = stats.get(libvirt.VIR_DOMAIN_JOB_ERRMSG)
    if reason is None and stats.get("type") == libvirt.VIR_DOMAIN_JOB_FAILED:
        reason = "QEMU could not write it"
    raise DriverError(
        f"Cannot back up {domain.name}: {reason or 'it was ended by somebody, or the guest was switched off'}."
    )


class _Progress:
    """Tells a job that takes long from one that stands still."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done: int | None = None
        self._since = time.monotonic()

    def note(self, stats: t.Mapping[str, t.Any]) -> None:
        """Look how far the job is, and give up on one that stands still."""
        done = stats.get(libvirt.VIR_DOMAIN_JOB_DISK_PROCESSED)
        if done != self._done:
            self._done, self._since = done, time.monotonic()
        elif time.monotonic() - self._since > _STALLED_SECONDS:
            raise WaitTimeoutError(f"Cannot back up {self._name}: the job gets no further, and is ended.")
