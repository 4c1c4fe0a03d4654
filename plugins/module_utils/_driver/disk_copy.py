# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A running guest's disk, copied as it is at one point while the guest goes on.

It is libvirt's backup job: it puts nothing into the disk's chain, so whenever it ends, and whoever began it, all that it
leaves is the file it writes to.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from .._errors import DriverError, NotFoundError, UnsupportedError, WaitTimeoutError
from .._xml.disk_copy import read_copy_paths
from .connection import Connection, libvirt
from .domain import Domain
from .snapshot import disk_capacity

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0
_ABORT_SECONDS = 60.0


class CopyPlace(t.NamedTuple):
    """A disk of a domain, and the file that it is copied to."""

    target: str
    path: str


def begin_copy(connection: Connection, domain: Domain, xml: str) -> None:
    """Begin to copy into a volume that is there already: from now on, what the guest writes is not in it."""
    doing = f"copy a disk of {domain.name} while it runs"
    begin = getattr(domain.handle, "backupBegin", None)
    if begin is None:
        raise UnsupportedError(
            f"Cannot {doing}: the Python library libvirt is too old, update it or stop the instance."
        )
    connection.call(doing, begin, xml, None, libvirt.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)


def copied_to(connection: Connection, domain: Domain) -> frozenset[str]:
    """Return the files that a job writes copies of the disks to now."""
    ask = getattr(domain.handle, "backupGetXMLDesc", None)
    if ask is None:
        return frozenset()
    try:
        return read_copy_paths(connection.call(f"ask for a backup of {domain.name}", ask, 0))
    except (NotFoundError, UnsupportedError):
        return frozenset()
    except DriverError as exc:
        if exc.details.get("libvirt_code") == libvirt.VIR_ERR_NO_DOMAIN_BACKUP:
            return frozenset()
        raise


def wait_for_copy(
    connection: Connection, domain: Domain, place: CopyPlace, timeout: float, note: t.Callable[[int, int | None], None]
) -> None:
    """Wait until all is in the file; ``note`` is told how many bytes were looked at, and of how many."""
    target, path = place
    doing = f"copy a disk of {domain.name} to {path}"
    end, pause = time.monotonic() + timeout, _FIRST_PAUSE_SECONDS
    while path in copied_to(connection, domain):
        if time.monotonic() > end:
            raise WaitTimeoutError(f"Cannot {doing}: it took longer than {timeout:g} seconds; raise option timeout.")
        progress = connection.call(doing, domain.handle.jobStats, 0)
        if "disk_total" in progress:
            note(progress.get("disk_processed", 0), progress["disk_total"])
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    # QEMU writes what it holds back when libvirt takes the file away from it, which it does after the job counts as ended,
    # and before it answers what has to wait for its turn.
    disk_capacity(connection, domain, target)
    flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | getattr(libvirt, "VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED", 0)
    result = connection.call(doing, domain.handle.jobStats, flags)
    is_ours = result.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP
    if not is_ours or result.get("type") != libvirt.VIR_DOMAIN_JOB_COMPLETED or not result.get("success", True):
        raise DriverError(f"Cannot {doing}: {result.get('errmsg') or 'the job was ended'}.")


def abort_copy(connection: Connection, domain: Domain, path: str) -> None:
    """End a job that writes to the file at ``path``, if there is one, and wait until it has."""
    end = time.monotonic() + _ABORT_SECONDS
    while path in copied_to(connection, domain):
        with contextlib.suppress(DriverError):
            connection.call(f"end a backup of {domain.name}", domain.handle.abortJob)
        if time.monotonic() > end:
            raise WaitTimeoutError(
                f"The backup of {domain.name} to {path} does not end (virsh domjobabort {domain.name})."
            )
        time.sleep(_FIRST_PAUSE_SECONDS)
