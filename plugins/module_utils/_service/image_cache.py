# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A pool's images as a cache: what nothing needs is found and removed, without a moment in which it could be needed."""

from __future__ import annotations

import contextlib
import io
import typing as t
from dataclasses import dataclass, replace

from .._driver.connection import Connection
from .._driver.storage import find_pool
from .._errors import DriverError, ExistsError, WaitTimeoutError
from .._plan.image_cache import NOTE_UNUSED, NOTE_USED, REMOVE, CachedImage, CacheState, plan_cache, total_size
from .._plan.plan import Plan
from .._spec.image_cache import NOTE_BYTES, CacheSpec, digest_of, note_content, note_name
from .._spec.image_record import ImageRecord
from .._spec.instant import written
from .image_store import ImageStore
from .image_survey import StoredImage, Survey, take_survey
from .image_usage import Usage, read_usage
from .lock import image_data_lock, image_lock

_SOURCES = ("url:", "path:", "host:")
"""What an image can be fetched from again; one that was made here is nowhere else."""


@dataclass(frozen=True)
class CacheOutcome:
    """What was planned, what of it was done, and what is there afterwards."""

    plan: Plan
    removed: tuple[CachedImage, ...]
    left: tuple[CachedImage, ...]
    skipped: tuple[tuple[CachedImage, str], ...] = ()
    """What was to go and stayed, each with the reason in words."""


def collect(connection: Connection, spec: CacheSpec, now: int, check_mode: bool) -> CacheOutcome:
    """Remove what of the pool's images nothing needs, as far as ``spec`` wants that."""
    store = ImageStore(connection, find_pool(connection, spec.pool))
    survey = take_survey(store, thorough=True)
    state = cache_state(store, survey)
    plan = plan_cache(spec, state, now)
    return carry_out(store, survey, state, plan, None if check_mode else now)


def carry_out(store: ImageStore, survey: Survey, state: CacheState, plan: Plan, now: int | None) -> CacheOutcome:
    """Do what is planned, and tell what came of it; without a time nothing is done, and it is told what would be."""
    going = [image for image in state.images if _goes(plan, image)]
    skipped: dict[str, str] = {}
    if plan.changed and now is not None:
        records = {image.volume.name: image.records for image in survey.images}
        _write_notes(store, plan, state, now)
        skipped = _remove(store, {image.volume: records[image.volume] for image in going})
    removed = tuple(image for image in going if image.volume not in skipped)
    left = tuple(image for image in state.images if image not in removed)
    stayed = tuple((image, skipped[image.volume]) for image in going if image.volume in skipped)
    return CacheOutcome(_without(plan, [image for image, _reason in stayed]), removed, left, stayed)


def as_result(spec: CacheSpec, outcome: CacheOutcome) -> dict[str, t.Any]:
    """Return what the module tells."""
    size = total_size(outcome.left)
    excess = 0 if spec.max_size is None else max(0, size - spec.max_size)
    warnings = [f"Image {_called(image)} of pool {spec.pool} stays: {why}." for image, why in outcome.skipped]
    if excess:
        warnings.append(
            f"The images of pool {spec.pool} take {size} bytes, which is {excess} more than max_size allows, and all that is"
            " left of them is in use, kept, or can't be fetched again."
        )
    return {
        **outcome.plan.as_result(),
        "diff": outcome.plan.as_diff(),
        "removed": [_row(image) for image in outcome.removed],
        "freed_bytes": total_size(outcome.removed),
        "size_bytes": size,
        "excess_bytes": excess,
        "warnings": warnings,
    }


def _row(image: CachedImage) -> dict[str, t.Any]:
    return {
        "names": list(image.names),
        "volume": image.volume,
        "allocation_bytes": image.size,
        "unused_since": None if image.unused_since is None else written(image.unused_since),
    }


def cache_state(store: ImageStore, survey: Survey, without: t.Collection[str] = ()) -> CacheState:
    """Return what is known of the pool's images but those with data in the volumes ``without``."""
    images = [_cached(image, survey) for image in survey.images if image.volume.name not in without]
    leftovers = [image.volume for image in images if image.is_leftover]
    if leftovers and not survey.usage.blind_spots:
        still = set(store.still([volume for volume in leftovers if _is_free(store, volume)]))
        busy = set(leftovers) - still
        images = [replace(image, is_worked_on=image.volume in busy) for image in images]
    return CacheState(tuple(images), survey.stray_notes, tuple(survey.usage.blind_spots))


