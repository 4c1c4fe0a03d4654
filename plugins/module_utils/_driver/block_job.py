# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Jobs that a running guest's QEMU does on a disk in the background, and waiting for them."""

from __future__ import annotations

import time
import typing as t

from .._errors import DriverError, WaitTimeoutError
from .._xml.block_job import is_mirror_ready
from .connection import Connection, libvirt
from .domain import Domain, is_active, live_xml
from .events import watch

_STALLED_SECONDS = 600.0
"""A job that gets no further for so long is not waited for."""
_WAIT_SECONDS = 30.0
_KINDS = ("unknown", "pull", "copy", "commit", "active commit", "backup")
COMMIT, ACTIVE_COMMIT = _KINDS[3:5]


class BlockJob(t.NamedTuple):
    """A job: what it does, and how far it is."""

    kind: str
    done: int
    total: int


def find_job(connection: Connection, domain: Domain, target: str) -> BlockJob | None:
    """Return the job on a disk; None where there is none, as without a guest."""
    if not is_active(connection, domain):
        return None
    found = connection.call(f"ask for jobs on disk {target} of {domain.name}", domain.handle.blockJobInfo, target, 0)
    if not found:
        return None
    kind = found["type"]
    return BlockJob(_KINDS[kind] if kind < len(_KINDS) else "unknown", found["cur"], found["end"])


class Commit(t.NamedTuple):
    """Write what is in ``top`` into ``base`` below it, and take ``top`` out of the chain of the disk ``target``."""

    target: str
    base: str
    top: str
    active: bool
    """The disk lies on ``top`` now."""


def commit(connection: Connection, domain: Domain, wanted: Commit) -> None:
    """Do that, and wait for it.

    A job of that kind which is there already is gone on with: a run before began it.
    """
    target, base, top, active = wanted
    job = find_job(connection, domain, target)
    if job is not None and job.kind != (ACTIVE_COMMIT if active else COMMIT):
        raise DriverError(f"A job ({job.kind}) is on disk {target} of {domain.name}; wait for it.")
    doing = f"merge {top} of {domain.name} into {base}"
    with watch(connection, domain.handle) as watcher:
        if job is None:
            flags = libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE if active else 0
            connection.call(doing, domain.handle.blockCommit, target, base, top, 0, flags)
        progress = _Progress(doing)

        def is_done() -> bool:
            found = find_job(connection, domain, target)
            progress.note(found)
            return found is None or (active and is_mirror_ready(live_xml(connection, domain), target))

        while not watcher.wait_until(is_done, _WAIT_SECONDS):
            pass
    if active:
        if find_job(connection, domain, target) is None:
            raise DriverError(f"Cannot {doing}: the job ended early; is there room in the storage pool?")
        flags = libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT
        connection.call(doing, domain.handle.blockJobAbort, target, flags)


class _Progress:
    """Tells a job that takes long from one that stands still."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._last: tuple[int, int] | None = None
        self._since = time.monotonic()

    def note(self, job: BlockJob | None) -> None:
        """Look how far the job is, and give up on one that stands still."""
        seen = (job.done, job.total) if job else None
        if seen != self._last:
            self._last, self._since = seen, time.monotonic()
        elif time.monotonic() - self._since > _STALLED_SECONDS:
            raise WaitTimeoutError(
                f"Cannot {self._doing}: the job gets no further. It is left as it is; run this again to go on with it."
            )
