# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance with its backups in a pool, as they are now. Nothing is changed here."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from ..._driver import agent
from ..._driver.backup import current_backup
from ..._driver.checkpoint import list_checkpoints
from ..._driver.connection import Connection
from ..._driver.domain import live_xml
from ..._driver.guests import GuestReading, find_guest
from ..._driver.snapshot import disk_capacity
from ..._driver.storage import find_volume
from ..._plan.backup_scene import BackupScene, Stored
from ..._plan.existing import Existing
from ..._plan.refusals import check_ours
from ..._plan.snapshot_refusals import refuse_two_places
from ..._spec.backup import ABSENT, BackupSpec
from ..._spec.snapshot_disk import DiskTraits
from ..._xml import domain as domain_xml
from ..._xml.snapshot import read_snapshot_traits
from .. import power
from .store import BackupStore

_OLD_QCOW2 = ("0.10", None)
"""What libvirt says of qcow2 that holds no more than disks and snapshots."""


@dataclass(frozen=True)
class View:
    """What was read, and the driver's own objects for the steps."""

    store: BackupStore
    scene: BackupScene
    guest: GuestReading | None = None


def look(connection: Connection, spec: BackupSpec) -> View:
    """Read the instance and its backups, or raise what stands against touching it at all."""
    store = BackupStore(connection, spec.pool)
    guest = find_guest(connection, spec.name)
    scene = stored_scene(store, spec.name)
    if guest is None:
        return View(store, scene)
    machine = domain_xml.read(guest.xml)
    existing = Existing(machine, guest.state, guest.is_active, guest.has_saved_memory)
    if spec.state == ABSENT:
        # Whose it is does not matter: no more is done to it than that it forgets a checkpoint of ours.
        return View(store, _with_instance(connection, store, scene, guest, existing), guest)
    record = check_ours(spec.name, spec.fleet, existing)
    scene = replace(_with_instance(connection, store, scene, guest, existing), record=record)
    return View(store, _with_disks(connection, scene, guest, spec), guest)


def stored_scene(store: BackupStore, instance: str) -> BackupScene:
    """Return what the pool tells alone."""
    stored = {name: found for (_instance, name), found in store.read(instance).items()}
    return BackupScene(stored, store.pool.name, store.pool.uuid, now=time.time())


def _with_instance(
    connection: Connection, store: BackupStore, scene: BackupScene, guest: GuestReading, existing: Existing
) -> BackupScene:
    paths = current_backup(connection, guest)
    prefix = f"{store.directory}/"
    job = (
        None if paths is None else frozenset(path[len(prefix) :] if path.startswith(prefix) else path for path in paths)
    )
    return replace(
        scene,
        existing=existing,
        uuid=guest.uuid,
        checkpoints=tuple(list_checkpoints(connection, guest)),
        job=job,
        frozen=guest.state == "running" and _is_frozen(connection, guest, scene.stored),
    )


def _is_frozen(connection: Connection, guest: GuestReading, stored: t.Mapping[str, Stored]) -> bool:
    """Tell whether a run that was killed left the guest's file systems frozen."""
    records = (one.record for one in stored.values() if one.complete is None)
    if not any(record is not None and record.quiesced and record.uuid == guest.uuid for record in records):
        return False
    return power.agent_state(connection, guest) == "connected" and agent.is_frozen(connection, guest.handle)


def _with_disks(connection: Connection, scene: BackupScene, guest: GuestReading, spec: BackupSpec) -> BackupScene:
    traits = read_snapshot_traits(live_xml(connection, guest) if guest.is_active else guest.xml)
    refuse_two_places(spec.name, read_snapshot_traits(guest.xml), traits)
    disks = [disk for disk in traits.disks if disk.path and (spec.disks is None or disk.target in spec.disks)]
    return replace(
        scene,
        traits=traits,
        capacities={disk.target: disk_capacity(connection, guest, disk.target) for disk in disks},
        trackable=frozenset(disk.target for disk in disks if _is_trackable(connection, disk)),
        agent=power.agent_state(connection, guest) if spec.quiesce and guest.is_active else None,
    )


def _is_trackable(connection: Connection, disk: DiskTraits) -> bool:
    if disk.format != "qcow2" or disk.type != "file":
        return False
    volume = find_volume(connection, disk.path or "")
    return volume is not None and volume.description.compat not in _OLD_QCOW2
