# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The steps of a plan on snapshots, each done through the driver, and the way back from those before the turn."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field, replace

from ..._driver import agent
from ..._driver import domain as driver
from ..._driver import snapshot as snapshots
from ..._driver.block_job import Commit, commit
from ..._driver.checkpoint import delete_checkpoint
from ..._driver.connection import Connection
from ..._driver.domain_change import Scope, set_record
from ..._driver.guests import GuestReading
from ..._driver.storage import Pool
from ..._errors import ComputeError, ConflictError, DriverError, NotFoundError
from ..._plan import snapshot_intent as verbs
from ..._plan.snapshot_chain import Merge
from ..._plan.snapshot_intent import NewSnapshot, SnapshotIntent, Step
from ..._spec.record import InstanceRecord, OwnedDisk
from ..._spec.snapshot import MEMORY, Frozen, Snapshot
from ..._spec.snapshot_disk import NewLayer
from ..._xml.record import render_found_record
from ..._xml.snapshot import move_disks, move_frozen, put_snapshot_record, read_snapshot_traits, write_snapshot
from .. import power

_DEFINITION = Scope(live=False, persistent=True)
_QCOW2 = "qcow2"


@dataclass
class Job:
    """One plan on its way."""

    connection: Connection
    guest: GuestReading
    pools: t.Mapping[str, Pool]
    known: dict[str, Snapshot]
    """Snapshots by name, as libvirt remembers them by now."""
    made: list[OwnedDisk] = field(default_factory=list)
    turned: bool = False
    """The step was taken after which there is no way back."""
    powered_off: bool = False
    held: bool = False


def perform(job: Job, intent: SnapshotIntent) -> None:
    """Take the steps of the plan; before the turn, a failure leaves everything as it was."""
    try:
        for step in intent.plan.actions:
            _perform(job, t.cast(Step, step))
    except ComputeError as exc:
        try:
            _let_go(job)
            if intent.abandoned is not None and not job.turned:
                _take_back(job, intent, intent.abandoned)
        except ComputeError as second:
            raise DriverError(f"{exc} What was begun could not be taken back, run it again: {second}") from exc
        raise
    if intent.finished is not None:
        _write_record(job, intent.finished)


def _perform(job: Job, step: Step) -> None:
    if step.record is not None:
        _write_record(job, step.record)
    _STEPS[step.verb](job, step.what)


def _write_record(job: Job, record: InstanceRecord) -> None:
    set_record(job.connection, job.guest, render_found_record(job.guest.xml, record), _DEFINITION)


def _take_back(job: Job, intent: SnapshotIntent, record: InstanceRecord) -> None:
    """Delete the layers that were made, and forget that anything was begun."""
    for layer in job.made:
        _delete_disk(job, layer)
    if job.powered_off and intent.runs:
        power.start(job.connection, job.guest)
    _write_record(job, record)


def _let_go(job: Job) -> None:
    if job.held:
        power.pull_plug(job.connection, job.guest)
        job.held = False


def _create_disk(job: Job, layer: NewLayer) -> None:
    pool = _pool(job, layer.pool)
    if layer.target == MEMORY:
        pool.create(layer.volume, 0, "raw")
    else:
        pool.create(layer.volume, layer.capacity_bytes, _QCOW2, backing=(layer.below, layer.below_format))
    job.made.append(OwnedDisk(layer.target, layer.pool, layer.volume))


def _create_snapshot(job: Job, new: NewSnapshot) -> None:
    memory = new.memory.path if new.memory else None
    xml = write_snapshot(new.name, new.description, new.layers, new.others, memory)
    job.turned = True
    try:
        if new.layers:
            snapshots.create_external(job.connection, job.guest, xml, new.memory is not None, new.quiesce)
        else:
            snapshots.create_internal(job.connection, job.guest, xml)
    except ComputeError:
        # Freezing may fail at the end as well, when the guest has gone over already.
        job.turned = _lies_on(job, new.layers)
        raise
    finally:
        if new.quiesce:
            _thaw(job)


def _lies_on(job: Job, layers: t.Sequence[NewLayer]) -> bool:
    """Tell whether any disk went over to its new layer."""
    paths = {layer.path for layer in layers}
    return any(disk.path in paths for disk in read_snapshot_traits(_xml(job)).disks)


def _thaw(job: Job) -> None:
    """See to it that nothing stays frozen; the daemon thaws, but its word may not have reached the guest."""
    if agent.is_frozen(job.connection, job.guest.handle):
        agent.thaw(job.connection, job.guest.handle)


