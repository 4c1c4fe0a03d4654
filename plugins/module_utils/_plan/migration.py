# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance between two hosts as both have it, and the steps of a move. Pure.

The destination gets a definition first, with the mark ``arrive``: so the room is promised, and what is made there belongs
to somebody. The source's own mark says which of the two counts, and is switched once: while it is ``migrate``, the source's
does, and what is at the destination may be thrown away; from ``moved`` on, the destination's does. A live move is switched by
libvirt itself, and tells by where the guest runs. Whatever is killed, one of the two is the instance, and the next run knows
which.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._errors import ConflictError, NotFoundError
from .._spec.migration import ARRIVE, COLD, LIVE, MOVED, MOVING, MigrationSpec
from .._spec.record import Begun, InstanceRecord, OwnedDisk
from .existing import Existing
from .plan import Action, Change, Plan
from .refusals import check_ours

DISCARD = "discard_copy"
DEFINE = "define"
FETCH = "fetch_image"
COPY_SEED = "copy_seed"
RESERVE = "reserve_address"
CREATE = "create_disk"
COPY = "copy_disk"
LIVE_MOVE = "migrate"
STOP = "stop"
POWER_OFF = "power_off"
"""Of a guest that goes on at the destination, and is held at the source since libvirt was not told so any more."""
SWITCH = "switch"
START = "start"
FINISH = "finish"
DELETE = "delete_disk"
UNDEFINE = "undefine"

THERE, FRESH, HALF = "there", "fresh", "half"
"""The instance is at the destination; it is to be moved; it has been moved, and what is left of it is to be tidied up."""


@dataclass(frozen=True)
class End:
    """One of the two hosts, and what it has by the instance's name."""

    uri: str
    uuid: str
    existing: Existing | None = None
    autostart: bool = False

    @property
    def record(self) -> InstanceRecord | None:
        """Return the instance's record."""
        return self.existing.record if self.existing else None

    @property
    def begun(self) -> Begun | None:
        """Return the mark of a move."""
        begun = self.record.begun if self.record else None
        return begun if begun and begun.action in MOVING else None

    @property
    def active(self) -> bool:
        """Tell whether there is a guest."""
        return self.existing is not None and self.existing.active


@dataclass(frozen=True)
class Ends:
    """Both."""

    source: End
    target: End


@dataclass(frozen=True)
class ImageMove:
    """A base image that the destination lacks: ``name`` is the source's, ``published`` what it is called there."""

    name: str
    published: str
    pool: str
    volume: str


@dataclass(frozen=True)
class DiskMove:
    """A disk that was made for the instance; ``base`` is the path of its image at the destination."""

    owned: OwnedDisk
    format: str
    capacity_bytes: int
    path: str
    base: str | None = None
    base_format: str | None = None


@dataclass(frozen=True)
class Baggage:
    """All that is moved with the instance."""

    mode: str
    record: InstanceRecord
    """As it is to be at the destination."""
    disks: tuple[DiskMove, ...] = ()
    seed: DiskMove | None = None
    images: tuple[ImageMove, ...] = ()
    logs: tuple[str, ...] = ()
    """Names of the volumes at the source that are its console's log."""
    paths: t.Mapping[str, str] = field(default_factory=dict)
    """Of all disks and drives with something in them at the destination, by target."""
    shared: frozenset[str] = frozenset()
    """The source's storage pools that the destination has as well, so that what lies there stays."""


@dataclass(frozen=True)
class Step(Action):
    """A step, and what its performer is told besides."""

    what: t.Any = None


def stage_of(spec: MigrationSpec, ends: Ends) -> str:
    """Return how far the instance is on its way, or raise what nobody but the user can decide."""
    source, target = ends.source, ends.target
    if source.existing is None:
        return _stage_alone(spec, ends)
    check_ours(spec.name, spec.fleet, source.existing)
    begun = source.begun
    if begun is not None and (begun.action == ARRIVE or begun.target != target.uuid):
        way = "to" if begun.action == ARRIVE else "from"
        raise ConflictError(
            f"A move of instance {spec.name} {way} {source.uri} was interrupted (the other host is {begun.target}); run that"
            " again, which finishes it."
        )
    if begun is not None and begun.action == MOVED:
        return _stage_moved(spec, ends)
    if target.existing is None or not is_half(ends):
        return FRESH
    if source.existing.state == "running" or target.begun is not None:
        _refuse_two(spec, ends)
        return FRESH
    # What libvirt has moved whole has no mark at the destination.
    return HALF if begun is not None else FRESH


def is_half(ends: Ends) -> bool:
    """Tell whether what the destination has is of a move of this instance that has not ended."""
    source, target = ends.source, ends.target
    if source.existing is None or target.existing is None or target.record is None:
        return False
    if source.existing.machine.uuid != target.existing.machine.uuid:
        return False
    arrives = target.begun is not None and target.begun.action == ARRIVE and target.begun.target == source.uuid
    return arrives or (source.begun is not None and target.record.begun is None)


