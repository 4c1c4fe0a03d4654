# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Decide what a declared snapshot takes. Pure.

Before anything is made or merged, the instance's record says so, with every volume that will be there. Whatever of these
neither a disk nor a snapshot needs is deleted at the end of every run, so what a killed run left goes with the next one.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._errors import ConflictError, NotFoundError
from .._spec import snapshot as words
from .._spec.record import Begun, InstanceRecord
from .._spec.snapshot import Frozen, Snapshot, SnapshotSpec
from . import snapshot_intent as verbs
from . import snapshot_refusals as refusals
from .plan import LIVE, POWER_CYCLE, Change
from .snapshot_chain import Chains
from .snapshot_intent import Draft, NewSnapshot, Scene, SnapshotIntent


def plan_snapshot(spec: SnapshotSpec, scene: Scene) -> SnapshotIntent:
    """Return what the declaration takes, or raise what stands against it."""
    refusals.refuse_state(spec.name, scene.record, scene.existing)
    return _PLANNERS[spec.state](spec, scene)


def _present(spec: SnapshotSpec, scene: Scene) -> SnapshotIntent:
    found = refusals.find_ours(spec, scene.snapshots)
    draft = Draft(spec, scene)
    if found is None:
        _create(draft)
    else:
        refusals.refuse_other_kind(spec, found)
    warnings = _retain(draft)
    refusals.refuse_unfinished(spec, scene.record, scene.snapshots, draft.deleted)
    abandoned = _without_begun(scene.record) if found is None else None
    return draft.finish(draft.record(), abandoned=abandoned, warnings=warnings)


def _create(draft: Draft) -> None:
    spec, scene = draft.spec, draft.scene
    kind = spec.type or words.EXTERNAL
    refusals.refuse_mixture(spec, kind, scene.snapshots)
    if not scene.existing.active:
        # Libvirt refuses it without a guest while there are any.
        draft.forget()
    made = Change(f"snapshots[{spec.snapshot}]", None, kind)
    begun = Begun(words.CREATE, running=scene.existing.active, target=spec.snapshot)
    if kind == words.INTERNAL:
        refusals.refuse_internal(spec, scene.existing, scene.traits)
        what = NewSnapshot(spec.snapshot, spec.description)
        draft.begin(draft.record(begun=begun))
        draft.step(verbs.CREATE_SNAPSHOT, spec.snapshot, made, what=what)
        return
    disks = refusals.choose_disks(spec, scene.existing, scene.traits)
    refusals.refuse_strayed(spec.name, scene.record, disks)
    if spec.quiesce:
        refusals.refuse_without_agent(spec.name, scene.existing, scene.agent)
    frozen = {disk.target: Frozen(disk.target, disk.path or "", disk.format) for disk in disks}
    layers = draft.new_layers(frozen)
    memory = draft.new_memory(layers[0]) if spec.memory else None
    draft.begin(draft.record(begun=begun))
    _make(draft, (*layers, *((memory,) if memory else ())))
    others = tuple(target for target in scene.traits.targets if target not in frozen)
    what = NewSnapshot(
        spec.snapshot, spec.description, layers, others, memory, spec.quiesce and scene.existing.state == "running"
    )
    draft.step(verbs.CREATE_SNAPSHOT, spec.snapshot, made, what=what)
    draft.chains = _over(draft.chains, layers, {**draft.chains.frozen, spec.snapshot: frozen})


def _make(draft: Draft, layers: t.Sequence[t.Any]) -> None:
    for layer in layers:
        made = Change(f"layers[{layer.volume}]", None, layer.target)
        draft.step(verbs.CREATE_DISK, layer.volume, made, what=layer)


def _over(chains: Chains, layers: t.Sequence[t.Any], frozen: t.Mapping[str, t.Any]) -> Chains:
    """Return the chains after disks went over to new layers."""
    active = {**chains.active, **{layer.target: layer.path for layer in layers}}
    backing = {**chains.backing, **{layer.path: layer.below for layer in layers}}
    return replace(chains, active=active, backing=backing, frozen=frozen)


def _retain(draft: Draft) -> tuple[str, ...]:
    """Delete what retention does not keep; return why some of it stays."""
    warnings = []
    for snapshot in _surplus(draft.spec, draft.scene):
        try:
            _delete(draft, snapshot)
        except ConflictError as exc:
            warnings.append(f"Retention: {exc.message}")
    return tuple(warnings)


def _surplus(spec: SnapshotSpec, scene: Scene) -> list[Snapshot]:
    """Return the snapshots that no rule of the retention keeps, oldest first; never the declared one."""
    if spec.retention is None:
        return []
    ours = {one.name: one for one in scene.snapshots if one.is_ours}
    aged = ((one.name, one.created) for one in ours.values())
    return [ours[name] for name in spec.retention.surplus(aged, spec.snapshot, scene.now)]


