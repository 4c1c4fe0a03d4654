# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One declared instance, made ready: looked up, designed, planned, and written as XML. Nothing is changed here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from uuid import uuid4

from ..._driver.domain import whole_definition
from ..._driver.domain_change import has_scheduler
from ..._driver.guests import GuestReading
from ..._errors import ConflictError, NotFoundError, SpecError
from ..._plan import instance as planner
from ..._plan.drift import FIRST_BOOT, LIMIT_CPU
from ..._plan.existing import Existing
from ..._plan.image_fit import refuse_unfit
from ..._plan.plan import Change, Plan
from ..._plan.refusals import check_ours, refuse_ends, refuse_headroom, refuse_without_balloon
from ..._spec.instance import InstanceSpec
from ..._spec.machine import Machine
from ..pool_limits import refuse_copy
from .definition import Found, patch_design, write_definition
from .design import design
from .design_disks import Storage, check_volume_buses, root_volume_name
from .first_boot import Seed, plan_seed
from .fixed_ips import check_fixed_ips, with_fixed_ips
from .guards import guarded
from .host import Host, platform_of
from .networks import check_networks
from .plugged import as_plugged
from .root_disk import check_root_disk
from .steps import Job, begun_image
from .volumes import places_of


def prepare(host: Host, spec: InstanceSpec, check: bool) -> Job:
    """Return what is to be done for the instance, or raise what stands against it."""
    # Volumes before domains: a volume that is older than its domain then never looks like nobody's.
    host.home.volumes  # noqa: B018  # pylint: disable=pointless-statement  # asked for its effect
    existing = host.existing(spec.name, spec)
    if existing is None:
        spec = spec.completed()
    desired, seed = _design(host, spec, existing, check)
    existing = as_plugged(host, desired, existing)
    found = _found(host, spec.name, existing)
    desired, patches, for_later = patch_design(spec, desired, found)
    lifecycle = host.lifecycle
    manner = planner.Manner(lifecycle.allow_power_cycle, patches, for_later, lifecycle.has_root_disk)
    plan, waiting = planner.plan_present(spec, desired, existing, manner)
    _check_cpu_limits(host, host.reading(spec.name), plan)
    _check_image(host, spec.name, existing, plan)
    if existing is None or any(_is_of_network(change) for change in plan.changes):
        check_networks(host, spec)
    check_fixed_ips(host, spec, desired, existing)
    job = Job(spec.name, spec.fleet, plan, spec, desired, existing, host.reading(spec.name), waiting=waiting, seed=seed)
    if plan.has(planner.DEFINE) or plan.has(planner.UPDATE):
        host.check_offered(desired, existing.machine if existing else desired)
        job.xml = write_definition(spec, desired, found if check else _with_secrets(host, spec.name, found))
    host.ledger.claim(spec.name, desired)
    host.reservations.claim(spec.name, desired.record.fixed_ips if desired.record else ())
    return job


def _is_of_network(change: Change) -> bool:
    return change.path == FIRST_BOOT or (change.path.startswith("nics[") and bool(change.after))


def _with_secrets(host: Host, name: str, found: Found | None) -> Found | None:
    """Return the definition with what libvirt only tells when asked for, such as a console's password, to keep it."""
    domain = host.reading(name)
    return replace(found, xml=whole_definition(host.connection, domain)) if found and domain else found


def _design(host: Host, spec: InstanceSpec, existing: Existing | None, check: bool) -> tuple[Machine, Seed | None]:
    """Return the machine that is declared, and what its guest is told of its first boot."""
    uuid = (existing.machine.uuid if existing else None) or spec.uuid or str(uuid4())
    seed = plan_seed(host, spec, existing, uuid)
    if existing is None:
        _check_uuid(host, spec)
        platform = host.platform(spec)
        storage = _new_storage(host, spec, check)
    else:
        check_ours(spec.name, spec.fleet, existing, adopt=spec.adopt)
        _check_pool(host, spec, existing)
        needs_screen = spec.graphics.type not in (None, "none") and not existing.machine.graphics
        platform = platform_of(existing.machine, spec, host.video_for(existing.machine) if needs_screen else None)
        storage = replace(_storage(host, spec, None, None), busy_targets=_targets(existing.live))
    if seed is not None:
        path = host.place(seed.record.pool).locate(seed.record.volume)
        storage = replace(storage, seed=seed.record, seed_path=path, seed_bus=seed.bus)
    _check_drives(host, spec)
    check_volume_buses(spec, platform.machine)
    desired = design(spec, platform, storage, existing.machine if existing else None, _now())
    desired = with_fixed_ips(host, spec, desired, existing.machine if existing else None)
    desired = guarded(host, spec, desired, existing.machine if existing else None, check)
    desired = host.ledger.place(spec, desired, existing.machine if existing else None)
    balloon = desired.balloon or (existing.machine.balloon if existing else None)
    refuse_without_balloon(spec, desired, balloon)
    if spec.max_vcpus is not None or spec.max_memory_mb is not None:
        refuse_headroom(spec, desired, host.total)
    refuse_ends(desired, existing.machine if existing else None)
    # What the seed says goes by the UUID.
    return (replace(desired, uuid=uuid) if seed or spec.uuid else desired), seed