def _merge_disk(job: Job, merge: Merge) -> None:
    """Name the new place to the snapshots whose state moves there first: until it is there, nobody may use them."""
    for name in merge.moved:
        known = job.known[name]
        xml = move_frozen(known.xml, {merge.target: merge.base})
        snapshots.redefine(job.connection, job.guest, xml, known.current)
        job.known[name] = replace(known, xml=xml)
    commit(job.connection, job.guest, Commit(merge.target, merge.base.path, merge.top, merge.is_active))
    disk = next(disk for disk in read_snapshot_traits(_xml(job)).disks if disk.target == merge.target)
    if merge.is_active and disk.path != merge.base.path:
        raise DriverError(f"Disk {merge.target} of {job.guest.name} lies on {disk.path} after it was merged.")
    if not merge.is_active and merge.top in driver.live_xml(job.connection, job.guest):
        raise DriverError(
            f"Disk {merge.target} of {job.guest.name} could not be merged into {merge.base.path}; is there room in its"
            " storage pool?"
        )


def _delete_snapshot(job: Job, snapshot: Snapshot) -> None:
    snapshots.delete(job.connection, job.guest, snapshot.name, forget=snapshot.external)


def _delete_checkpoint(job: Job, name: str) -> None:
    with contextlib.suppress(NotFoundError):
        delete_checkpoint(job.connection, job.guest, name)


def _delete_disk(job: Job, layer: OwnedDisk) -> None:
    volume = _pool(job, layer.pool).find(layer.volume)
    if volume is not None:
        volume.delete()


def _revert(job: Job, what: tuple[t.Any, InstanceRecord]) -> None:
    goal, record = what
    if isinstance(goal, Snapshot):
        xml = put_snapshot_record(goal.xml, record)
        snapshots.redefine(job.connection, job.guest, xml, goal.current)
        snapshots.revert(job.connection, job.guest, goal.name)
    else:
        moved = {layer.target: Frozen(layer.target, layer.path, _QCOW2) for layer in goal}
        xml = move_disks(driver.whole_definition(job.connection, job.guest), moved, record)
        job.turned = True
        try:
            driver.define(job.connection, job.guest.name, xml)
        except ComputeError:
            job.turned = _lies_on(job, goal)
            raise


def _set_current(job: Job, snapshot: Snapshot) -> None:
    snapshots.redefine(job.connection, job.guest, snapshot.xml, current=True)


def _restore(job: Job, snapshot: Snapshot) -> None:
    """Load the memory with the disks where the definition has them by now."""
    disks = read_snapshot_traits(driver.whole_definition(job.connection, job.guest)).disks
    moved = {disk.target: Frozen(disk.target, disk.path, disk.format) for disk in disks if disk.path}
    if snapshot.memory_path is None:
        raise DriverError(f"Snapshot {snapshot.name} has no memory.")
    snapshots.restore(job.connection, job.guest.name, snapshot.memory_path, lambda xml: move_disks(xml, moved))


def _power_off(job: Job, unused_what: None) -> None:
    job.powered_off = True
    power.pull_plug(job.connection, job.guest)


def _start(job: Job, unused_what: None) -> None:
    power.start(job.connection, job.guest)


def _hold(job: Job, unused_what: None) -> None:
    if driver.is_active(job.connection, job.guest):
        raise ConflictError(f"Instance {job.guest.name} was started meanwhile; run this again.")
    snapshots.start_held(job.connection, job.guest)
    job.held = True


def _release(job: Job, unused_what: None) -> None:
    _let_go(job)


def _finish(unused_job: Job, unused_what: None) -> None:
    """Do nothing more: the record that says so is written after the last step."""


def _xml(job: Job) -> str:
    return driver.live_xml(job.connection, job.guest)


def _pool(job: Job, name: str) -> Pool:
    if name not in job.pools:
        raise DriverError(
            f"Storage pool {name} of instance {job.guest.name} does not run; start it (virsh pool-start {name})."
        )
    return job.pools[name]


_STEPS: dict[str, t.Callable[[Job, t.Any], None]] = {
    verbs.CREATE_DISK: _create_disk,
    verbs.CREATE_SNAPSHOT: _create_snapshot,
    verbs.DELETE_CHECKPOINT: _delete_checkpoint,
    verbs.DELETE_DISK: _delete_disk,
    verbs.DELETE_SNAPSHOT: _delete_snapshot,
    verbs.FINISH: _finish,
    verbs.HOLD: _hold,
    verbs.MERGE_DISK: _merge_disk,
    verbs.POWER_OFF: _power_off,
    verbs.RELEASE: _release,
    verbs.RESTORE: _restore,
    verbs.REVERT: _revert,
    verbs.SET_CURRENT: _set_current,
    verbs.START: _start,
}
