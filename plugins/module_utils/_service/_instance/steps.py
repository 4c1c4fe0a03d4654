# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The steps that a plan's actions stand for, each done through the driver."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field, replace

from ..._driver import domain as driver
from ..._driver.domain_change import Scope, set_record
from ..._driver.guests import GuestReading, find_guest
from ..._driver.storage import Volume
from ..._errors import (
    ComputeError,
    DriverError,
    ExistsError,
    ImageError,
    NotFoundError,
    UnsupportedError,
)
from ..._plan import drift, fixed_ip, power
from ..._plan import instance as verbs
from ..._plan.existing import Existing
from ..._plan.machine import whole
from ..._plan.plan import Action, Plan
from ..._plan.removals import with_leftovers
from ..._spec.disk import VolumeSpec
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine
from ..._spec.names import is_console_log
from ..._spec.record import FixedIp, InstanceRecord, OwnedDisk
from ..._xml import domain as domain_xml
from ..._xml.record import render_record
from .. import power as power_service
from .._guest.wait import WaitResult
from ..facts_guests import GIB
from ..image_catalog import ImageCatalog, PublishedImage
from ..seed import publish_seed, retire_seeds
from . import live
from .first_boot import Seed
from .host import Host
from .live_memory import set_memory
from .reservations import release, reserve


@dataclass
class Job:
    """One instance on its way: what is declared and found, the plan, and what was done so far."""

    name: str
    fleet: str | None
    plan: Plan
    spec: InstanceSpec | None = None
    desired: Machine | None = None
    existing: Existing | None = None
    domain: GuestReading | None = None
    xml: str = ""
    """The definition that a planned step writes."""
    handle: t.Any = None
    made: list[Volume] = field(default_factory=list)
    defined: bool = False
    done: int = 0
    """How many steps were taken."""
    notes: list[str] = field(default_factory=list)
    """What the user should hear of though nothing failed."""
    waiting: tuple[str, ...] = ()
    """What of the guest is as declared after its next boot."""
    waited: WaitResult | None = None
    seed: Seed | None = None
    error: Exception | None = None


def define(host: Host, job: Job) -> None:
    """Define a new instance; from here on it is claimed, and its record says which disks are its own."""
    job.handle = driver.define(host.connection, job.name, job.xml)
    job.defined = True


def perform(host: Host, job: Job, last: str | None = None) -> None:
    """Do what is left of the plan, or no more of it than to the ``last`` verb; a new instance that fails is taken back whole."""
    try:
        for action in job.plan.actions[job.done :]:
            if action.verb != verbs.DEFINE:
                _STEPS[action.verb](host, job, action)
            job.done += 1
            if action.verb == last:
                return
    except NotFoundError:
        if job.spec is not None:
            take_back(host, job)
            raise
        # Whoever removed it meanwhile did what was wanted.
        if find_guest(host.connection, job.name) is not None:
            raise
    except ExistsError:
        # Another machine's run makes the same instance: what is there is its work.
        raise
    except ComputeError as exc:
        try:
            take_back(host, job)
        except ComputeError as second:
            raise DriverError(f"{exc} What was made could not be taken back: {second}") from exc
        raise


def take_back(host: Host, job: Job) -> None:
    """Remove what this run made of a new instance: its disks first, its record last; never what runs."""
    if not job.defined or driver.is_running(host.connection, job.name, job.handle):
        return
    job.done = 0
    for volume in job.made:
        volume.delete()
    host.home.refresh()
    for serial in _desired(job).serials:
        for log in host.home.logs(serial.log) if serial.log else ():
            log.delete()
    for fixed in _fixed_ips(job):
        if fixed.network:
            release(host.connection, fixed)
    driver.undefine(host.connection, job.name, job.handle)


def _desired(job: Job) -> Machine:
    if job.desired is None:
        raise DriverError(f"Instance {job.name} has no design.")
    return job.desired


def _spec(job: Job) -> InstanceSpec:
    if job.spec is None:
        raise DriverError(f"Instance {job.name} is not declared.")
    return job.spec


def _own(job: Job, action: Action) -> OwnedDisk:
    """Return the record of the disk that an action is about."""
    target = action.target.rsplit("/", 1)[1]
    machine = job.desired or (job.existing.machine if job.existing else None)
    record = machine.record if machine else None
    for disk in record.disks if record else ():
        if disk.target == target:
            return disk
    for layer in record.layers if record else ():
        if layer.volume == target:
            return layer
    raise DriverError(f"Instance {job.name} has no record of disk {target}.")


def _create_disk(host: Host, job: Job, action: Action) -> None:
    desired, spec, owned = _desired(job), _spec(job), _own(job, action)
    record = desired.record
    if record is None:
        raise DriverError(f"Instance {job.name} has no record of its disks.")
    volume = _create_root(host, spec, record, owned) if owned == record.root else _create_volume(host, spec, owned)
    job.made.append(volume)
    if owned == record.root and record.image is not None:
        ImageCatalog(host.connection, host.home.pool).refuse_unpublished(host.image(record.image), job.name)
    planned = host.place(owned.pool).locate(owned.volume)
    if volume.path != planned:
        raise DriverError(f"Volume {owned.volume} was made at {volume.path} instead of {planned}.")


