# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""One action on one instance, made ready: looked up and planned. Nothing is changed here."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._driver import domain as driver
from ..._driver import host as host_driver
from ..._driver.guests import GuestReading
from ..._errors import DriverError, NotFoundError
from ..._plan.action import plan_action, refuse_in_between
from ..._plan.claims import Amount, refuse_overcommit
from ..._plan.existing import Existing
from ..._plan.intent import UNSHELVE, Base, Findings, Intent
from ..._plan.rebuild import rebuild_image
from ..._plan.refusals import check_ours
from ..._plan.rescue import rescue_image
from ..._spec import action as actions
from ..._spec.action import ActionSpec
from ..._spec.record import InstanceRecord
from ..._xml.rescue import read_controllers
from .._instance.host import Host
from ..image_catalog import PublishedImage, find_image

_IMAGE_OF: dict[str, t.Callable[[ActionSpec, InstanceRecord], str | None]] = {
    actions.RESCUE: rescue_image,
    actions.REBUILD: rebuild_image,
}


@dataclass
class Job:
    """One action on its way."""

    spec: ActionSpec
    existing: Existing
    domain: GuestReading
    intent: Intent
    image: PublishedImage | None = None
    switched: bool = False
    """The step was taken after which there is no way back."""
    mine: set[str] = field(default_factory=set)
    """The volumes, by their name in the plan, that may be deleted: recorded as ours before, or made by this run."""

    @property
    def record(self) -> InstanceRecord:
        """Return the record as it was found."""
        if self.existing.record is None:
            raise DriverError(f"Instance {self.spec.name} has no record.")
        return self.existing.record


def prepare(host: Host, spec: ActionSpec) -> Job:
    """Return what the action takes, or raise what stands against it."""
    existing, domain = host.existing(spec.name), host.reading(spec.name)
    if existing is None or domain is None:
        raise NotFoundError(f"There is no instance {spec.name} on this host.")
    record = check_ours(spec.name, spec.fleet, existing)
    refuse_in_between(spec, record)
    image, findings = _find(host, spec, record, domain)
    intent = plan_action(spec, existing, findings)
    known = {(disk.pool, disk.volume) for disk in record.disks}
    mine = {key for key, own in intent.volumes.items() if (own.pool, own.volume) in known}
    job = Job(spec, existing, domain, intent, image, mine=mine)
    if intent.plan.has(UNSHELVE):
        _refuse_no_room(host, job)
    return job


def _refuse_no_room(host: Host, job: Job) -> None:
    """Refuse to take a shelved instance's vCPUs and memory back where they were promised to others."""
    node = host_driver.node_info(host.connection)
    used = Amount()
    for guest in host.guests.values():
        used = used.plus(Amount(guest.claimed_vcpus, guest.claimed_memory_mb))
    guest = host.guests[job.spec.name]
    asked = Amount(guest.vcpus, guest.memory_mb).minus(Amount(guest.claimed_vcpus, guest.claimed_memory_mb))
    refuse_overcommit(job.spec.name, asked, Amount(node.vcpus, node.memory_mb), used, host.lifecycle.limits)


def _find(
    host: Host, spec: ActionSpec, record: InstanceRecord, domain: GuestReading
) -> tuple[PublishedImage | None, Findings]:
    image_of = _IMAGE_OF.get(spec.action)
    name = image_of(spec, record) if image_of else None
    if name is None:
        return None, Findings()
    pool = spec.pool or (record.disks[0].pool if record.disks else host.home.name)
    place = host.place(pool)
    image = find_image(host.connection, place.pool, name)
    return image, Findings(
        image=Base(image.name, image.digest, image.virtual_size_bytes),
        pool=pool,
        taken=frozenset(place.volumes),
        is_block=place.is_block,
        has_snapshots=driver.has_snapshots(host.connection, domain),
        controllers=read_controllers(domain.xml),
    )
