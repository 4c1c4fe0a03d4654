# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Images: what is published in a pool is read, compared with what is declared, and brought about."""

from __future__ import annotations

import contextlib
import datetime
import time
import typing as t
from dataclasses import dataclass, field, replace
from functools import partial

from .._driver.connection import Connection
from .._driver.storage import find_pool
from .._errors import ComputeError, ConflictError, ImageError, WaitTimeoutError
from .._plan.plan import Action, Change, Plan
from .._spec.image import ImageSpec
from .._spec.image_format import published_format
from .._spec.image_metadata import ImageMetadata
from .._spec.image_record import ImageRecord, record_volume_name, work_volume_name
from ._image.capture import Capture
from ._image.checksums import resolve_checksum
from ._image.fetched import Fetched
from ._image.instance_disk import inherited_metadata
from ._image.offer import Offer, offers
from ._image.signature import name_signers, verify
from ._image.tools import NOTHING, Tools
from .cache_room import CacheRoom
from .fetch import fetch, source_mtime_ns
from .image_row import image_row
from .image_store import ImageStore
from .lock import image_data_lock, image_lock
from .pool_limits import refuse_remote
from .pool_room import data_bytes

FETCH = "fetch_image"
PUBLISH = "publish_image"
UNPUBLISH = "unpublish_image"
REMOVE = "remove_volume"
UNKNOWN_YET = "(known when fetched)"


@dataclass(frozen=True)
class ImageState:
    """What is in the pool: ``record`` counts only with its data; ``twin`` is another image with the wanted data."""

    record: ImageRecord | None = None
    path: str | None = None
    """Where its data is."""
    has_record: bool = False
    """There is a record, be it unreadable or without data."""
    source_mtime_ns: int | None = None
    offer: ImageRecord | None = None
    """The published image that another hypervisor has."""
    inherited: ImageMetadata = field(default_factory=ImageMetadata)
    """What is known of an instance's disk beforehand."""
    twin: ImageRecord | None = None
    unused: tuple[str, ...] = ()
    """Data volumes that nothing needs once the image is as declared."""
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageOutcome:
    """What was planned, and the image as it is now."""

    plan: Plan
    image: dict[str, t.Any] | None = field(default=None)
    warnings: tuple[str, ...] = ()


def ensure_image(connection: Connection, spec: ImageSpec, check_mode: bool, tools: Tools = NOTHING) -> ImageOutcome:
    """Bring the image about that ``spec`` declares."""
    store = ImageStore(connection, find_pool(connection, spec.pool))
    remedy = "publish it in a dir, fs, netfs or logical pool, or import it as a plain volume (rbd import), which compute_volume copies"
    refuse_remote(store.pool.describe(), "pool", "write", remedy)
    spec = resolve_checksum(spec, lambda content: verify(spec, content, tools.run, tools.directory))
    spec = name_signers(spec, tools.run, tools.directory)
    capture = Capture(store, spec, tools)
    with offers(spec) as ask:
        state = read_state(store, spec, ask)
        plan = plan_image(spec, state)
        if plan.has(FETCH) and check_mode:
            plan = _before_publishing(plan, _room(store, spec, plan).foresee(*_known_bytes(spec, ask())))
        elif plan.changed and not check_mode:
            with image_lock(store.pool.uuid, spec.name, spec.timeout):
                state = read_state(store, spec, ask)
                plan = _apply(store, spec, state, plan_image(spec, state), partial(_get, capture, ask))
                state = _read_own(store, spec)
    return ImageOutcome(plan, _as_result(store, state) if spec.present else None, tuple(capture.warnings))


def _get(
    capture: Capture, ask: t.Callable[[], Offer | None], announced: t.Callable[[int], None]
) -> t.ContextManager[Fetched]:
    capture = replace(capture, tools=replace(capture.tools, announced=announced))
    return _captured(capture) if capture.spec.instance else fetch(capture.spec, ask(), capture.tools)


def _room(store: ImageStore, spec: ImageSpec, plan: Plan) -> CacheRoom:
    return CacheRoom(store, spec, (action.target for action in plan.actions if action.verb == REMOVE))


