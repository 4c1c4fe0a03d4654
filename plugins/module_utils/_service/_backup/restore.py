# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Make an instance from a backup: claim its share of the host, define it, copy its disks."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._driver import domain as driver
from ..._driver import host as host_driver
from ..._driver.connection import Connection
from ..._driver.domain_change import Scope, set_record
from ..._driver.guests import GuestReading, find_guest
from ..._driver.storage import Volume
from ..._errors import ComputeError, ConflictError, DriverError
from ..._plan import restore as verbs
from ..._plan.backup_scene import BackupIntent, BackupStep
from ..._plan.claims import Amount, refuse_overcommit
from ..._plan.existing import Existing
from ..._plan.restore import Restored, RestoredDisk, RestoreScene, find_backup, plan_restore
from ..._spec.backup import BackupSpec
from ..._spec.lifecycle import Lifecycle
from ..._spec.record import InstanceRecord
from ..._xml import domain as domain_xml
from ..._xml.record import render_found_record
from ..._xml.restored import Identity, read_then, render_restored
from ..._xml.snapshot import read_snapshot_traits
from ..._xml.volume import VolumeDescription
from .._instance.host import Host
from ..lock import claims_lock, instance_lock
from .rows import rows_of
from .scene import stored_scene
from .store import BackupStore

_DEFINITION = Scope(live=False, persistent=True)


@dataclass
class _Job:
    connection: Connection
    spec: BackupSpec
    source: BackupStore
    target: BackupStore
    definition: str
    guest: GuestReading | None = None
    made: list[Volume] = field(default_factory=list)
    defined: bool = False


def ensure_restored(connection: Connection, spec: BackupSpec, check: bool) -> dict[str, t.Any]:
    """Bring the new instance about, or only say what it takes, and return the task's result."""
    job, scene = _look(connection, spec)
    intent = plan_restore(spec, scene)
    if intent.plan.changed and check:
        _refuse_overcommit(job, intent)
    elif intent.plan.changed:
        with instance_lock(host_driver.capabilities(connection).uuid, spec.restore_as):
            job, scene = _look(connection, spec)
            intent = plan_restore(spec, scene)
            _perform(job, intent)
    return {
        **intent.plan.as_result(),
        "backups": rows_of(scene.backups),
        "diff": intent.plan.as_diff(),
        "warnings": list(intent.warnings),
    }


def _look(connection: Connection, spec: BackupSpec) -> tuple[_Job, RestoreScene]:
    source = BackupStore(connection, spec.pool)
    target = BackupStore(connection, spec.restore_pool, "restore_pool") if spec.restore_pool != spec.pool else source
    backups = stored_scene(source, spec.name)
    definition = source.read_definition(find_backup(spec, backups))
    then, nics = read_then(definition)
    guest = find_guest(connection, spec.restore_as)
    existing = None
    if guest is not None:
        existing = Existing(domain_xml.read(guest.xml), guest.state, guest.is_active, guest.has_saved_memory)
    taken = frozenset(target.pool.volumes())
    traits = read_snapshot_traits(definition)
    scene = RestoreScene(backups, then, nics, target.directory, taken, existing, traits, backups.now)
    return _Job(connection, spec, source, target, definition, guest), scene


def _perform(job: _Job, intent: BackupIntent) -> None:
    """Take the steps of the plan; what this run defined is taken back where one fails."""
    try:
        for step in intent.plan.actions:
            _STEPS[step.verb](job, t.cast(BackupStep, step).what)
    except ComputeError as exc:
        try:
            _take_back(job)
        except ComputeError as second:
            raise DriverError(f"{exc} What was made could not be taken back: {second}") from exc
        raise


def _take_back(job: _Job) -> None:
    if not job.defined or job.guest is None:
        return
    for volume in job.made:
        volume.delete()
    driver.undefine(job.connection, job.guest.name, job.guest.handle)


def _define(job: _Job, restored: Restored) -> None:
    disks = {disk.backed.target: (disk.path, disk.backed.format) for disk in restored.disks}
    xml = render_restored(job.definition, Identity(restored.name, restored.record, disks, restored.macs))
    host = _host(job)
    with claims_lock(host.uuid):
        _claim(job, host, restored.record)
        driver.define(job.connection, restored.name, xml)
    job.guest = find_guest(job.connection, restored.name)
    job.defined = True


def _host(job: _Job) -> Host:
    return Host(job.connection, Lifecycle(job.spec.restore_pool, "auto", job.spec.limits, False, 0))


def _claim(job: _Job, host: Host, record: InstanceRecord) -> None:
    amount = Amount(record.vcpus, record.memory_mb, record.disk_gb)
    refuse_overcommit(job.spec.restore_as, amount, host.total, host.used(), job.spec.limits)


def _refuse_overcommit(job: _Job, intent: BackupIntent) -> None:
    for step in intent.plan.actions:
        if step.verb == verbs.DEFINE:
            _claim(job, _host(job), t.cast(BackupStep, step).what.record)


def _copy(job: _Job, disk: RestoredDisk) -> None:
    """Copy what the backup has of a disk, with all that lies below; a copy that a killed run left half is made anew."""
    half = job.target.pool.find(disk.volume)
    if half is not None:
        half.delete()
    origin = job.source.pool.find(disk.source)
    if origin is None:
        raise ConflictError(f"Volume {disk.source} of pool {job.spec.pool} vanished; run again.")
    definition = VolumeDescription(disk.volume, disk.backed.capacity_bytes, disk.backed.format)
    job.made.append(job.target.pool.copy(definition, origin))


def _finish(job: _Job, record: InstanceRecord) -> None:
    if job.guest is not None:
        text = render_found_record(job.guest.xml, record)
        set_record(job.connection, job.guest, text, _DEFINITION)


_STEPS: dict[str, t.Callable[[_Job, t.Any], None]] = {
    verbs.COPY: _copy,
    verbs.DEFINE: _define,
    verbs.FINISH: _finish,
}
