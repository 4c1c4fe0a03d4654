# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The steps of actions, each done through the driver, and the way back from those before the switch."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._driver import domain as driver
from ..._driver.domain_change import Scope, set_record
from ..._driver.storage import Volume
from ..._errors import ComputeError, ConflictError, DriverError
from ..._plan import intent as verbs
from ..._plan.intent import NewDisk
from ..._plan.plan import Action
from ..._spec.record import InstanceRecord
from ..._xml.record import render_found_record
from ..._xml.rescue import add_rescue_disk, move_disk, remove_rescue_disk
from .. import power
from .._instance.host import Host
from ..image_catalog import ImageCatalog
from ..lock import claims_lock
from .prepare import Job, prepare

_DEFINITION = Scope(live=False, persistent=True)


def perform(host: Host, job: Job) -> None:
    """Take the steps of the plan; before the switch, a failure leaves everything as it was."""
    intent = job.intent
    if not intent.plan.changed:
        return
    if intent.begin is not None:
        write_record(host, job, intent.begin)
    try:
        for action in intent.plan.actions:
            _STEPS[action.verb](host, job, action)
    except ComputeError as exc:
        if intent.begin is None or job.switched:
            raise
        try:
            _take_back(host, job)
        except ComputeError as second:
            raise DriverError(f"{exc} What was begun could not be taken back, run it again: {second}") from exc
        raise
    if intent.finished is not None:
        write_record(host, job, intent.finished)


def write_record(host: Host, job: Job, record: InstanceRecord) -> None:
    """Write ``record`` into the definition, which is where it is read."""
    element = render_found_record(job.domain.xml, record)
    set_record(host.connection, job.domain, element, _DEFINITION)


def _take_back(host: Host, job: Job) -> None:
    """Delete what was made, start the guest that was stopped, and forget that anything was begun."""
    new, begin = job.intent.new, job.intent.begin
    if new is not None and new.own.target in job.mine:
        volume = host.place(new.own.pool).pool.find(new.own.volume)
        if volume is not None:
            volume.delete()
    if begin is not None and begin.begun is not None and begin.begun.running and job.existing.active:
        power.start(host.connection, job.domain)
    if job.intent.abandoned is not None:
        write_record(host, job, job.intent.abandoned)


def _stop(host: Host, job: Job, unused_action: Action) -> None:
    power.stop(host.connection, job.domain, host.lifecycle.shutdown_timeout, host.lifecycle.force)


def _start(host: Host, job: Job, unused_action: Action) -> None:
    power.start(host.connection, job.domain)


def _power_off(host: Host, job: Job, unused_action: Action) -> None:
    power.pull_plug(host.connection, job.domain)


def _discard_memory(host: Host, job: Job, unused_action: Action) -> None:
    driver.drop_saved_memory(host.connection, job.domain)


def _reset(host: Host, job: Job, unused_action: Action) -> None:
    power.reset(host.connection, job.domain)


def _create_disk(host: Host, job: Job, unused_action: Action) -> None:
    """Make the new disk and verify it; one that a killed run left may be incomplete and is made again."""
    new = _new(job)
    pool = host.place(new.own.pool).pool
    leftover = pool.find(new.own.volume)
    if leftover is not None:
        if new.own.target not in job.mine:
            raise ConflictError(
                f"Volume {new.own.volume} is in pool {pool.name} already and belongs to no instance; it is not touched."
            )
        leftover.delete()
    volume = _make(host, job, new)
    job.mine.add(new.own.target)
    _verify(host, job, new, volume)


def _make(host: Host, job: Job, new: NewDisk) -> Volume:
    pool, image = host.place(new.own.pool).pool, job.image
    if image is None:
        raise DriverError(f"Instance {job.spec.name} has no image to make its disk from.")
    form = new.disk.format or "raw"
    if form == "raw":
        return pool.clone(new.own.volume, new.size_bytes, form, image.volume)
    return pool.create(new.own.volume, new.size_bytes, form, backing=(image.path, image.format))


def _verify(host: Host, job: Job, new: NewDisk, volume: Volume) -> None:
    place, image = host.place(new.own.pool), job.image
    if image is None:
        raise DriverError(f"Instance {job.spec.name} has no image to make its disk from.")
    ImageCatalog(host.connection, place.pool).refuse_unpublished(image, job.spec.name)
    found = volume.reread()
    below = found.backing[0] if found.backing else None
    wanted = None if new.disk.format == "raw" else image.path
    if found.path != place.locate(new.own.volume) or found.capacity < new.size_bytes or below != wanted:
        raise DriverError(
            f"Volume {new.own.volume} is not what was asked for: it is at {found.path}, has {found.capacity} bytes and"
            f" lies on {below or 'nothing'}."
        )


def _rescue(host: Host, job: Job, unused_action: Action) -> None:
    _define(host, job, lambda xml, record: add_rescue_disk(xml, _located(host, job), record))


def _replace_disk(host: Host, job: Job, unused_action: Action) -> None:
    _define(host, job, lambda xml, record: move_disk(xml, _located(host, job), record))


def _unrescue(host: Host, job: Job, unused_action: Action) -> None:
    rescue = job.record.rescue
    if rescue is None:
        raise DriverError(f"Instance {job.spec.name} is not rescued.")
    _define(host, job, lambda xml, record: remove_rescue_disk(xml, rescue, record))


def _located(host: Host, job: Job) -> t.Any:
    new = _new(job)
    return replace(new.disk, source=host.place(new.own.pool).locate(new.own.volume))


def _define(host: Host, job: Job, edit: t.Callable[[str, InstanceRecord], str]) -> None:
    xml = driver.whole_definition(host.connection, job.domain)
    driver.define(host.connection, job.spec.name, edit(xml, _switched(job)))
    job.switched = True


def _delete_disk(host: Host, job: Job, action: Action) -> None:
    own = job.intent.volumes[action.target.rsplit("/", 1)[1]]
    volume = host.place(own.pool).pool.find(own.volume)
    if volume is not None:
        volume.delete()


def _shelve(host: Host, job: Job, unused_action: Action) -> None:
    write_record(host, job, _switched(job))
    job.switched = True


def _unshelve(host: Host, job: Job, action: Action) -> None:
    """Take the room back under the host's lock, so that no other run here promises it meanwhile."""
    with claims_lock(host.uuid):
        host.read_again()
        prepare(host, job.spec)
        _shelve(host, job, action)


def _finish(unused_host: Host, unused_job: Job, unused_action: Action) -> None:
    """Do nothing more: the record that says so is written after the last step."""


def _new(job: Job) -> NewDisk:
    if job.intent.new is None:
        raise DriverError(f"Instance {job.spec.name} gets no new disk.")
    return job.intent.new


def _switched(job: Job) -> InstanceRecord:
    if job.intent.switched is None:
        raise DriverError(f"Instance {job.spec.name} has no record to be written.")
    return job.intent.switched


_STEPS: dict[str, t.Callable[[Host, Job, Action], None]] = {
    verbs.STOP: _stop,
    verbs.START: _start,
    verbs.POWER_OFF: _power_off,
    verbs.DISCARD_MEMORY: _discard_memory,
    verbs.RESET: _reset,
    verbs.CREATE_DISK: _create_disk,
    verbs.DELETE_DISK: _delete_disk,
    verbs.REPLACE_DISK: _replace_disk,
    verbs.RESCUE: _rescue,
    verbs.UNRESCUE: _unrescue,
    verbs.SHELVE: _shelve,
    verbs.UNSHELVE: _unshelve,
    verbs.FINISH: _finish,
}