def _known_bytes(spec: ImageSpec, offer: Offer | None) -> tuple[int, ...]:
    """Return how much room the image will take, where that can be told without fetching it."""
    record = offer and offer.record
    is_kept = record and published_format(record.format, spec.convert_to) == record.format
    return (offer.data_bytes,) if offer and is_kept else ()


def _before_publishing(plan: Plan, actions: tuple[Action, ...]) -> Plan:
    place = next(index for index, action in enumerate(plan.actions) if action.verb == PUBLISH)
    return replace(plan, actions=(*plan.actions[:place], *actions, *plan.actions[place:]))


@contextlib.contextmanager
def _captured(capture: Capture) -> t.Iterator[Fetched]:
    """Give a copy of an instance's disk; runs that tidy up leave the volume alone in which it lies meanwhile."""
    lock = _data_lock(capture.store, work_volume_name(capture.spec.name), capture.spec.timeout)
    with lock, capture.run() as fetched:
        yield fetched


def read_state(store: ImageStore, spec: ImageSpec, ask: t.Callable[[], Offer | None]) -> ImageState:
    """Read what is there; the whole pool and host, and what others have, only where something is to do."""
    state = _read_own(store, spec)
    if spec.present:
        if state.record and spec.checksum and _has_data(spec, state):
            return state
        offer = ask()
        if offer:
            state = replace(state, offer=offer.record, source_mtime_ns=offer.changed_ns)
        if _has_data(spec, state):
            return state
        if spec.instance:
            state = replace(state, inherited=inherited_metadata(store, spec.instance))
        return _read_for_publishing(store, spec, state)
    if store.pool.find(record_volume_name(spec.name)) is None:
        return state
    return _read_for_removal(store, spec, replace(state, has_record=True))


def _read_own(store: ImageStore, spec: ImageSpec) -> ImageState:
    record = store.record(spec.name)
    data = store.data(record) if record else None
    if data is None:
        return ImageState(source_mtime_ns=source_mtime_ns(spec))
    return ImageState(record, data.path, has_record=True, source_mtime_ns=source_mtime_ns(spec))


def _read_for_publishing(store: ImageStore, spec: ImageSpec, state: ImageState) -> ImageState:
    records = [record for record in store.records() if store.data(record)]
    twins = (
        record
        for record in records
        if _fits(spec, record) and (_has_digest(spec, record) or _is_offered(state, record))
    )
    twin = next(twins, None)
    others = [record for record in records if record.name != spec.name]
    candidates = store.unused_data([*others, *([twin] if twin else [])])
    return replace(state, twin=twin, unused=tuple(candidates))


def _read_for_removal(store: ImageStore, spec: ImageSpec, state: ImageState) -> ImageState:
    others = [record for record in store.records() if record.name != spec.name]
    unused = store.unused_data(others)
    if state.record is None or state.record.volume in {record.volume for record in others}:
        return replace(state, unused=tuple(unused))
    users = [] if state.record.volume in unused else store.users(state.record.volume)
    return replace(state, unused=tuple(unused), users=tuple(users))


def plan_image(spec: ImageSpec, state: ImageState) -> Plan:
    """Compare what is declared with what is there."""
    resource = f"image {spec.name} in pool {spec.pool}"
    if not spec.present:
        return Plan(resource, _removal(spec, state))
    if state.record and _has_data(spec, state):
        said = tuple(_record_changes(spec, state.record))
        return Plan(resource, (Action(PUBLISH, spec.name, said),) if said else ())
    removals = tuple(Action(REMOVE, volume) for volume in state.unused)
    publish = Action(PUBLISH, spec.name, tuple(_publication(spec, state)))
    if state.twin:
        return Plan(resource, (publish, *removals))
    return Plan(resource, (Action(FETCH, spec.source), publish, *removals))


def _removal(spec: ImageSpec, state: ImageState) -> tuple[Action, ...]:
    if not state.has_record:
        return ()
    if state.users:
        raise ConflictError(
            f"Image {spec.name} of pool {spec.pool} is in use by {', '.join(state.users)}; remove those first.",
            {"users": list(state.users)},
        )
    digest = state.record.digest if state.record else "(unreadable)"
    changes = (Change("image.digest", digest, None),)
    return (Action(UNPUBLISH, spec.name, changes), *(Action(REMOVE, volume) for volume in state.unused))


