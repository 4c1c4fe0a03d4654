# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Reconcile instances on one host: design, plan, lock, look again, claim, then do the slow parts in threads."""

from __future__ import annotations

import contextlib
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ..._driver.domain import can_keep_tpm
from ..._errors import ComputeError, SpecError
from ..._plan import instance as planner
from ..._plan.claims import Amount, refuse_overcommit
from ..._plan.plan import Plan
from ..._plan.power import START
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine
from .._guest.wait import wait_for
from ..facts_guests import GIB
from ..lock import host_lock
from .guards import clear_up, make_guards
from .host import Host
from .prepare import prepare
from .root_disk import look_for_disks
from .steps import Job, define, named, perform

_WORKERS = 8
_LOCK_SECONDS = 600.0

Absent = tuple[str, t.Union[str, None]]


def reconcile(host: Host, specs: t.Sequence[InstanceSpec], absent: t.Sequence[Absent], check: bool) -> list[Job]:
    """Bring ``specs`` about and remove ``absent`` (name, fleet); errors stay with their instance, in ``Job.error``."""
    if host.lifecycle.has_root_disk:
        look_for_disks(host, specs)
    jobs = [_attempt(host, spec, check) for spec in specs]
    jobs += [_attempt_absent(host, name, fleet) for name, fleet in absent]
    busy = [job for job in jobs if job.error is None and job.plan.changed]
    if check:
        _claim(host, busy, claimed=lambda unused_job: None)
    elif busy:
        with _locked(host, busy):
            renewed = _settle(host, busy)
            jobs = [renewed.get(job.name, job) for job in jobs]
            _work(host, list(renewed.values()))
    if not check and host.lifecycle.wait.conditions:
        _in_parallel(lambda job: _wait(host, job), [job for job in jobs if _is_to_run(job)])
    if not check:
        clear_up(host, jobs)
    return jobs


@contextlib.contextmanager
def _locked(host: Host, jobs: t.Sequence[Job]) -> t.Iterator[None]:
    """Hold the locks of all instances that are worked on, so that no other run here sees them half made."""
    with contextlib.ExitStack() as held:
        for name in sorted(job.name for job in jobs):
            held.enter_context(host_lock(f"instance {host.uuid} {name}", _LOCK_SECONDS, f"instance {name}"))
        yield


def _settle(host: Host, jobs: t.Sequence[Job]) -> dict[str, Job]:
    """Under the host's lock: look again, plan again, check that all fits, and define what takes something of the host.

    Others see what is taken by the definitions. So those of instances that are there and take more are written here as well,
    with the steps that go before them.
    """
    with host_lock(f"host {host.uuid}", _LOCK_SECONDS, "this host"):
        host.read_again()
        renewed = [_again(host, job) for job in jobs]
        make_guards(host, renewed)
        _claim(host, renewed, claimed=lambda job: define(host, job))
        taking = [job for job in renewed if job.error is None and takes_more(job, _more(host, job))]
        _in_parallel(lambda job: _perform(host, job, planner.UPDATE), taking)
    return {job.name: job for job in renewed}


def _again(host: Host, job: Job) -> Job:
    return _attempt(host, job.spec, False) if job.spec else _attempt_absent(host, job.name, job.fleet)


def _work(host: Host, jobs: t.Sequence[Job]) -> None:
    ready = [job for job in jobs if job.error is None and job.plan.changed]
    if any(job.plan.has(planner.DELETE_LOG) for job in ready):
        host.refresh_logs()
    _in_parallel(lambda job: _perform(host, job), ready)


def _in_parallel(task: t.Callable[[Job], None], jobs: t.Sequence[Job]) -> None:
    with ThreadPoolExecutor(max_workers=max(1, min(_WORKERS, len(jobs)))) as pool:
        list(pool.map(task, jobs))


def _is_to_run(job: Job) -> bool:
    if job.error is not None or job.spec is None:
        return False
    is_running = job.existing is not None and job.existing.state == "running"
    return job.spec.power_state == "running" or (job.spec.power_state is None and (is_running or job.plan.has(START)))


def _wait(host: Host, job: Job) -> None:
    """Wait without a lock, since nothing is changed any more; an instance that fails here stays."""
    domain = named(job)
    try:
        job.waited = wait_for(host.connection, domain.handle, job.name, host.lifecycle.wait)
    except ComputeError as exc:
        job.error = exc


