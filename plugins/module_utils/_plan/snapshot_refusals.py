# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What stands against a snapshot, said before anything is touched. Pure."""

from __future__ import annotations

import typing as t

from .._errors import AgentAbsentError, AgentAwayError, ConflictError, NotFoundError, SpecError, UnsupportedError
from .._spec.record import InstanceRecord
from .._spec.snapshot import BEGUN, CREATE, DELETE, REVERTED, Snapshot, SnapshotSpec
from .._spec.snapshot_disk import DiskTraits, SnapshotTraits
from .existing import Existing
from .intent import power_of

_ALIVE = frozenset({"running", "blocked", "paused"})


def refuse_state(name: str, record: InstanceRecord, existing: Existing) -> None:
    """Refuse an instance that something else has brought into a state of its own."""
    begun = record.begun
    if record.rescue is not None or (begun is not None and "rescue" in begun.action):
        raise ConflictError(f"Instance {name} is rescued; run action unrescue before.")
    if record.shelved:
        raise ConflictError(f"Instance {name} is shelved; run action unshelve before.")
    if begun is not None and begun.action not in BEGUN:
        raise ConflictError(
            f"Action {begun.action} of instance {name} was interrupted; run it again, which finishes it."
        )
    if existing.saved and not existing.active:
        raise ConflictError(
            f"Instance {name} is suspended, and its saved memory belongs to its disks as they are; resume it first."
        )
    if existing.active and existing.state not in _ALIVE:
        raise ConflictError(f"Instance {name} is {power_of(existing)}; wake or stop it first.")


def refuse_unfinished(
    spec: SnapshotSpec, record: InstanceRecord, known: t.Iterable[Snapshot], deleted: t.Collection[str]
) -> None:
    """Refuse all but the end of what was interrupted; a snapshot that was about to be made is just taken back."""
    begun = record.begun
    if begun is None or begun.action == CREATE:
        return
    if begun.action == DELETE:
        if begun.target not in deleted and any(one.name == begun.target for one in known):
            raise ConflictError(
                f"Deleting snapshot {begun.target} of instance {spec.name} was interrupted; delete it first, which finishes"
                " it (state: absent)."
            )
    elif spec.state != REVERTED:
        raise ConflictError(
            f"Going back to snapshot {begun.target} of instance {spec.name} was interrupted; do that first, which finishes"
            " it (state: reverted)."
        )


def refuse_two_places(name: str, defined: SnapshotTraits, running: SnapshotTraits) -> None:
    """Refuse a guest with a disk that is to lie elsewhere after its next boot, and whose definition says nothing of how it is."""
    paths = {disk.target: disk.path for disk in defined.disks}
    for disk in running.disks:
        if paths.get(disk.target, disk.path) != disk.path:
            raise ConflictError(
                f"Disk {disk.target} of instance {name} lies on {disk.path}, and will lie on {paths[disk.target]} after its"
                " next boot; boot it first."
            )


def find_ours(spec: SnapshotSpec, snapshots: t.Iterable[Snapshot]) -> Snapshot | None:
    """Return the snapshot of that name, or refuse one that the collection did not make."""
    found = next((one for one in snapshots if one.name == spec.snapshot), None)
    if found is not None and not found.is_ours:
        raise ConflictError(
            f"Snapshot {spec.snapshot} of instance {spec.name} was not made by kilonova.compute, and is not touched;"
            " take another name, or delete it with virsh snapshot-delete."
        )
    return found


def refuse_other_kind(spec: SnapshotSpec, found: Snapshot) -> None:
    """Refuse a declaration that the snapshot which is there does not meet."""
    for option, declared, present in (("type", spec.type, found.type), ("memory", spec.memory, found.memory)):
        if declared not in (None, present):
            raise SpecError(
                option,
                f"snapshot {found.name} is there already, with {option}: {str(present).lower()}",
                "take another name, or delete it first",
            )


def refuse_mixture(spec: SnapshotSpec, kind: str, snapshots: t.Sequence[Snapshot]) -> None:
    """Refuse internal and external snapshots of one instance: a merge would lose what is internal in a volume."""
    other = next((one for one in snapshots if one.type != kind), None)
    if other is not None:
        raise SpecError(
            "type",
            f"instance {spec.name} has snapshot {other.name}, which is {other.type}, and can't have both kinds",
            f"declare type: {other.type}, or delete the others",
        )


def refuse_internal(spec: SnapshotSpec, existing: Existing, traits: SnapshotTraits) -> None:
    """Refuse an internal snapshot where libvirt has none."""
    if traits.pflash:
        raise UnsupportedError(
            f"Instance {spec.name} boots by UEFI, and libvirt takes no internal snapshots of such; take type: external."
        )
    for disk in traits.disks:
        if disk.format != "qcow2" or disk.obstacle:
            reason = disk.obstacle or f"has format {disk.format}"
            raise SpecError(
                "type", f"disk {disk.target} {reason}, and an internal snapshot has all disks", "take type: external"
            )
    if existing.active and spec.memory is False:
        raise SpecError(
            "memory", "an internal snapshot of a running guest has its memory", "stop it, or take type: external"
        )
    _refuse_memory(spec, existing, traits, existing.active or bool(spec.memory))