def _publication(spec: ImageSpec, state: ImageState) -> t.Iterator[Change]:
    known = state.twin or _unchanged_offer(spec, state)
    wanted = (
        ("source", state.twin.source if state.twin else spec.source),
        ("checksum", _checksum(spec, state)),
        ("signed_by", _signer(spec, state.twin)),
        ("digest", known.digest if known else UNKNOWN_YET),
        ("format", known.format if known else spec.published_format or UNKNOWN_YET),
    )
    for key, after in wanted:
        before = getattr(state.record, key) if state.record else None
        if before != after:
            yield Change(f"image.{key}", before, after)
    was = state.record.metadata if state.record else ImageMetadata()
    yield from _metadata_changes(spec, was, _base_metadata(state))


def _signer(spec: ImageSpec, known: ImageRecord | None) -> str | None:
    if known:
        return spec.signed_by or known.signed_by
    return UNKNOWN_YET if spec.is_signed_itself else spec.signed_by


def _unchanged_offer(spec: ImageSpec, state: ImageState) -> ImageRecord | None:
    """Return what another hypervisor has if it is published here as it is there."""
    is_kept = state.offer and published_format(state.offer.format, spec.convert_to) == state.offer.format
    return state.offer if is_kept else None


def _checksum(spec: ImageSpec, state: ImageState) -> str | None:
    """Return what the image is known by besides its own digest: what was declared, here or where it comes from."""
    if spec.checksum:
        return str(spec.checksum)
    return (state.offer.checksum or state.offer.source_digest) if state.offer else None


def _base_metadata(state: ImageState) -> ImageMetadata:
    """Return what is known of the data beforehand."""
    known = state.offer or state.twin
    return known.metadata if known else state.inherited


def _record_changes(spec: ImageSpec, record: ImageRecord) -> t.Iterator[Change]:
    """Say what is known anew of data that stays."""
    if _signer(spec, record) != record.signed_by:
        yield Change("image.signed_by", record.signed_by, _signer(spec, record))
    yield from _metadata_changes(spec, record.metadata, record.metadata)


def _metadata_changes(spec: ImageSpec, was: ImageMetadata, base: ImageMetadata) -> t.Iterator[Change]:
    """Say what changes when ``base`` is published with what is declared; what is not declared stays with its data."""
    before, after = was.said(), spec.metadata.over(base).said()
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield Change(f"image.metadata.{key}", before.get(key), after.get(key))


def _has_data(spec: ImageSpec, state: ImageState) -> bool:
    record = state.record
    if record is None or spec.format not in (None, record.fetched_format):
        return False
    if spec.convert_to not in (None, record.format) and record.fetched_format != "iso":
        return False
    if not _is_trusted(spec, record):
        return False
    if spec.checksum:
        return _has_digest(spec, record)
    if state.offer:
        return _is_offered(state, record)
    return record.source_id == spec.source_id and record.source_mtime_ns == state.source_mtime_ns


def _fits(spec: ImageSpec, record: ImageRecord) -> bool:
    """Tell whether another image's data is what fetching it again would give."""
    if not _is_trusted(spec, record):
        return False
    fetched = record.fetched_format
    return spec.format in (None, fetched) and record.format == published_format(fetched, spec.convert_to)


def _is_trusted(spec: ImageSpec, record: ImageRecord) -> bool:
    """Tell whether it is known of the data that somebody who may do so has signed it, where that is asked for."""
    return not spec.is_signed_itself or record.signed_by in spec.signers


def _has_digest(spec: ImageSpec, record: ImageRecord) -> bool:
    return spec.checksum is not None and str(spec.checksum) in (record.fetched_digest, record.checksum)


def _is_offered(state: ImageState, record: ImageRecord) -> bool:
    return state.offer is not None and state.offer.digest in (record.digest, record.fetched_digest)


