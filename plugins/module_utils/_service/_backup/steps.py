# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The steps of a plan on backups, each done through the driver."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field, replace

from ..._driver import backup
from ..._driver import domain as driver
from ..._driver.checkpoint import delete_checkpoint, list_checkpoints
from ..._driver.connection import Connection
from ..._driver.guests import GuestReading
from ..._driver.snapshot import start_held
from ..._errors import CapacityError, ComputeError, ConflictError, DriverError, NotFoundError
from ..._plan import backup_scene as verbs
from ..._plan.backup import whole
from ..._plan.backup_scene import BackupIntent, BackupStep, NewBackup, Stored
from ..._spec.backup_record import BackupRecord
from ..._xml.backup import BackupTarget, write_backup
from ..._xml.checkpoint import write_checkpoint
from .. import power
from .._guest.freeze import frozen, thaw_again
from .store import BackupStore


@dataclass
class Job:
    """One plan on its way."""

    connection: Connection
    store: BackupStore
    name: str
    guest: GuestReading | None
    stored: t.Mapping[str, Stored]
    held: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def domain(self) -> GuestReading:
        """Return the instance, which most steps are about."""
        if self.guest is None:
            raise NotFoundError(f"There is no instance {self.name} on this host.")
        return self.guest


def perform(job: Job, intent: BackupIntent) -> None:
    """Take the steps of the plan; a backup that fails leaves nothing."""
    try:
        for step in intent.plan.actions:
            _STEPS[step.verb](job, t.cast(BackupStep, step).what)
    finally:
        _release(job, None)


def _hold(job: Job, unused_what: None) -> None:
    if driver.is_active(job.connection, job.domain):
        raise ConflictError(f"Instance {job.name} was started meanwhile; run this again.")
    start_held(job.connection, job.domain)
    job.held = True


def _release(job: Job, unused_what: None) -> None:
    if job.held:
        power.pull_plug(job.connection, job.domain)
        job.held = False


def _create(job: Job, planned: NewBackup) -> None:
    new = _checked(job, planned)
    with _taken_back(job, new.record):
        job.store.write_record(new.record)
        job.store.write_definition(new.record, job.domain.xml)
        job.store.create_disks(new.record)
        _begin(job, new)
        _publish(job, new.record)


def _checked(job: Job, new: NewBackup) -> NewBackup:
    """Return the backup with those disks whole of which a guest that was off could not tell that it forgot."""
    if not job.held or new.since is None:
        return new
    found = list_checkpoints(job.connection, job.domain)
    known = next((one.targets for one in found if one.name == new.since), frozenset())
    lost = {disk.target for disk in new.record.disks if disk.incremental} - known
    if not lost:
        return new
    job.notes.append(
        f"Nothing remembers what was written to disk {', '.join(sorted(lost))} of instance {job.name} since backup"
        f" {new.record.parent}, so the new one has it whole."
    )
    return whole(new, lost)


def _begin(job: Job, new: NewBackup) -> None:
    record = new.record
    targets = [
        BackupTarget(disk.target, job.store.locate(record.volume(disk.target)), new.since if disk.incremental else None)
        for disk in record.disks
    ]
    tracked = [disk.target for disk in record.disks if disk.tracked]
    others = [disk.target for disk in record.disks if not disk.tracked]
    checkpoint = None
    if record.checkpoint is not None:
        checkpoint = write_checkpoint(record.checkpoint, tracked, (*others, *record.left_out))
    text = write_backup(targets, record.left_out)
    # A run that is killed while the guest is frozen is known by its record to the next one.
    with frozen(job.connection, job.domain.handle) if record.quiesced else contextlib.nullcontext():
        backup.begin_backup(job.connection, job.domain, f"back up {job.name}", text, checkpoint)


def _finish(job: Job, record: BackupRecord) -> None:
    """Wait for the job that another run began."""
    with _taken_back(job, record):
        _publish(job, record)


def _publish(job: Job, record: BackupRecord) -> None:
    """Wait for the disks, and have the backup count from then on."""
    target = record.disks[0].target
    running = backup.BackupJob(f"back up {job.name}", target, job.store.locate(record.volume(target)))
    backup.wait_for_backup(job.connection, job.domain, running)
    job.store.pool.refresh()
    disks = (replace(disk, stored_bytes=job.store.stored_bytes(record.volume(disk.target))) for disk in record.disks)
    job.store.write_record(replace(record, disks=tuple(disks), complete=True))


@contextlib.contextmanager
def _taken_back(job: Job, record: BackupRecord) -> t.Iterator[None]:
    """Leave nothing of a backup that fails, and say so in one sentence where its pool ran full."""
    try:
        yield
    except BaseException as exc:
        problem = _problem(job, exc)
        try:
            _take_back(job, record)
        except ComputeError as second:
            raise DriverError(f"{exc} What was begun could not be taken back, run it again: {second}") from exc
        if problem is not None:
            raise problem from exc
        raise


def _problem(job: Job, exc: BaseException) -> ComputeError | None:
    if not isinstance(exc, DriverError) or not _is_full(job):
        return None
    return CapacityError(
        f"Storage pool {job.store.pool.name} ran full while instance {job.name} was backed up; nothing of the backup is left,"
        " and the instance goes on. Make room, delete older backups, or take another pool."
    )


def _is_full(job: Job) -> bool:
    # Whether that can be told or not, what was begun is taken back.
    with contextlib.suppress(DriverError):
        return job.store.is_full()
    return False


def _take_back(job: Job, record: BackupRecord) -> None:
    ours = frozenset(job.store.locate(record.volume(disk.target)) for disk in record.disks)
    backup.abort_backup(job.connection, job.domain, ours)
    if driver.is_active(job.connection, job.domain):
        _delete_checkpoint(job, record.checkpoint)
    found = job.store.read(job.name).get((job.name, record.backup))
    if found is not None:
        job.store.delete(found, job.name)


def _abort(job: Job, unused_what: None) -> None:
    """End the job that the plan found, which another run began."""
    paths = backup.current_backup(job.connection, job.domain)
    backup.abort_backup(job.connection, job.domain, paths or frozenset())


def _delete_checkpoint(job: Job, name: str | None) -> None:
    if name is not None:
        with contextlib.suppress(NotFoundError):
            delete_checkpoint(job.connection, job.domain, name)


def _delete(job: Job, name: str) -> None:
    job.store.delete(job.stored[name], job.name)


def _discard(job: Job, name: str) -> None:
    record = job.stored[name].record
    if job.guest is not None and record is not None and driver.is_active(job.connection, job.guest):
        _delete_checkpoint(job, record.checkpoint)
    _delete(job, name)


def _thaw(job: Job, unused_what: None) -> None:
    thaw_again(job.connection, job.domain.handle)


_STEPS: dict[str, t.Callable[[Job, t.Any], None]] = {
    verbs.ABORT: _abort,
    verbs.CREATE: _create,
    verbs.DELETE: _delete,
    verbs.DELETE_CHECKPOINT: _delete_checkpoint,
    verbs.DISCARD: _discard,
    verbs.FINISH: _finish,
    verbs.HOLD: _hold,
    verbs.RELEASE: _release,
    verbs.THAW: _thaw,
}
