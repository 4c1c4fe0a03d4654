# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One declared instance, made ready: looked up, designed, planned, and written as XML. Nothing is changed here."""

from __future__ import annotations

from datetime import datetime, timezone

from ..._errors import ConflictError, NotFoundError, SpecError
from ..._plan import instance as planner
from ..._plan.existing import Existing
from ..._plan.refusals import check_ours
from ..._spec.instance import InstanceSpec
from ..._xml import domain as domain_xml
from ..facts_guests import GIB
from .design import Storage, design, root_volume_name
from .host import Host, platform_of
from .steps import Job


def prepare(host: Host, spec: InstanceSpec, check: bool) -> Job:
    """Return what is to be done for the instance, or raise what stands against it."""
    # Volumes before domains: a volume that is older than its domain then never looks like nobody's.
    volumes = host.home.volumes
    existing = host.existing(spec.name)
    if existing is None:
        platform = host.platform(spec)
        storage = _new_storage(host, spec, check)
    else:
        check_ours(spec.name, spec.fleet, existing)
        _check_pool(host, spec, existing)
        platform = platform_of(existing.machine, spec)
        storage = _storage(host, None, None)
    for cdrom in spec.cdroms:
        if cdrom not in volumes:
            raise NotFoundError(f"Option cdroms: there is no volume {cdrom} in pool {host.home.name}.")
    machine = existing.machine if existing else None
    desired = design(spec, platform, storage, machine, _now())
    plan = planner.plan_present(spec, desired, existing)
    if existing is None or any(change.path.startswith("nics[") for change in plan.changes):
        host.check_networks(spec)
    domain = host.reading(spec.name)
    job = Job(spec.name, spec.fleet, plan, spec, desired, existing, domain)
    if plan.has(planner.DEFINE):
        job.xml = domain_xml.render(desired)
    elif plan.has(planner.UPDATE) and domain is not None:
        job.xml = domain_xml.edit(domain.xml, desired)
    return job


def _check_pool(host: Host, spec: InstanceSpec, existing: Existing) -> None:
    for disk in existing.disks:
        if disk.pool != host.home.name:
            raise SpecError("pool", f"instance {spec.name} is in pool {disk.pool}", f"declare pool: {disk.pool}")


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
    if host.home.is_block and spec.disk_format != "raw":
        raise SpecError(
            "disk_format", f"pool {host.home.name} has block devices, which hold no {spec.disk_format}", "declare raw"
        )
    volume = root_volume_name(spec) if spec.image is not None or spec.flavor.disk_gb else None
    if volume in host.home.volumes:
        raise ConflictError(
            f"Volume {volume} is in pool {host.home.name} already and belongs to no instance; it is not touched."
            " Remove it or take another name for the instance."
        )
    return _storage(host, volume, digest)


def _storage(host: Host, root_volume: str | None, digest: str | None) -> Storage:
    home = host.home
    return Storage(home.name, home.path, home.is_block, root_volume, digest)


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