def _apply(
    store: ImageStore,
    spec: ImageSpec,
    state: ImageState,
    plan: Plan,
    get: t.Callable[[t.Callable[[int], None]], t.ContextManager[Fetched]],
) -> Plan:
    """Do what is planned, and return it with what was done beside it to make room."""
    done: tuple[Action, ...] = ()
    if plan.has(UNPUBLISH):
        store.remove_record(spec.name)
    elif plan.has(FETCH):
        room = _room(store, spec, plan)
        room.foresee()
        with get(room.announced) as fetched:
            record = _record_of(spec, state, fetched)
            with room.made(data_bytes(fetched), record.volume) as done:
                _publish(store, record, spec.timeout, fetched)
    elif plan.has(PUBLISH) and state.twin:
        said = spec.metadata.over(_base_metadata(state))
        signed_by = _signer(spec, state.twin)
        record = replace(
            state.twin, name=spec.name, checksum=_checksum(spec, state), signed_by=signed_by, metadata=said
        )
        _publish(store, record, spec.timeout, None)
    elif plan.has(PUBLISH) and state.record:
        said = spec.metadata.over(state.record.metadata)
        record = replace(state.record, signed_by=_signer(spec, state.record), metadata=said)
        _publish(store, record, spec.timeout, None)
    _clean(store, spec, state, [action.target for action in plan.actions if action.verb == REMOVE])
    return _before_publishing(plan, done) if done else plan


def _record_of(spec: ImageSpec, state: ImageState, fetched: Fetched) -> ImageRecord:
    taken_at = time.time() if fetched.taken_at is None else fetched.taken_at
    when = datetime.datetime.fromtimestamp(taken_at, datetime.timezone.utc).replace(microsecond=0)
    return ImageRecord(
        name=spec.name,
        digest=fetched.digest,
        format=fetched.inspection.format,
        virtual_size_bytes=fetched.inspection.virtual_size_bytes,
        size_bytes=fetched.size_bytes,
        source=spec.source,
        source_id=spec.source_id,
        checksum=_checksum(spec, state),
        fetched_at=when.isoformat().replace("+00:00", "Z"),
        source_mtime_ns=fetched.mtime_ns,
        source_format=fetched.source_format,
        source_digest=fetched.source_digest,
        signed_by=fetched.signed_by or spec.signed_by,
        metadata=spec.metadata.over(_base_metadata(state)),
    )


def _publish(store: ImageStore, record: ImageRecord, timeout: float, fetched: Fetched | None) -> None:
    """Have the data in the pool, then the record: from then on the image is published."""
    with _data_lock(store, record.volume, timeout):
        if fetched:
            store.add_data(fetched, timeout)
        try:
            store.write_record(record)
        except ComputeError:
            # As where the room is just enough for the data.
            if fetched and record.volume in store.unused_data(store.records()):
                store.remove_data(record.volume)
            raise
        if store.data(record) is None:
            store.remove_record(record.name)
            raise ImageError(
                f"Volume {record.volume} of pool {store.pool.name} was removed or cut while image {record.name}"
                " was published; nothing was published, so run again."
            )


def _clean(store: ImageStore, spec: ImageSpec, state: ImageState, planned: list[str]) -> None:
    """Remove planned data volumes that are still unused, now that no record names them, and that nobody is writing.

    What a name no longer stands for was looked at before the record was switched; whoever laid a volume on it since
    then asks again whether the image is still published.
    """
    own = state.record.volume if state.record else None
    removable = set(planned).intersection(store.unused_data(store.records()))
    watched = store.still(sorted(removable - {own}))
    for volume in [name for name in planned if name == own or name in watched]:
        # Another run that holds the lock is about to need the volume.
        with contextlib.suppress(WaitTimeoutError), _data_lock(store, volume, 0):
            if volume in store.unused_data(store.records()):
                store.remove_data(volume)
            elif volume == own and not spec.present:
                _restore(store, state)


def _restore(store: ImageStore, state: ImageState) -> None:
    users = store.users(state.record.volume) if state.record else []
    if state.record and users:
        store.write_record(state.record)
        raise ConflictError(
            f"Image {state.record.name} of pool {store.pool.name} is in use by {', '.join(users)}; remove those first.",
            {"users": users},
        )


def _data_lock(store: ImageStore, volume: str, timeout: float) -> t.ContextManager[None]:
    return image_data_lock(store.pool.uuid, volume, store.pool.name, timeout)


def _as_result(store: ImageStore, state: ImageState) -> dict[str, t.Any] | None:
    return image_row(state.record, state.path, store.pool.name) if state.record else None
