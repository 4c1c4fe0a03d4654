# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The steps of a move, each done through the driver, and how those of a move that fails are taken back."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

from ..._driver import domain as driver
from ..._driver.connection import Connection
from ..._driver.domain_change import Scope, set_record
from ..._driver.guests import GuestReading, find_guest
from ..._driver.host import domain_capabilities
from ..._driver.migration import Figures, Headway, LiveMove, is_split
from ..._driver.storage import Volume, find_volume
from ..._errors import CapacityError, ComputeError, ConflictError, DriverError, NotFoundError
from ..._plan import migration as verbs
from ..._plan.fixed_ip import as_host
from ..._plan.migration import Baggage, DiskMove, ImageMove, Step, runs
from ..._plan.plan import Plan
from ..._spec.image import ImageSpec
from ..._spec.image_host import HostSource
from ..._spec.migration import ARRIVE, MIGRATE, MOVED
from ..._spec.names import console_log_name
from ..._spec.port_filter import read_port_filter
from ..._spec.record import Begun, FixedIp, InstanceRecord, OwnedDisk
from ..._xml import domain as domain_xml
from ..._xml.migration import Moved, render_moved
from ..._xml.record import read_domain_record, render_found_record
from .. import power
from .._instance.host import Host
from .._instance.reservations import release, reserve
from ..image import ensure_image
from ..lock import claims_lock
from ..port_filter import make_port_filters
from ..progress import COPY as COPYING
from ..progress import MOVE as MOVING
from ..progress import SILENT_BOARD, Board
from .copy import copy_volume
from .live import StillMovingError, go_on, run_live, settle
from .scene import Scene, room_obstacle

_DEFINITION = Scope(live=False, persistent=True)
_NETFS = "netfs"


@dataclass
class Job:
    """One move on its way."""

    scene: Scene
    baggage: Baggage | None = None
    board: Board = SILENT_BOARD
    """Who is told how far it is."""
    is_there: bool = False
    """The destination's copy counts; nothing is taken back any more."""
    is_begun: bool = False
    made: list[Volume] = field(default_factory=list)
    stopped_at: float | None = None
    figures: Figures = Figures()  # noqa: RUF009  # frozen
    copied_bytes: int = 0

    @property
    def name(self) -> str:
        """Return the instance's name."""
        return self.scene.spec.name

    @property
    def source(self) -> Connection:
        """Return the connection to where it was."""
        return self.scene.source.connection

    @property
    def target(self) -> Connection:
        """Return the connection to where it shall be."""
        return self.scene.target.connection

    def at(self, connection: Connection) -> GuestReading:
        """Return the instance as it is there now."""
        found = find_guest(connection, self.name)
        if found is None:
            raise NotFoundError(f"Instance {self.name} is not at {connection.uri} any more.")
        return found


def perform(job: Job, plan: Plan) -> None:
    """Take the steps of the plan; while the source's copy counts, a failure leaves it as it was and nothing besides."""
    began = time.monotonic()
    try:
        for step in plan.actions:
            _STEPS[step.verb](job, t.cast(Step, step).what)
    except ComputeError as exc:
        if job.is_there or not job.is_begun:
            raise
        try:
            take_back(job)
        except ComputeError as second:
            raise DriverError(
                f"{exc} What was begun could not be taken back, which the next run does: {second}"
            ) from exc
        raise
    if job.figures.total_ms is None:
        job.figures = replace(job.figures, total_ms=_milliseconds(began), disk_bytes=job.copied_bytes)


def take_back(job: Job) -> None:
    """Have the instance at its source as it was, and nothing of it at the destination."""
    was_running = runs(job.scene.ends.source)
    left = _left(job)
    if left is not None:
        for volume in job.made:
            volume.delete()
        _forget(job.scene.target, job.name, *left, _shared_pools(job)[1])
    found = find_guest(job.source, job.name)
    if found is None:
        return
    if was_running and not found.is_active:
        power.start(job.source, found)
    _mark(job.source, found, None)