def is_in_doubt(ends: Ends) -> bool:
    """Tell whether there is a guest at the destination beside an instance that counts at the source, as amid a live move."""
    source, target = ends.source, ends.target
    if source.existing is None or not target.active or not is_half(ends):
        return False
    is_switched = source.begun is not None and source.begun.action == MOVED
    return not is_switched and (source.existing.state == "running" or target.begun is not None)


def _refuse_two(spec: MigrationSpec, ends: Ends) -> None:
    if ends.target.active:
        raise ConflictError(
            f"Instance {spec.name} was left in the middle of a move, and there is a guest of it at {ends.target.uri} beside"
            f" the one that counts, at {ends.source.uri}. Make sure that nobody else moves or starts it, destroy the guest at"
            " the destination (virsh destroy), and run again."
        )


def _stage_moved(spec: MigrationSpec, ends: Ends) -> str:
    if ends.source.active or ends.target.existing is None or not is_half(ends):
        where = "runs" if ends.source.active else "is left"
        raise ConflictError(
            f"Instance {spec.name} was moved from {ends.source.uri} to {ends.target.uri}. What of it {where} at the source is"
            " not touched, since the destination's is not what was left there."
        )
    return HALF


def _stage_alone(spec: MigrationSpec, ends: Ends) -> str:
    target = ends.target
    if target.existing is None:
        raise NotFoundError(
            f"Option name: there is no instance {spec.name}, neither at {ends.source.uri} nor at {target.uri}.",
            {"option": "name"},
        )
    check_ours(spec.name, spec.fleet, target.existing)
    if target.begun is not None:
        raise ConflictError(
            f"Instance {spec.name} at {target.uri} was left in the middle of a move ({target.begun.action}, the other host is"
            f" {target.begun.target}), and is not at {ends.source.uri}. Run that move again; what is only half there is removed"
            " with compute_instance, state: absent."
        )
    return THERE


def plan_move(spec: MigrationSpec, ends: Ends, baggage: Baggage) -> Plan:
    """Return all steps of a move from its beginning."""
    name = spec.name
    steps = []
    if ends.target.existing is not None:
        steps.append(Step(DISCARD, name))
    steps.append(Step(DEFINE, name, (Change("host", ends.source.uri, ends.target.uri),), baggage))
    steps += [
        Step(FETCH, image.published, (Change("image", None, image.published),), image) for image in baggage.images
    ]
    if baggage.seed is not None:
        steps.append(Step(COPY_SEED, name, (), baggage.seed))
    steps += [Step(RESERVE, f"{name}/{fixed.mac}", (), fixed) for fixed in baggage.record.fixed_ips if fixed.network]
    if baggage.mode == LIVE:
        steps += [_disk_step(CREATE, name, disk) for disk in baggage.disks]
        steps.append(Step(LIVE_MOVE, name, (), baggage))
    else:
        steps += [Step(STOP, name)] if ends.source.active else []
        steps += [_disk_step(COPY, name, disk) for disk in baggage.disks]
        steps.append(Step(SWITCH, name))
    is_to_start = baggage.mode == COLD and runs(ends.source)
    return Plan(f"instance {name}", (*steps, *tidy_steps(name, ends, is_to_start, baggage.shared)))


def _disk_step(verb: str, name: str, disk: DiskMove) -> Step:
    moved = Change(f"disks[{disk.owned.target}]", disk.owned.volume, disk.path)
    return Step(verb, f"{name}/{disk.owned.target}", (moved,), disk)


def plan_tidy(spec: MigrationSpec, ends: Ends, shared: frozenset[str] = frozenset()) -> Plan:
    """Return what is left to do when the destination's copy is the one that counts; pools that are ``shared`` stay as they are."""
    begun = ends.source.begun
    # One that was finished there and is off by now was switched off by somebody.
    is_cold = begun is not None and begun.action == MOVED and ends.target.begun is not None
    is_to_start = is_cold and runs(ends.source) and not ends.target.active
    stop = (Step(POWER_OFF, spec.name),) if ends.source.active else ()
    return Plan(f"instance {spec.name}", (*stop, *tidy_steps(spec.name, ends, is_to_start, shared)))


def runs(end: End) -> bool:
    """Tell whether the guest shall run when all is done: it does, or did before a move of it was begun."""
    return end.active or bool(end.begun and end.begun.running)


def tidy_steps(name: str, ends: Ends, is_to_start: bool, shared: frozenset[str]) -> t.Iterator[Step]:
    """Give the steps that end a move."""
    if is_to_start:
        yield Step(START, name)
    yield Step(FINISH, name)
    record = ends.source.record
    if record is None:
        return
    for owned in owned_volumes(record):
        if owned.pool not in shared:
            yield Step(DELETE, f"{name}/{owned.target}", (), owned)
    yield Step(UNDEFINE, name, (), record)


def owned_volumes(record: InstanceRecord) -> tuple[OwnedDisk, ...]:
    """Return all volumes that were made for an instance."""
    seed = seed_disk(record)
    return (*record.disks, *([seed] if seed else []))


def seed_disk(record: InstanceRecord) -> OwnedDisk | None:
    """Return the volume that tells of the first boot."""
    seed = record.seed
    return OwnedDisk(seed.target, seed.pool, seed.volume) if seed else None
