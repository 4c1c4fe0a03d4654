# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is found of an instance and its snapshots, and what a declaration comes to: steps with all they need. Pure."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import ConflictError, NotFoundError
from .._spec.checkpoint import PREFIX
from .._spec.record import InstanceRecord, OwnedDisk
from .._spec.snapshot import MEMORY, Frozen, Snapshot, SnapshotSpec
from .._spec.snapshot_disk import NewLayer, SnapshotTraits
from .existing import Existing
from .plan import Action, Change, Plan
from .snapshot_chain import Chains

CREATE_DISK = "create_disk"
CREATE_SNAPSHOT = "create_snapshot"
DELETE_CHECKPOINT = "delete_checkpoint"
DELETE_DISK = "delete_disk"
DELETE_SNAPSHOT = "delete_snapshot"
FINISH = "finish"
HOLD = "start_held"
MERGE_DISK = "merge_disk"
POWER_OFF = "power_off"
RELEASE = "stop_held"
RESTORE = "restore_memory"
REVERT = "revert"
SET_CURRENT = "set_current"
START = "start"
_NO_TRAITS = SnapshotTraits()
_NO_CHAINS = Chains({}, {})


@dataclass(frozen=True)
class DiskPlace:
    """Where a new layer of a disk is made."""

    pool: str
    directory: str


@dataclass(frozen=True)
class Scene:
    """An instance with its snapshots, as it was found."""

    existing: Existing
    record: InstanceRecord
    traits: SnapshotTraits = _NO_TRAITS
    snapshots: tuple[Snapshot, ...] = ()
    chains: Chains = _NO_CHAINS
    layers: t.Mapping[str, OwnedDisk] = field(default_factory=dict)
    """What the record calls layers, by path, those included that are gone."""
    gone: frozenset[str] = frozenset()
    """Paths of layers that are recorded and not there."""
    places: t.Mapping[str, DiskPlace] = field(default_factory=dict)
    """By path of what a disk lies on, or lay on then."""
    capacities: t.Mapping[str, int] = field(default_factory=dict)
    """By the same, the bytes that the guest sees."""
    taken: frozenset[str] = frozenset()
    """Names of volumes."""
    checkpoints: tuple[str, ...] = ()
    """Since which QEMU remembers what is written, for backups."""
    users: t.Mapping[str, str] = field(default_factory=dict)
    """By path, in words, what else lies on it that is not of this instance."""
    agent: str | None = None
    now: float = 0.0

    def snapshot(self, name: str | None) -> Snapshot | None:
        """Return a snapshot by name."""
        return next((one for one in self.snapshots if one.name == name), None)


@dataclass(frozen=True)
class Step(Action):
    """An action with all that is needed to do it."""

    what: t.Any = None
    record: InstanceRecord | None = None
    """Written into the definition before the step."""


@dataclass(frozen=True)
class SnapshotIntent:
    """The plan, and the record at its turns; None writes nothing."""

    plan: Plan
    finished: InstanceRecord | None = None
    """After the last step."""
    abandoned: InstanceRecord | None = None
    """When a step failed before the snapshot was there, or the present state given up."""
    runs: bool = False
    """Whether a guest that was switched off starts again when that failed."""
    warnings: tuple[str, ...] = ()