def _mark(connection: Connection, guest: GuestReading, begun: Begun | None) -> None:
    record = read_domain_record(guest.xml) or InstanceRecord()
    if record.begun != begun:
        text = render_found_record(guest.xml, replace(record, begun=begun))
        set_record(connection, guest, text, _DEFINITION)


def _leaving(job: Job, action: str) -> Begun:
    """Return the mark of the source."""
    shared = bool(_shared_pools(job)[0])
    return Begun(action, running=runs(job.scene.ends.source), target=job.scene.target.uuid, shared=shared)


def _left(job: Job) -> tuple[InstanceRecord, t.Any] | None:
    """Return the record and the handle of what a move left at the destination; never of a guest, nor of somebody else's."""
    source, target = job.at(job.source), find_guest(job.target, job.name)
    if target is not None and target.uuid == source.uuid and target.is_active:
        settle(job.source, source, job.target, target)
        target = find_guest(job.target, job.name)
    record = read_domain_record(target.xml) if target else None
    if target is None or record is None or target.uuid != source.uuid:
        return None
    if target.is_active:
        raise ConflictError(f"There is a guest of instance {job.name} at {job.target.uri}, which is not touched.")
    own = read_domain_record(source.xml)
    arrives = record.begun is not None and (record.begun.action, record.begun.target) == (ARRIVE, job.scene.source.uuid)
    # What libvirt had taken over before the move failed has no mark any more.
    leaves = own is not None and own.begun is not None and own.begun.action == MIGRATE
    return (record, target.handle) if arrives or (leaves and record.begun is None) else None


def _discard(job: Job, unused_what: t.Any) -> None:
    """Remove what a run before left at the destination: the volumes by its own record, which goes last."""
    left = _left(job)
    if left is None:
        raise ConflictError(f"What is called {job.name} at {job.target.uri} changed in this moment; run again.")
    record, handle = left
    for volume in _volumes_there(job):
        volume.delete()
    _forget(job.scene.target, job.name, record, handle, _shared_pools(job)[1])


def _forget(host: Host, name: str, record: InstanceRecord, handle: t.Any, shared: frozenset[str]) -> None:
    """Undefine the instance at a host that has no disks of its own of it any more, with its console's log and its addresses.

    In pools that are ``shared`` the log may be the other host's.
    """
    for pool in sorted(({disk.pool for disk in record.disks} or {host.home.name}) - shared):
        place = host.place(pool)
        place.refresh()
        for log in place.logs(place.locate(console_log_name(name))):
            log.delete()
    for fixed in record.fixed_ips:
        if fixed.network:
            release(host.connection, fixed)
    driver.undefine(host.connection, name, handle)


def _define(job: Job, baggage: Baggage) -> None:
    """Claim the room there, and mark the source: from here on nobody else changes or starts either."""
    job.baggage, job.is_begun = baggage, True
    source, target = job.scene.source, job.scene.target
    guest = job.at(job.source)
    running = runs(job.scene.ends.source)
    begun = Begun(ARRIVE, running=running, target=source.uuid, shared=bool(baggage.shared))
    xml = _render(job, driver.whole_definition(job.source, guest), replace(baggage.record, begun=begun))
    with claims_lock(target.uuid):
        target.read_again()
        room = room_obstacle(job.scene)
        if room is not None:
            raise CapacityError(f"{room}.")
        found = (read_port_filter(nic.filter) for nic in domain_xml.read(guest.xml).nics)
        ports = {port for port in found if port and port.name}
        if ports:
            make_port_filters(job.target, target.filters.listed or {}, ports)
        driver.define(job.target, job.name, xml)
    _mark(job.source, guest, _leaving(job, MIGRATE))


def _render(job: Job, text: str, record: InstanceRecord) -> str:
    """Return a definition of the instance as the destination is told it."""
    baggage = job.baggage
    if baggage is None:
        raise DriverError(f"Nothing is known of how instance {job.name} is moved.")
    name = console_log_name(job.name)
    log = job.scene.target.home.locate(name)
    logs = {path: log for path in baggage.logs if path.rpartition("/")[2] == name}
    return render_moved(text, Moved(baggage.paths, record, logs, _emulator(job, text)))