def _targets(machine: Machine | None) -> frozenset[str]:
    return frozenset(disk.target for disk in machine.disks) if machine else frozenset()


def _found(host: Host, name: str, existing: Existing | None) -> Found | None:
    domain = host.reading(name)
    if existing is None or domain is None:
        return None
    return Found(existing.machine, domain.xml, host.live_text(name) if existing.live else None)


def _check_uuid(host: Host, spec: InstanceSpec) -> None:
    for name, guest in host.guests.items():
        if spec.uuid == guest.reading.uuid:
            raise ConflictError(f"Option uuid: {spec.uuid} is the UUID of {name}; take another, or leave it out.")


def _check_drives(host: Host, spec: InstanceSpec) -> None:
    for cdrom in spec.cdroms or ():
        if cdrom not in host.home.volumes:
            raise NotFoundError(f"Option cdroms: there is no volume {cdrom} in pool {host.home.name}.")


def _check_cpu_limits(host: Host, domain: GuestReading | None, plan: Plan) -> None:
    """Refuse another share of the CPUs for a running guest where there is none; it might not even start again with it."""
    if plan.has(LIMIT_CPU) and domain and domain.is_active and not has_scheduler(host.connection, domain):
        raise SpecError(
            "cpu_limits",
            "this hypervisor has no control group for CPUs, so what a running guest gets of them can't be changed",
            "leave them out",
        )


def _check_image(host: Host, name: str, existing: Existing | None, plan: Plan) -> None:
    """Refuse to finish an instance whose image is not there, or another by now."""
    record = existing.record if existing else None
    root = record.root if record else None
    makes = (planner.CREATE_DISK, f"{name}/{root.target}" if root else "")
    if record and record.image and any((action.verb, action.target) == makes for action in plan.actions):
        begun_image(host, name, record, record.image)


def _check_pool(host: Host, spec: InstanceSpec, existing: Existing) -> None:
    root = existing.root
    if root is not None and root.is_ours and root.pool != host.home.name:
        raise SpecError("pool", f"instance {spec.name} is in pool {root.pool}", f"declare pool: {root.pool}")


def _new_storage(host: Host, spec: InstanceSpec, check: bool) -> Storage:
    disk_gb = spec.flavor.disk_gb if spec.flavor else 0
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
            refuse_unfit(spec, host.platform(spec).arch, image.virtual_size_bytes, image.metadata)
    host.home.path  # noqa: B018  # pylint: disable=pointless-statement  # a pool without one is refused for that
    if host.home.is_block and spec.disk_format != "raw":
        raise SpecError(
            "disk_format", f"pool {host.home.name} has block devices, which hold no {spec.disk_format}", "declare raw"
        )
    if spec.image is not None:
        refuse_copy(host.home.info, host.home.info, "image")
    volume = root_volume_name(spec) if spec.image is not None or disk_gb else None
    if volume and host.lifecycle.has_root_disk:
        check_root_disk(host, spec, volume)
    elif volume in host.home.volumes:
        raise ConflictError(
            f"Volume {volume} is in pool {host.home.name} already and belongs to no instance; it is not touched."
            " Remove it or take another name for the instance."
        )
    return _storage(host, spec, volume, digest)


def _storage(host: Host, spec: InstanceSpec, root_volume: str | None, digest: str | None) -> Storage:
    home = host.home
    return Storage(home.name, home.path, home.is_block, root_volume, digest, tuple(places_of(host, spec)))


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