def _cached(image: StoredImage, survey: Survey) -> CachedImage:
    return CachedImage(
        image.volume.name,
        image.names,
        image.volume.allocation,
        tuple(survey.users(image)),
        image.unused_since,
        max((record.fetched_at for record in image.records), default=""),
        all(str(record.source_id).startswith(_SOURCES) for record in image.records),
    )


def _is_free(store: ImageStore, volume: str) -> bool:
    """Tell whether no run on this machine is at work on a volume."""
    with contextlib.suppress(WaitTimeoutError), image_data_lock(store.pool.uuid, volume, store.pool.name, 0):
        return True
    return False


def _goes(plan: Plan, image: CachedImage) -> bool:
    return any((action.verb, action.target) == (REMOVE, image.volume) for action in plan.actions)


def _without(plan: Plan, stayed: list[CachedImage]) -> Plan:
    """Return the plan without what was not done of it."""
    targets = {target for image in stayed for target in (image.volume, *image.names)}
    return Plan(plan.resource, tuple(action for action in plan.actions if action.target not in targets))


def _called(image: CachedImage) -> str:
    return ", ".join(image.names) or image.volume


def _write_notes(store: ImageStore, plan: Plan, state: CacheState, now: int) -> None:
    used = [note_name(action.target) for action in plan.actions if action.verb == NOTE_USED]
    for name in (*used, *state.stray_notes):
        note = store.pool.find(name)
        if note:
            note.delete()
    for action in plan.actions:
        if action.verb == NOTE_UNUSED:
            _write_note(store, action.target, now)


def _write_note(store: ImageStore, volume: str, now: int) -> None:
    name = note_name(volume)
    # It may be there from a run that was killed before it wrote anything.
    with contextlib.suppress(ExistsError):
        store.pool.create(name, NOTE_BYTES, "raw", allocation=NOTE_BYTES)
    note = store.pool.find(name)
    if note:
        note.upload(io.BytesIO(note_content(now)), NOTE_BYTES)


def _remove(store: ImageStore, going: t.Mapping[str, tuple[ImageRecord, ...]]) -> dict[str, str]:
    """Remove what is still as it was seen; return what was not, each with the reason."""
    skipped: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for volume, records in going.items():
            if not _lock(store, stack, volume, records):
                skipped[volume] = "another run works on it"
        present = store.records()
        for volume, records in going.items():
            if {one.name: one for one in present if one.volume == volume} != {one.name: one for one in records}:
                skipped.setdefault(volume, "what is published with it was changed just now")
        taken = {volume: records for volume, records in going.items() if volume not in skipped}
        if taken:
            skipped.update(_unpublish_and_remove(store, taken))
    return skipped


def _lock(store: ImageStore, stack: contextlib.ExitStack, volume: str, records: t.Iterable[ImageRecord]) -> bool:
    """Keep other runs here off the image while the stack lasts, unless one has it."""
    with contextlib.ExitStack() as own, contextlib.suppress(WaitTimeoutError):
        for name in sorted(record.name for record in records):
            own.enter_context(image_lock(store.pool.uuid, name, 0))
        own.enter_context(image_data_lock(store.pool.uuid, volume, store.pool.name, 0))
        stack.push(own.pop_all())
        return True
    return False


def _unpublish_and_remove(store: ImageStore, taken: t.Mapping[str, tuple[ImageRecord, ...]]) -> dict[str, str]:
    """Take the names away, and look only then who lies on the data: who comes later sees that the image is gone."""
    skipped: dict[str, str] = {}
    waiting = dict(taken)
    try:
        for records in taken.values():
            for record in records:
                store.remove_record(record.name)
        usage = read_usage(store.connection, thorough=True)
        for volume in taken:
            reason = _obstacle(store, usage, volume) or _try_removal(store, volume)
            if reason is None:
                waiting.pop(volume)
            else:
                skipped[volume] = reason
    finally:
        # Also what could not be decided, because the hypervisor went away or the run is ended, stays as it was.
        for records in waiting.values():
            for record in records:
                store.write_record(record)
    return skipped


def _obstacle(store: ImageStore, usage: Usage, volume: str) -> str | None:
    found = store.pool.find(volume)
    users = [*usage.users(found.path), *usage.claimed_by(digest_of(volume))] if found else []
    if users:
        return f"it is in use by {', '.join(users)} since just now"
    if usage.blind_spots:
        return f"it can't be told any more whether it is in use by {'; '.join(usage.blind_spots)}"
    return None


def _try_removal(store: ImageStore, volume: str) -> str | None:
    """Remove the data; libvirt keeps what is being read or written, as by a run that copies it."""
    try:
        store.remove_data(volume, patience=0)
    except DriverError as exc:
        return f"it can't be removed ({exc})"
    return None