class Draft:
    """Steps that are being put together, with the chains as they are after them."""

    def __init__(self, spec: SnapshotSpec, scene: Scene) -> None:
        """Begin with what was found."""
        self.spec, self.scene = spec, scene
        self.steps: list[Step] = []
        self.chains = scene.chains
        self.layers: dict[str, OwnedDisk] = dict(scene.layers)
        self.deleted: list[str] = []
        self._begin: InstanceRecord | None = None
        self._numbers = (number for number in itertools.count(1) if not self._is_taken(number))

    def begin(self, record: InstanceRecord) -> None:
        """Have the record written before whatever step comes next."""
        self._begin = record

    def step(self, verb: str, part: str, *changes: Change, what: t.Any = None) -> None:
        """Add a step about the instance, or a ``part`` of it."""
        target = f"{self.spec.name}/{part}" if part else self.spec.name
        self.steps.append(Step(verb, target, tuple(changes), what, self._begin))
        self._begin = None

    def record(self, **changes: t.Any) -> InstanceRecord:
        """Return the record with the layers that are known so far."""
        return replace(self.scene.record, layers=tuple(self.layers.values()), **changes)

    def forget(self) -> None:
        """Have QEMU forget what was written since backups, where it would stand in the way; the next backup is full then."""
        for name in self.scene.checkpoints:
            if not name.startswith(PREFIX):
                raise ConflictError(
                    f"Instance {self.spec.name} has checkpoint {name}, which kilonova.compute did not make, and libvirt can't do"
                    " this while it is there; delete it with virsh checkpoint-delete."
                )
            self.step(DELETE_CHECKPOINT, name, what=name)

    def new_layers(self, below: t.Mapping[str, Frozen]) -> tuple[NewLayer, ...]:
        """Return new volumes over those places, by target, and remember them."""
        number = next(self._numbers)
        found = []
        for target, place in sorted(below.items()):
            pool = self.scene.places.get(place.path)
            if pool is None:
                raise NotFoundError(
                    f"No storage pool that runs has {place.path}, disk {target} of instance {self.spec.name}."
                )
            volume = f"{self.spec.name}-{target}.layer{number}.qcow2"
            path = f"{pool.directory}/{volume}"
            found.append(
                NewLayer(target, pool.pool, volume, path, self.scene.capacities[place.path], place.path, place.format)
            )
            self.layers[path] = OwnedDisk(target, pool.pool, volume)
        return tuple(found)

    def new_memory(self, beside: NewLayer) -> NewLayer:
        """Return a new file for the guest's memory, and remember it."""
        number = next(self._numbers)
        volume = f"{self.spec.name}-{MEMORY}.layer{number}"
        path = f"{beside.path.rpartition('/')[0]}/{volume}"
        self.layers[path] = OwnedDisk(MEMORY, beside.pool, volume)
        return NewLayer(MEMORY, beside.pool, volume, path, 0, "", "raw")

    def delete(self, snapshot: Snapshot, begin: InstanceRecord) -> None:
        """Add what it takes to delete a snapshot; ``begin`` is written before."""
        merges, chains = self.chains.without(snapshot.name) if snapshot.external else ((), self.chains)
        for merge in merges:
            user = self.scene.users.get(merge.base.path)
            if user is not None:
                raise ConflictError(
                    f"Snapshot {snapshot.name} can't be deleted: {user} lies on its state of disk {merge.target}, and is"
                    " not of this instance."
                )
        self.begin(begin)
        for merge in merges:
            self.step(MERGE_DISK, merge.target, what=merge)
        gone = Change(f"snapshots[{snapshot.name}]", snapshot.type, None)
        self.step(DELETE_SNAPSHOT, snapshot.name, gone, what=snapshot)
        self.chains = chains
        self.deleted.append(snapshot.name)

    def finish(self, record: InstanceRecord, **more: t.Any) -> SnapshotIntent:
        """Return the whole: guests that are off are held for merges, and layers that nothing needs any more go."""
        self._hold()
        kept = self._needed()
        for path, layer in list(self.layers.items()):
            if path in kept:
                continue
            del self.layers[path]
            if path not in self.scene.gone:
                self.step(DELETE_DISK, layer.volume, Change(f"layers[{layer.volume}]", layer.target, None), what=layer)
        finished = replace(record, begun=None, layers=tuple(self.layers.values()))
        if not self.steps and finished != self.scene.record:
            begun = self.scene.record.begun
            self.step(FINISH, "", *((Change("begun", begun.action, None),) if begun else ()))
        plan = Plan(f"instance {self.spec.name}", tuple(self.steps))
        return SnapshotIntent(plan, finished if plan.changed else None, **more)

    def _hold(self) -> None:
        """Have a guest that is off there for what only a guest can do, held, so that nothing in it runs."""
        if self.scene.existing.active:
            return
        spans: list[list[int]] = [[]]
        for index, step in enumerate(self.steps):
            if step.verb in (CREATE_SNAPSHOT, REVERT):
                spans.append([])
            elif step.verb in (MERGE_DISK, DELETE_CHECKPOINT):
                spans[-1].append(index)
        for span in reversed([span for span in spans if span]):
            first = self.steps[span[0]]
            self.steps[span[0]] = replace(first, record=None)
            self.steps.insert(span[-1] + 1, Step(RELEASE, self.spec.name))
            self.steps.insert(span[0], Step(HOLD, self.spec.name, record=first.record))

    def _needed(self) -> set[str]:
        needed = set(self.chains.reachable())
        for step in self.steps:
            if step.verb == CREATE_SNAPSHOT and step.what.memory:
                needed.add(step.what.memory.path)
        stay = (one for one in self.scene.snapshots if one.name not in self.deleted)
        return needed | {one.memory_path for one in stay if one.memory_path}

    def _is_taken(self, number: int) -> bool:
        names = {*self.scene.taken, *(layer.volume for layer in self.layers.values())}
        marks = (f".layer{number}.qcow2", f".layer{number}")
        return any(name.startswith(f"{self.spec.name}-") and name.endswith(marks) for name in names)


@dataclass(frozen=True)
class NewSnapshot:
    """A snapshot to be taken: an external one has layers."""

    name: str
    description: str | None = None
    layers: tuple[NewLayer, ...] = ()
    others: tuple[str, ...] = ()
    """Disks that are left out."""
    memory: NewLayer | None = None
    quiesce: bool = False