def _attempt(host: Host, spec: InstanceSpec, check: bool) -> Job:
    try:
        return prepare(host, spec, check)
    except ComputeError as exc:
        return Job(spec.name, spec.fleet, Plan(f"instance {spec.name}"), spec, error=exc)


def _attempt_absent(host: Host, name: str, fleet: str | None) -> Job:
    try:
        existing = host.existing(name)
        if existing is not None and existing.machine.tpm is not None and host.lifecycle.keep_disks:
            _check_keeps_tpm(host, name)
        plan = planner.plan_absent(name, fleet, existing, host.lifecycle.keep_disks, host.lifecycle.forget)
        return Job(name, fleet, plan, existing=existing, domain=host.reading(name))
    except ComputeError as exc:
        return Job(name, fleet, Plan(f"instance {name}"), error=exc)


def _check_keeps_tpm(host: Host, name: str) -> None:
    if not can_keep_tpm(host.connection):
        raise SpecError(
            "keep_disks",
            f"instance {name} has a TPM, whose state this libvirt can't keep, and what its disks hold may be sealed with it",
            "update libvirt to 8.9 or newer, or leave it out",
        )


def _claim(host: Host, jobs: t.Sequence[Job], claimed: t.Callable[[Job], None]) -> None:
    """Check in order that what each takes still fits; ``claimed`` is told of every new instance that does."""
    used = None
    for job in jobs:
        more = _more(host, job)
        if job.error is not None or not (job.plan.has(planner.DEFINE) or more != Amount()):
            continue
        used = host.used() if used is None else used
        try:
            refuse_overcommit(job.name, more, host.total, used, host.lifecycle.limits)
            if job.plan.has(planner.DEFINE):
                claimed(job)
            used = used.plus(more)
        except ComputeError as exc:
            job.error = exc


def _more(host: Host, job: Job) -> Amount:
    """Return what the declaration takes beyond what the instance has."""
    desired = job.desired.record if job.desired else None
    if job.spec is None or desired is None:
        return Amount()
    new_gb = _new_volumes_gb(host, job)
    record = job.existing.record if job.existing else None
    if job.existing is not None and record is None:
        # What is adopted was counted before, with the most it can have.
        return Amount(disk_gb=new_gb)
    wanted = Amount(desired.vcpus, desired.memory_mb, desired.disk_gb)
    more = wanted.minus(Amount(record.vcpus, record.memory_mb, record.disk_gb)) if record else wanted
    return more.plus(Amount(disk_gb=new_gb))


def _new_volumes_gb(host: Host, job: Job) -> int:
    """Return how much the volumes of the home pool grow that the instance has; other pools are not counted."""
    present = {disk.volume: disk.capacity_bytes or 0 for disk in (job.existing.disks if job.existing else ())}
    record = job.desired.record if job.desired else None
    made = record.disks if record else ()
    # One that is newly attached was there before, with the size that is declared.
    attached = [disk for disk in record.attached if disk.volume in present] if record else []
    here = {disk.volume for disk in (*made, *attached) if disk.pool == host.home.name}
    volumes = job.spec.volumes or () if job.spec else ()
    sizes = ((volume.size_gb or 0) - present.get(volume.name, 0) // GIB for volume in volumes if volume.name in here)
    return sum(max(0, size) for size in sizes)


def takes_more(job: Job, more: Amount) -> bool:
    """Tell whether the new definition of an instance that is there has something that no other may have, or less is left of."""
    if job.existing is None or job.desired is None or job.spec is None or not job.plan.has(planner.UPDATE):
        return False
    detail = job.spec.detail
    picks = bool(detail.placement.cells) or detail.pci is not None or detail.mdevs is not None
    return more != Amount() or picks or not _belongings(job.desired) <= _belongings(job.existing.machine)


def _belongings(machine: Machine) -> set[tuple[str, str | None]]:
    """Return what a machine has of which there is one."""
    return {
        *(("disk", disk.source) for disk in machine.disks if disk.source),
        *(("device", device.address) for device in machine.hostdevs),
        *(("address", nic.mac) for nic in machine.nics),
        *(("filter", nic.filter) for nic in machine.nics if nic.filter),
    }


def _perform(host: Host, job: Job, last: str | None = None) -> None:
    try:
        perform(host, job, last)
    except ComputeError as exc:
        job.error = exc
