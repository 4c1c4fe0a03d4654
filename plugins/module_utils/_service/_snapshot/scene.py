# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance with its snapshots and the volumes below it, as they are now. Nothing is changed here."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

from ..._driver.block_job import ACTIVE_COMMIT, COMMIT, find_job
from ..._driver.checkpoint import checkpoint_names
from ..._driver.connection import Connection
from ..._driver.domain import live_xml
from ..._driver.guests import GuestReading
from ..._driver.snapshot import disk_capacity, list_snapshots
from ..._driver.storage import Pool, Volume, running_pools
from ..._errors import ConflictError, NotFoundError
from ..._plan.existing import Existing
from ..._plan.refusals import check_ours
from ..._plan.snapshot_chain import Chains
from ..._plan.snapshot_intent import DiskPlace, Scene
from ..._plan.snapshot_refusals import refuse_two_places
from ..._spec.record import InstanceRecord
from ..._spec.snapshot import DELETE, EXTERNAL, PRESENT, SnapshotSpec
from ..._spec.snapshot_disk import SnapshotTraits
from ..._xml import domain as domain_xml
from ..._xml.snapshot import read_snapshot_traits
from .. import power
from .rows import find_instance


@dataclass(frozen=True)
class View:
    """What was read: the scene, and the driver's own objects for the steps."""

    guest: GuestReading
    scene: Scene
    pools: t.Mapping[str, Pool] = field(default_factory=dict)


def look(connection: Connection, spec: SnapshotSpec) -> View:
    """Read the instance, or raise what stands against touching it at all."""
    guest = find_instance(connection, spec.name)
    machine = domain_xml.read(guest.xml)
    existing = Existing(machine, guest.state, guest.is_active, guest.has_saved_memory)
    record = check_ours(spec.name, spec.fleet, existing)
    traits = read_snapshot_traits(live_xml(connection, guest) if guest.is_active else guest.xml)
    refuse_two_places(spec.name, read_snapshot_traits(guest.xml), traits)
    _refuse_jobs(connection, guest, record, traits)
    snapshots = tuple(list_snapshots(connection, guest))
    agent = power.agent_state(connection, guest) if spec.quiesce and guest.is_active else None
    checkpoints = checkpoint_names(connection, guest)
    scene = Scene(existing, record, traits, snapshots, checkpoints=checkpoints, agent=agent, now=time.time())
    is_layered = bool(record.layers) or any(one.external for one in snapshots)
    if not is_layered and (spec.state != PRESENT or (spec.type or EXTERNAL) != EXTERNAL):
        return View(guest, scene)
    pools = {pool.name: pool for pool in running_pools(connection)}
    return View(guest, _with_volumes(connection, guest, scene, pools), pools)


def _refuse_jobs(connection: Connection, guest: GuestReading, record: InstanceRecord, traits: SnapshotTraits) -> None:
    """Refuse disks that somebody's job works on; a merge that a run before began is gone on with."""
    is_deleting = record.begun is not None and record.begun.action == DELETE
    for disk in traits.disks:
        job = find_job(connection, guest, disk.target) if disk.path else None
        if job is not None and not (is_deleting and job.kind in (COMMIT, ACTIVE_COMMIT)):
            raise ConflictError(
                f"A job ({job.kind}) works on disk {disk.target} of instance {guest.name} (virsh blockjob {guest.name}"
                f" {disk.target}); wait until it has ended."
            )


def _with_volumes(connection: Connection, guest: GuestReading, scene: Scene, pools: t.Mapping[str, Pool]) -> Scene:
    """Return the scene with what lies on what; pools are read anew, since merges change that behind their back."""
    active = {disk.target: disk.path for disk in scene.traits.disks if disk.path}
    frozen = {one.name: {place.target: place for place in one.frozen} for one in scene.snapshots if one.external}
    relevant = {*active.values(), *(place.path for places in frozen.values() for place in places.values())}
    volumes, directories = _volumes(pools, relevant)
    layers = {f"{directories.get(one.pool, '')}/{one.volume}": one for one in scene.record.layers}
    backing = dict(_backing(volumes))
    capacities = {path: volumes[path].capacity for path in relevant if path in volumes}
    for target, path in active.items():
        if path in capacities:
            capacities[path] = disk_capacity(connection, guest, target)
    own = {*relevant, *layers}
    return replace(
        scene,
        chains=Chains(active, backing, frozen),
        layers=layers,
        gone=frozenset(path for path in layers if path not in volumes),
        places={path: _place(volumes[path], directories) for path in capacities},
        capacities=capacities,
        taken=frozenset(volume.name for volume in volumes.values()),
        users={below: f"volume {volumes[path].name}" for path, below in backing.items() if path not in own},
    )


def _volumes(pools: t.Mapping[str, Pool], relevant: set[str]) -> tuple[dict[str, Volume], dict[str, str]]:
    """Return all volumes by path, and the directories of the pools."""
    volumes: dict[str, Volume] = {}
    directories: dict[str, str] = {}
    for pool in pools.values():
        directories[pool.name] = (pool.describe().path or "").rstrip("/")
        if any(path.rpartition("/")[0] == directories[pool.name] for path in relevant):
            pool.refresh()
        volumes.update((volume.path, volume) for volume in pool.volumes().values())
    return volumes, directories


def _place(volume: Volume, directories: t.Mapping[str, str]) -> DiskPlace:
    return DiskPlace(volume.pool, directories[volume.pool])


def _backing(volumes: t.Mapping[str, Volume]) -> t.Iterator[tuple[str, str]]:
    for path, volume in volumes.items():
        try:
            below = volume.backing
        except NotFoundError:
            continue
        if below:
            yield path, below[0]
