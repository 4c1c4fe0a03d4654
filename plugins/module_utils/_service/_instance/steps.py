# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The steps that a plan's actions stand for, each done through the driver."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ..._driver import domain as driver
from ..._driver.guests import GuestReading
from ..._driver.storage import Volume
from ..._errors import DriverError, ImageError, WaitTimeoutError
from ..._plan import instance as verbs
from ..._plan.instance import Existing
from ..._plan.plan import Action, Plan
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine
from ..._xml import domain as domain_xml
from ..facts_guests import GIB
from .design import console_log_name
from .host import Host

_ACPI_AGAIN_SECONDS = 10.0
_POLL_SECONDS = 0.3


@dataclass
class Job:
    """One instance on its way: what is declared and found, the plan, and what was done so far."""

    name: str
    plan: Plan
    spec: InstanceSpec | None = None
    desired: Machine | None = None
    existing: Existing | None = None
    domain: GuestReading | None = None
    handle: t.Any = None
    made: list[Volume] = field(default_factory=list)
    defined: bool = False
    error: Exception | None = None


def define(host: Host, job: Job) -> None:
    """Define a new instance; from here on it is claimed, and its record says which disks are its own."""
    desired = _desired(job)
    job.handle = driver.define(host.connection, job.name, domain_xml.render(desired))
    job.defined = True


def perform(host: Host, job: Job) -> None:
    """Do what is left of the plan; a new instance that fails is taken back whole."""
    try:
        for action in job.plan.actions:
            if action.verb != verbs.DEFINE:
                _STEPS[action.verb](host, job, action)
    except Exception:
        take_back(host, job)
        raise


def take_back(host: Host, job: Job) -> None:
    """Remove what this run made of a new instance, its disks first and its record last."""
    if not job.defined:
        return
    for volume in job.made:
        volume.delete()
    driver.undefine(host.connection, job.name, job.handle)


def _desired(job: Job) -> Machine:
    if job.desired is None:
        raise DriverError(f"Instance {job.name} has no design.")
    return job.desired


def _create_disk(host: Host, job: Job, action: Action) -> None:
    target = action.target.rsplit("/", 1)[1]
    desired, spec = _desired(job), job.spec
    record = desired.record
    if record is None or spec is None:
        raise DriverError(f"Instance {job.name} has no record of its disks.")
    owned = next(disk for disk in record.disks if disk.target == target)
    size = spec.flavor.disk_gb * GIB
    if spec.image is None:
        volume = host.pool.create(owned.volume, size, spec.disk_format)
    else:
        image = host.image(spec.image)
        if record.image_digest and image.digest != record.image_digest:
            raise ImageError(
                f"Instance {job.name} was begun from image {spec.image} with {record.image_digest}, which is now"
                f" {image.digest}; remove the instance and create it anew."
            )
        size = max(size, image.virtual_size_bytes)
        if spec.disk_format == "raw":
            volume = host.pool.clone(owned.volume, size, "raw", image.volume)
        else:
            volume = host.pool.create(owned.volume, size, spec.disk_format, backing=(image.path, image.format))
    job.made.append(volume)
    if spec.image is not None and host.pool.find(host.image(spec.image).volume) is None:
        raise ImageError(
            f"Image {spec.image} was removed while the disk of {job.name} was made on it; publish it anew."
        )
    planned = next(disk.source for disk in desired.disks if disk.target == target)
    if volume.path != planned:
        raise DriverError(f"Volume {owned.volume} was made at {volume.path} instead of {planned}.")


def _update(host: Host, job: Job, unused_action: Action) -> None:
    domain = _domain(job)
    job.handle = driver.define(host.connection, job.name, domain_xml.edit(domain.xml, _desired(job)))


def _grow_disk(host: Host, job: Job, action: Action) -> None:
    target = action.target.rsplit("/", 1)[1]
    domain, desired = _domain(job), _desired(job)
    if job.spec is None or desired.record is None:
        raise DriverError(f"Instance {job.name} has no record of its disks.")
    size = job.spec.flavor.disk_gb * GIB
    if domain.is_active:
        driver.grow_live_disk(host.connection, domain, target, size)
    else:
        owned = next(disk for disk in desired.record.disks if disk.target == target)
        volume = host.volumes[owned.volume]
        if volume.capacity < size:
            volume.resize(size)


def _start(host: Host, job: Job, unused_action: Action) -> None:
    driver.start(host.connection, job.name, job.handle or _domain(job).handle)


def _resume(host: Host, job: Job, unused_action: Action) -> None:
    driver.resume(host.connection, job.name, _domain(job).handle)


def _stop(host: Host, job: Job, unused_action: Action) -> None:
    domain, timeout = _domain(job), host.lifecycle.shutdown_timeout
    if _shut_down(host, domain, timeout):
        return
    if not host.lifecycle.force:
        raise WaitTimeoutError(
            f"Instance {job.name} is still {driver.state_of(host.connection, domain)} {timeout} s"
            " after it was asked to power off; raise shutdown_timeout, or allow pulling the plug with force: true."
        )
    driver.power_off(host.connection, domain)


def _shut_down(host: Host, domain: GuestReading, timeout: int) -> bool:
    """Ask again every ten seconds, as a guest that is still booting misses the first request."""
    deadline = time.monotonic() + timeout
    asked = float("-inf")
    while time.monotonic() < deadline:
        if time.monotonic() - asked >= _ACPI_AGAIN_SECONDS:
            driver.shutdown(host.connection, domain)
            asked = time.monotonic()
        if not driver.is_active(host.connection, domain):
            return True
        time.sleep(_POLL_SECONDS)
    return not driver.is_active(host.connection, domain)


def _delete_disk(host: Host, job: Job, action: Action) -> None:
    target = action.target.rsplit("/", 1)[1]
    record = job.existing.record if job.existing else None
    for disk in record.disks if record else ():
        if disk.target == target and disk.volume in host.volumes:
            host.volumes[disk.volume].delete()


def _delete_log(host: Host, job: Job, unused_action: Action) -> None:
    log = host.pool.find(console_log_name(job.name))
    if log is not None:
        log.delete()


def _undefine(host: Host, job: Job, unused_action: Action) -> None:
    driver.undefine(host.connection, job.name, _domain(job).handle)


def _domain(job: Job) -> GuestReading:
    if job.domain is None:
        raise DriverError(f"Instance {job.name} is not on this host.")
    return job.domain


_STEPS: dict[str, t.Callable[[Host, Job, Action], None]] = {
    verbs.CREATE_DISK: _create_disk,
    verbs.UPDATE: _update,
    verbs.GROW_DISK: _grow_disk,
    verbs.START: _start,
    verbs.RESUME: _resume,
    verbs.STOP: _stop,
    verbs.DELETE_DISK: _delete_disk,
    verbs.DELETE_LOG: _delete_log,
    verbs.UNDEFINE: _undefine,
}