def _refuse_memory(spec: SnapshotSpec, existing: Existing, traits: SnapshotTraits, memory: bool) -> None:
    if not memory:
        return
    if not existing.active:
        raise SpecError("memory", f"instance {spec.name} is {power_of(existing)} and has none", "leave it out")
    if traits.host_devices:
        raise SpecError(
            "memory" if spec.memory else "type",
            f"instance {spec.name} has {', '.join(traits.host_devices)} of its host, whose state can't be saved with memory",
            "take type: external without memory, or take the device away first",
        )


def choose_disks(spec: SnapshotSpec, existing: Existing, traits: SnapshotTraits) -> tuple[DiskTraits, ...]:
    """Return the disks of an external snapshot, or refuse those that can't be in one."""
    _refuse_memory(spec, existing, traits, bool(spec.memory))
    known = {disk.target: disk for disk in traits.disks}
    for target in spec.disks or ():
        if target not in known:
            raise NotFoundError(
                f"Option disks: instance {spec.name} has no disk {target} that it could write to; there are:"
                f" {', '.join(sorted(known)) or 'none'}."
            )
    chosen = tuple(disk for disk in traits.disks if spec.disks is None or disk.target in spec.disks)
    for disk in chosen:
        if disk.obstacle:
            others = ", ".join(one.target for one in traits.disks if not one.obstacle) or "none of them"
            raise SpecError(
                "disks",
                f"disk {disk.target} of instance {spec.name} {disk.obstacle}, and so can't be in a snapshot",
                f"name those that shall be in it, of {others}",
            )
    if not chosen:
        raise ConflictError(
            f"Instance {spec.name} has no disk that it could write to, so there is nothing to snapshot."
        )
    return chosen


def refuse_strayed(name: str, record: InstanceRecord, disks: t.Iterable[DiskTraits]) -> None:
    """Refuse disks that lie on something that neither was made for them nor is a layer of ours."""
    known = {disk.target: disk.volume for disk in record.volumes}
    for disk in disks:
        volume = (disk.path or "").rpartition("/")[2]
        if disk.target in known and volume != known[disk.target] and not record.layer_of(disk.target, disk.path):
            raise ConflictError(
                f"Disk {disk.target} of instance {name} lies on {disk.path} and not on volume {known[disk.target]}, after a"
                " snapshot or a move by hand; merge that snapshot or point the disk back first."
            )


def refuse_without_agent(name: str, existing: Existing, agent: str | None) -> None:
    """Refuse to freeze file systems where nobody in the guest can do it."""
    if not existing.active:
        return
    if existing.state == "paused":
        raise SpecError("quiesce", f"instance {name} is paused, so that nobody in it can answer", "resume it first")
    if agent is None:
        raise AgentAbsentError(
            f"Option quiesce: instance {name} has no channel to a guest agent; declare guest_agent: true for it, or"
            " leave quiesce out."
        )
    if agent != "connected":
        raise AgentAwayError(
            f"Option quiesce: the guest agent of instance {name} is {agent}; wait for it, or leave quiesce out."
        )


def refuse_revert(
    spec: SnapshotSpec, record: InstanceRecord, found: Snapshot | None, traits: SnapshotTraits, existing: Existing
) -> Snapshot:
    """Return the snapshot to go back to, or refuse that."""
    if found is None:
        raise NotFoundError(f"Instance {spec.name} has no snapshot {spec.snapshot}.")
    if record.protected:
        raise ConflictError(
            f"Instance {spec.name} is protected, and going back to a snapshot loses what is on its disks; declare it with"
            " protected: false before."
        )
    if not spec.discard_changes:
        raise SpecError(
            "discard_changes",
            f"going back to snapshot {found.name} loses all that instance {spec.name} wrote since the last snapshot",
            "give discard_changes: true if that is meant, or take another snapshot before",
        )
    present = {disk.target: disk.path for disk in traits.disks}
    for target, path in found.sources if found.memory or not found.external else ():
        if target not in present or (not found.external and present[target] != path):
            raise ConflictError(
                f"Disk {target} of instance {spec.name} was taken away or replaced since snapshot {found.name}; give it back"
                f" first ({path})."
            )
    _refuse_partial(spec, found, present, existing)
    then = found.record or InstanceRecord()
    if (found.memory or not found.external) and (then.vcpus > record.vcpus or then.memory_mb > record.memory_mb):
        raise ConflictError(
            f"Instance {spec.name} was larger when snapshot {found.name} was taken ({then.vcpus} vCPUs,"
            f" {then.memory_mb} MiB of memory); resize it first, by which the host's room is claimed."
        )
    return found


def _refuse_partial(
    spec: SnapshotSpec, found: Snapshot, present: t.Mapping[str, str | None], existing: Existing
) -> None:
    if not found.external:
        return
    held = {place.target for place in found.frozen}
    lost = sorted(held - present.keys())
    if lost:
        raise ConflictError(
            f"Disk {lost[0]} of instance {spec.name} was taken away since snapshot {found.name}; give it back first."
        )
    others = sorted(present.keys() - held)
    if others and existing.active:
        raise ConflictError(
            f"Instance {spec.name} runs, and snapshot {found.name} does not have its disk {', '.join(others)}, which would"
            " lose what is not yet written; stop it first."
        )