def begun_image(host: Host, name: str, record: InstanceRecord, image_name: str) -> PublishedImage:
    """Return the image that the root disk is made from, or raise what keeps it from being the one it was begun from."""
    image = host.image(image_name)
    if record.image_digest and image.digest != record.image_digest:
        raise ImageError(
            f"Instance {name} was begun from image {image_name} with {record.image_digest}, which is now"
            f" {image.digest}; remove the instance and create it anew."
        )
    return image


def _create_root(host: Host, spec: InstanceSpec, record: InstanceRecord, owned: OwnedDisk) -> Volume:
    pool = host.place(owned.pool).pool
    size = record.disk_gb * GIB
    disk_format = spec.disk_format or ("raw" if owned.volume.endswith(".raw") else "qcow2")
    if record.image is None:
        return pool.create(owned.volume, size, disk_format)
    image = begun_image(host, spec.name, record, record.image)
    size = max(size, image.virtual_size_bytes)
    if disk_format == "raw":
        return pool.clone(owned.volume, size, "raw", image.volume)
    return pool.create(owned.volume, size, disk_format, backing=(image.path, image.format))


def _create_volume(host: Host, spec: InstanceSpec, owned: OwnedDisk) -> Volume:
    place = host.place(owned.pool)
    volume = _declared_volume(spec, host, owned)
    if volume is None or volume.size_gb is None:
        raise DriverError(f"Instance {spec.name} declares no size of volume {owned.volume} of pool {owned.pool}.")
    volume_format = volume.format or ("raw" if place.is_block or volume.shareable else "qcow2")
    return place.pool.create(owned.volume, volume.size_gb * GIB, volume_format)


def _declared_volume(spec: InstanceSpec, host: Host, owned: OwnedDisk) -> VolumeSpec | None:
    for volume in spec.volumes or ():
        if (volume.pool or host.home.name, volume.name) == (owned.pool, owned.volume):
            return volume
    return None


def _update(host: Host, job: Job, unused_action: Action) -> None:
    job.handle = driver.define(host.connection, job.name, job.xml)
    if _domain(job).is_active:
        _tell_guest(host, job)


def _tell_guest(host: Host, job: Job) -> None:
    """Write the guest's own record, which also has what it is yet to let go of."""
    domain, record = _domain(job), _desired(job).record
    guest = domain_xml.read(driver.live_xml(host.connection, domain))
    before = with_leftovers(_record(job.existing), guest.record or InstanceRecord(), guest)
    if record is not None:
        told = render_record(with_leftovers(record, before, guest))
        with contextlib.suppress(UnsupportedError):
            set_record(host.connection, domain, told, Scope(live=True, persistent=False))


def _record(existing: Existing | None) -> InstanceRecord:
    return (existing.record if existing else None) or InstanceRecord()


def _grow_disk(host: Host, job: Job, action: Action) -> None:
    domain, target = _domain(job), action.target.rsplit("/", 1)[1]
    disk = next(disk for disk in job.existing.disks if disk.target == target) if job.existing else None
    size = int(action.changes[0].after) * GIB
    live_disks = job.existing.live.disks if job.existing and job.existing.live else ()
    if domain.is_active and disk and any((one.target, one.source) == (target, disk.source) for one in live_disks):
        driver.grow_live_disk(host.connection, domain, target, size)
        return
    volume = host.place(disk.pool).volumes.get(disk.layer or disk.volume) if disk and disk.pool else None
    if volume is None:
        raise DriverError(f"Disk {target} of instance {job.name} lies on no volume that could grow.")
    if volume.capacity < size:
        volume.resize(size)


def _write_seed(host: Host, job: Job, unused_action: Action) -> None:
    if job.seed is None:
        raise DriverError(f"Nothing is declared of the first boot of instance {job.name}.")
    volume = publish_seed(host.place(job.seed.record.pool).pool, job.name, job.seed.content)
    if job.defined:
        job.made.append(volume)


def _retire_seed(host: Host, job: Job, unused_action: Action) -> None:
    keep: set[str] = set()
    if job.spec is not None and job.existing is not None:
        record = _desired(job).record
        keep |= {record.seed.volume} if record and record.seed else set()
        if job.existing.live and not job.plan.has(power.STOP):
            keep |= {(disk.source or "").rpartition("/")[2] for disk in job.existing.live.disks}
    machines = (job.desired, job.existing.machine if job.existing else None)
    seeds = [machine.record.seed for machine in machines if machine and machine.record]
    for pool in sorted({host.home.name, *(seed.pool for seed in seeds if seed)}):
        retire_seeds(host.place(pool).pool, job.name, keep)