def _emulator(job: Job, text: str) -> str | None:
    """Return the destination's emulator for an instance that has the source's usual one."""
    machine = domain_xml.read(text)
    kind = (machine.type, machine.os.arch, machine.os.machine)
    if machine.emulator is None or domain_capabilities(job.source, *kind).emulator != machine.emulator:
        return None
    return domain_capabilities(job.target, *kind).emulator


def _fetch(job: Job, image: ImageMove) -> None:
    host = HostSource(job.source.uri, image.pool, image.name)
    ensure_image(job.target, ImageSpec(name=image.published, pool=job.scene.spec.destination.pool, host=host), False)


def _copy(job: Job, move: DiskMove) -> None:
    origin = job.scene.source.place(move.owned.pool).pool.find(move.owned.volume)
    if origin is None:
        raise NotFoundError(f"Volume {move.owned.volume} of pool {move.owned.pool} at {job.source.uri} is gone.")

    def watch(done: int, total: int) -> None:
        job.board.note(job.name, COPYING, done, total)

    volume = copy_volume(job.source, origin, job.scene.target.home.pool, move, watch)
    job.made.append(volume)
    job.copied_bytes += volume.description.stored_bytes
    _check_place(volume.path, move)


def _create(job: Job, disk: DiskMove) -> None:
    """Make the volume that libvirt then fills."""
    base = None if disk.base is None else (disk.base, disk.base_format or "raw")
    volume = job.scene.target.home.pool.create(disk.owned.volume, disk.capacity_bytes, disk.format, base)
    job.made.append(volume)
    _check_place(volume.path, disk)
    if base is not None and find_volume(job.target, base[0]) is None:
        raise NotFoundError(f"The base image of disk {disk.owned.target} is not at {base[0]}; run again.")


def _check_place(path: str, move: DiskMove) -> None:
    if path != move.path:
        raise DriverError(f"Volume {move.owned.volume} was made at {path} instead of {move.path}.")


def _reserve(job: Job, fixed: FixedIp) -> None:
    reserve(job.target, fixed.network, as_host(job.name, fixed))


def _migrate(job: Job, baggage: Baggage) -> None:
    spec, guest = job.scene.spec, job.at(job.source)
    move = LiveMove(
        xml=_render(job, driver.migratable_xml(job.source, guest), baggage.record),
        persistent_xml=_render(job, driver.whole_definition(job.source, guest), baggage.record),
        uri=spec.destination.migrate_uri,
        options=spec.live,
        copied=tuple(disk.owned.target for disk in baggage.disks),
        is_shared_unseen=_is_unseen(job),
    )

    def watch(way: Headway) -> None:
        job.board.note(job.name, MOVING, way.done, way.total or None)

    try:
        job.figures = run_live(job.source, guest, job.target, move, watch)
    except StillMovingError:
        # What is there can't be taken back as long as libvirt has it.
        job.is_begun = False
        raise
    except ComputeError as exc:
        if is_split(job.source, guest):
            # There is nothing to take back, and the next run goes on.
            job.is_there = True
            raise ConflictError(
                f"The way from {job.source.uri} to {job.target.uri} broke when instance {job.name} was moved by post-copy. It"
                f" stands still, and nothing is lost. Run again once the hosts reach each other. {exc.message}"
            ) from exc
        # Where the last answer was lost, the guest may be there all the same.
        settle(job.source, guest, job.target, find_guest(job.target, job.name))
        if driver.is_active(job.source, guest) or not job.at(job.target).is_active:
            raise
    job.is_there = True


def _go_on(job: Job, unused_what: t.Any) -> None:
    """Fetch what of the memory is not there yet; the guest, of which each host has a part, goes on at the destination."""
    spec, guest = job.scene.spec, job.at(job.source)
    job.is_there = True
    move = LiveMove(None, None, spec.destination.migrate_uri, spec.live, is_again=True)
    job.figures = go_on(job.source, guest, job.target, move)