def _delete(draft: Draft, snapshot: Snapshot) -> None:
    draft.delete(snapshot, draft.record(begun=Begun(words.DELETE, target=snapshot.name)))


def _absent(spec: SnapshotSpec, scene: Scene) -> SnapshotIntent:
    found = refusals.find_ours(spec, scene.snapshots)
    draft = Draft(spec, scene)
    if found is not None:
        _delete(draft, found)
    refusals.refuse_unfinished(spec, scene.record, scene.snapshots, draft.deleted)
    return draft.finish(draft.record())


def _reverted(spec: SnapshotSpec, scene: Scene) -> SnapshotIntent:
    found = refusals.find_ours(spec, scene.snapshots)
    record, begun = scene.record, scene.record.begun
    refusals.refuse_unfinished(spec, record, scene.snapshots, ())
    snapshot = refusals.refuse_revert(spec, record, found, scene.traits, scene.existing)
    draft = Draft(spec, scene)
    if begun is not None and (begun.action, begun.target) == (words.FINISH_REVERT, snapshot.name):
        _go_on(draft, snapshot, begun.running, scene.existing.active)
        return draft.finish(draft.record())
    # What they remember would not be what is on the disks then, so that libvirt ends the guest rather than going back.
    draft.forget()
    was_running = scene.existing.active or bool(begun and begun.action in words.BEGUN and begun.running)
    if not snapshot.external:
        return _revert_internal(draft, snapshot, was_running)
    return _revert_external(draft, snapshot, was_running)


def _revert_internal(draft: Draft, snapshot: Snapshot, was_running: bool) -> SnapshotIntent:
    """Libvirt goes back to the definition of then as well; what is the instance's own by now is told it before."""
    record = draft.scene.record
    begun = Begun(words.FINISH_REVERT, running=was_running, target=snapshot.name)
    then = replace(
        snapshot.record or record,
        disks=record.disks,
        attached=record.attached,
        layers=record.layers,
        fleet=record.fleet,
        protected=record.protected,
        begun=begun,
    )
    draft.step(verbs.REVERT, snapshot.name, _went_back(snapshot), what=(snapshot, then))
    if was_running and not snapshot.memory:
        draft.step(verbs.START, "")
    return draft.finish(then)


def _revert_external(draft: Draft, snapshot: Snapshot, was_running: bool) -> SnapshotIntent:
    """All that has to be there is made first; one new definition is the turn, after which nothing leads back."""
    if snapshot.memory_path in draft.scene.gone:
        raise NotFoundError(f"The memory of snapshot {snapshot.name}, {snapshot.memory_path}, is gone.")
    layers = draft.new_layers({place.target: place for place in snapshot.frozen})
    begun = Begun(words.REVERT, running=was_running, target=snapshot.name)
    draft.begin(draft.record(begun=begun))
    _make(draft, layers)
    if draft.scene.existing.active:
        draft.step(verbs.POWER_OFF, "")
    turned = draft.record(begun=replace(begun, action=words.FINISH_REVERT))
    draft.step(verbs.REVERT, snapshot.name, _went_back(snapshot), what=(layers, turned))
    draft.chains = _over(draft.chains, layers, draft.chains.frozen)
    _go_on(draft, snapshot, was_running, is_active=False)
    abandoned = _without_begun(draft.scene.record)
    return draft.finish(draft.record(), abandoned=abandoned, runs=was_running)


def _go_on(draft: Draft, snapshot: Snapshot, was_running: bool, is_active: bool) -> None:
    """Add what follows when the definition is the one to go on with."""
    if snapshot.external:
        draft.step(verbs.SET_CURRENT, snapshot.name, what=snapshot)
    if is_active:
        return
    if snapshot.external and snapshot.memory:
        draft.step(
            verbs.RESTORE, snapshot.name, Change("power_state", None, snapshot.state, POWER_CYCLE), what=snapshot
        )
    elif was_running and not snapshot.memory:
        draft.step(verbs.START, "", Change("power_state", None, "running", POWER_CYCLE))


def _went_back(snapshot: Snapshot) -> Change:
    return Change("disks", "present", f"snapshot {snapshot.name}", LIVE if snapshot.memory else POWER_CYCLE)


def _without_begun(record: InstanceRecord) -> InstanceRecord:
    return replace(record, begun=None)


_PLANNERS: dict[str, t.Callable[[SnapshotSpec, Scene], SnapshotIntent]] = {
    words.PRESENT: _present,
    words.ABSENT: _absent,
    words.REVERTED: _reverted,
}
