# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Reconcile instances on one host: design, plan, claim under the host's lock, then do the slow parts in threads."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from ..._errors import ComputeError, ConflictError, NotFoundError, SpecError
from ..._plan import instance as planner
from ..._plan.claims import Amount, refuse_overcommit
from ..._plan.plan import Plan
from ..._spec.instance import InstanceSpec
from ..facts_guests import GIB
from ..lock import host_lock
from .design import Storage, design, root_volume_name
from .host import Host, platform_of
from .steps import Job, define, perform

_WORKERS = 8
_LOCK_SECONDS = 600.0


def reconcile(
    host: Host, specs: t.Sequence[InstanceSpec], absent: t.Sequence[tuple[str, str | None]], check: bool
) -> list[Job]:
    """Bring ``specs`` about and remove ``absent`` (name, fleet); errors stay with their instance, in ``Job.error``."""
    jobs = [_attempt(host, spec, check) for spec in specs]
    jobs += [_attempt_absent(host, name, fleet) for name, fleet in absent]
    if check:
        return jobs
    if any(job.plan.has(planner.DELETE_LOG) for job in jobs):
        # Logs were written behind the pool's back, so it does not list them yet.
        host.pool.refresh()
    if any(_claims(job) for job in jobs):
        jobs = _claim(host, jobs)
    ready = [job for job in jobs if job.error is None and job.plan.changed]
    with ThreadPoolExecutor(max_workers=max(1, min(_WORKERS, len(ready)))) as pool:
        list(pool.map(lambda job: _perform(host, job), ready))
    return jobs


def _attempt(host: Host, spec: InstanceSpec, check: bool) -> Job:
    try:
        return _prepare(host, spec, check)
    except ComputeError as exc:
        return Job(spec.name, Plan(f"instance {spec.name}"), spec, error=exc)


def _attempt_absent(host: Host, name: str, fleet: str | None) -> Job:
    try:
        existing = host.existing(name)
        plan = planner.plan_absent(name, fleet, existing)
        return Job(name, plan, existing=existing, domain=host.reading(name))
    except ComputeError as exc:
        return Job(name, Plan(f"instance {name}"), error=exc)


def _prepare(host: Host, spec: InstanceSpec, check: bool) -> Job:
    existing = host.existing(spec.name)
    if existing is None:
        platform = host.platform(spec)
        storage = _new_storage(host, spec, check)
        host.check_networks(spec)
    else:
        planner.check_ours(spec.name, spec.fleet, existing)
        platform = platform_of(existing.machine, spec)
        storage = _storage(host, None, None)
    for cdrom in spec.cdroms:
        if cdrom not in host.volumes:
            raise NotFoundError(f"Option cdroms: there is no volume {cdrom} in pool {host.pool.name}.")
    machine = existing.machine if existing else None
    desired = design(spec, platform, storage, machine, _now())
    plan = planner.plan_present(spec, desired, existing)
    return Job(spec.name, plan, spec, desired, existing, host.reading(spec.name))


def _new_storage(host: Host, spec: InstanceSpec, check: bool) -> Storage:
    digest = None
    if spec.image is not None:
        try:
            image = host.image(spec.image)
        except NotFoundError:
            # On an empty fleet the image is only published by the run that check mode foretells.
            if not check:
                raise
        else:
            digest = image.digest
            if spec.flavor.disk_gb and spec.flavor.disk_gb * GIB < image.virtual_size_bytes:
                least = -(-image.virtual_size_bytes // GIB)
                raise SpecError(
                    "flavor.disk_gb",
                    f"{spec.flavor.disk_gb} GiB is smaller than image {spec.image}",
                    f"it must be at least {least}, or 0 for the image's own size",
                )
    volume = root_volume_name(spec) if spec.image is not None or spec.flavor.disk_gb else None
    if volume in host.volumes:
        raise ConflictError(
            f"Volume {volume} is in pool {host.pool.name} already and belongs to no instance; it is not touched."
            " Remove it or take another name for the instance."
        )
    return _storage(host, volume, digest)


def _storage(host: Host, root_volume: str | None, digest: str | None) -> Storage:
    return Storage(host.pool.name, host.pool_info.path or "", host.pool_is_block, root_volume, digest)


def _claims(job: Job) -> bool:
    return job.error is None and (job.plan.has(planner.DEFINE) or _more(job) != Amount())


def _more(job: Job) -> Amount:
    """Return what the declaration takes beyond what the instance has."""
    if job.spec is None:
        return Amount()
    flavor = job.spec.flavor
    wanted = Amount(flavor.vcpus, flavor.memory_mb, flavor.disk_gb)
    record = job.existing.record if job.existing else None
    return wanted.minus(Amount(record.vcpus, record.memory_mb, record.disk_gb)) if record else wanted


def _claim(host: Host, jobs: list[Job]) -> list[Job]:
    """Under the host's lock: look again, check that everything still fits, and define what is new."""
    with host_lock(f"host {host.uuid}", _LOCK_SECONDS):
        host.read_again()
        used = host.used()
        claimed = []
        for job in jobs:
            if not _claims(job) or job.spec is None:
                claimed.append(job)
                continue
            current = _attempt(host, job.spec, check=False)
            try:
                if current.error is None:
                    refuse_overcommit(job.name, _more(current), host.total, used, host.lifecycle.limits)
                    if current.plan.has(planner.DEFINE):
                        define(host, current)
                    used = used.plus(_more(current))
            except ComputeError as exc:
                current.error = exc
            claimed.append(current)
    return claimed


def _perform(host: Host, job: Job) -> None:
    try:
        perform(host, job)
    except ComputeError as exc:
        job.error = exc


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