def _is_unseen(job: Job) -> bool:
    """Tell whether there is storage of which libvirt does not see by itself that both hosts share it."""
    places = job.scene.shared(job.scene.ends.source.record).values()
    return any(place.info.type != _NETFS for place in places)


def _stop(job: Job, unused_what: t.Any) -> None:
    spec, guest = job.scene.spec, job.at(job.source)
    power.stop(job.source, guest, spec.shutdown_timeout, spec.force)
    job.stopped_at = time.monotonic()


def _power_off(job: Job, unused_what: t.Any) -> None:
    driver.power_off(job.source, job.at(job.source))


def _switch(job: Job, unused_what: t.Any) -> None:
    """From here on the destination's copy counts."""
    guest = job.at(job.source)
    if guest.is_active:
        raise ConflictError(
            f"Instance {job.name} was started at {job.source.uri} while its disks were copied; run again."
        )
    _mark(job.source, guest, _leaving(job, MOVED))


def _start(job: Job, unused_what: t.Any) -> None:
    """Start it there; one that can't be started there is the source's again."""
    found = job.at(job.target)
    try:
        power.start(job.target, found)
    except ComputeError:
        if driver.is_active(job.target, found):
            job.is_there = True
        else:
            _mark(job.source, job.at(job.source), replace(_leaving(job, MIGRATE), running=True))
            job.is_begun, job.made = True, _volumes_there(job)
        raise
    if job.stopped_at is not None:
        job.figures = replace(job.figures, downtime_ms=_milliseconds(job.stopped_at))


def _volumes_there(job: Job) -> list[Volume]:
    """Return what the destination has of its disks, whichever run made them; never what the source has as well."""
    record = read_domain_record(job.at(job.target).xml) or InstanceRecord()
    shared = _shared_pools(job)[1]
    owned = (one for one in verbs.owned_volumes(record) if one.pool not in shared)
    found = (job.scene.target.place(one.pool).pool.find(one.volume) for one in owned)
    return [volume for volume in found if volume is not None]


def _shared_pools(job: Job) -> tuple[frozenset[str], frozenset[str]]:
    """Return what the pools that both hosts have are called at the source, and at the destination."""
    shared = job.scene.shared(job.scene.ends.source.record)
    return frozenset(shared), frozenset(place.name for place in shared.values())


def _finish(job: Job, unused_what: t.Any) -> None:
    job.is_there = True
    found = job.at(job.target)
    _mark(job.target, found, None)
    # Before the source's goes, since that is what tells of it.
    if job.scene.ends.source.autostart:
        driver.set_autostart(job.target, found, True)
        left = find_guest(job.source, job.name)
        if left is not None:
            driver.set_autostart(job.source, left, False)


def _delete(job: Job, owned: OwnedDisk) -> None:
    volume = job.scene.source.place(owned.pool).pool.find(owned.volume)
    if volume is not None:
        volume.delete()


def _undefine(job: Job, record: InstanceRecord) -> None:
    """Forget it at the source."""
    found = find_guest(job.source, job.name)
    if found is not None:
        _forget(job.scene.source, job.name, record, found.handle, _shared_pools(job)[0])


def _milliseconds(since: float) -> int:
    return int((time.monotonic() - since) * 1000)


_STEPS: dict[str, t.Callable[[Job, t.Any], None]] = {
    verbs.DISCARD: _discard,
    verbs.DEFINE: _define,
    verbs.FETCH: _fetch,
    verbs.COPY_SEED: _copy,
    verbs.RESERVE: _reserve,
    verbs.CREATE: _create,
    verbs.COPY: _copy,
    verbs.LIVE_MOVE: _migrate,
    verbs.GO_ON: _go_on,
    verbs.STOP: _stop,
    verbs.POWER_OFF: _power_off,
    verbs.SWITCH: _switch,
    verbs.START: _start,
    verbs.FINISH: _finish,
    verbs.DELETE: _delete,
    verbs.UNDEFINE: _undefine,
}