def _fixed_ips(job: Job) -> tuple[FixedIp, ...]:
    return job.desired.record.fixed_ips if job.desired and job.desired.record else ()


def _reserve_address(host: Host, job: Job, action: Action) -> None:
    for fixed in _fixed_ips(job):
        if action.target.endswith(f"/{fixed.mac}"):
            reserve(host.connection, fixed.network, fixed_ip.as_host(job.name, fixed))


def _release_address(host: Host, job: Job, action: Action) -> None:
    for one in job.existing.reservations if job.existing else ():
        if action.target.endswith(f"/{one.fixed.mac}") and one.fixed not in _fixed_ips(job):
            release(host.connection, one.fixed)


def _set_autostart(host: Host, job: Job, action: Action) -> None:
    driver.set_autostart(host.connection, named(job), bool(action.changes[0].after))


def _live(step: t.Callable[..., None]) -> t.Callable[[Host, Job, Action], None]:
    def perform_live(host: Host, job: Job, action: Action) -> None:
        desired = _desired(job)
        # What an interrupted run left in the definition alone is declared in part only.
        desired = whole(desired, job.existing.machine) if job.existing else desired
        step(host.connection, _domain(job), desired, action)

    return perform_live


def _set_memory(host: Host, job: Job, unused_action: Action) -> None:
    note = set_memory(host.connection, _domain(job), _desired(job))
    if note is not None:
        job.notes.append(note)


def _detach(host: Host, job: Job, action: Action) -> None:
    live.detach(host.connection, _domain(job), _desired(job), action)
    _tell_guest(host, job)


def _start(host: Host, job: Job, unused_action: Action) -> None:
    power_service.start(host.connection, named(job))
    _note_state(job, "running")


def _pause(host: Host, job: Job, unused_action: Action) -> None:
    power_service.pause(host.connection, named(job))
    _note_state(job, "paused")


def _suspend(host: Host, job: Job, unused_action: Action) -> None:
    power_service.suspend(host.connection, named(job))


def _stop(host: Host, job: Job, unused_action: Action) -> None:
    lifecycle = host.lifecycle
    power_service.stop(host.connection, named(job), lifecycle.shutdown_timeout, lifecycle.force)
    _note_state(job, "shutoff")


def _note_state(job: Job, state: str) -> None:
    """Let the steps that follow know whether there is a guest."""
    if job.domain is not None:
        job.domain = replace(job.domain, state=state)


def named(job: Job) -> driver.NamedHandle:
    """Return the job's domain, be it new or found."""
    return driver.NamedHandle(job.name, job.handle or _domain(job).handle)


def _delete_disk(host: Host, job: Job, action: Action) -> None:
    owned = _own(job, action)
    volume = host.place(owned.pool).volumes.get(owned.volume)
    if volume is not None:
        volume.delete()


def _delete_log(host: Host, job: Job, unused_action: Action) -> None:
    existing = job.existing
    paths = [serial.log for serial in existing.machine.serials if serial.log] if existing else []
    pools = {disk.pool for disk in existing.disks if disk.is_ours} if existing else set()
    for pool in sorted(pools or {host.home.name}):
        for path in paths:
            for log in host.place(pool).logs(path) if is_console_log(job.name, path) else ():
                log.delete()


def _undefine(host: Host, job: Job, unused_action: Action) -> None:
    driver.undefine(host.connection, job.name, _domain(job).handle, host.lifecycle.keep_disks)


def _domain(job: Job) -> GuestReading:
    if job.domain is None:
        raise DriverError(f"Instance {job.name} is not on this host.")
    return job.domain


_STEPS: dict[str, t.Callable[[Host, Job, Action], None]] = {
    verbs.CREATE_DISK: _create_disk,
    verbs.UPDATE: _update,
    verbs.GROW_DISK: _grow_disk,
    verbs.WRITE_SEED: _write_seed,
    verbs.RETIRE_SEED: _retire_seed,
    fixed_ip.RESERVE: _reserve_address,
    fixed_ip.RELEASE: _release_address,
    verbs.SET_AUTOSTART: _set_autostart,
    drift.SET_MEMORY: _set_memory,
    drift.SET_VCPUS: _live(lambda connection, domain, desired, _action: live.set_vcpus(connection, domain, desired)),
    drift.ATTACH: _live(live.attach),
    drift.DETACH: _detach,
    drift.UPDATE_DEVICE: _live(live.update),
    drift.EJECT: _live(live.eject),
    drift.LIMIT_DISK: _live(live.limit_disk),
    drift.LIMIT_CPU: _live(live.limit_cpu),
    power.START: _start,
    power.START_PAUSED: _pause,
    power.RESUME: _start,
    power.PAUSE: _pause,
    power.WAKE: _start,
    power.SUSPEND: _suspend,
    power.STOP: _stop,
    verbs.DELETE_DISK: _delete_disk,
    verbs.DELETE_LOG: _delete_log,
    verbs.UNDEFINE: _undefine,
}
