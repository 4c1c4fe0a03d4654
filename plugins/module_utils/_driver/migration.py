# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Moving a guest that runs to another hypervisor, watched while it goes on."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass

from .._errors import DriverError
from .._spec.migration import TLS, LiveOptions
from .capabilities import supported
from .connection import Connection, libvirt
from .domain import Domain

_INCOMING, _OUTGOING = "VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN", "VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT"
_XBZRLE = "xbzrle"


@dataclass(frozen=True)
class Figures:
    """How far a move is, or what it took; None is not known."""

    total_ms: int | None = None
    downtime_ms: int | None = None
    memory_bytes: int | None = None
    """What was sent of the memory, pages that were sent again included."""
    disk_bytes: int | None = None
    iterations: int | None = None


@dataclass(frozen=True)
class LiveMove:
    """What libvirt is told of a move: both definitions as they are to be there."""

    xml: str | None
    persistent_xml: str | None
    uri: str | None
    options: LiveOptions
    copied: tuple[str, ...] = ()
    """Targets of the disks whose content is sent; the others are in storage that both hosts share."""
    is_shared_unseen: bool = False
    """That storage was proven to be shared, which libvirt does not see by itself, as of a directory."""
    is_again: bool = False
    """It is a move by post-copy that broke, and goes on."""


class Migration:
    """A move in a thread of its own; who waits for it may ask how far it is and break it off."""

    def __init__(self, source: Connection, domain: Domain, target: Connection, move: LiveMove) -> None:
        """Begin it."""
        self._source, self._domain = source, domain
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(target, move), name="migration", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Tell whether it has ended within so many seconds."""
        return self._done.wait(seconds)

    def finish(self) -> None:
        """Raise why it failed, if it did."""
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        """Have it broken off, after which the guest goes on where it was."""
        self._source.call(f"break off the move of {self._domain.name}", self._domain.handle.abortJob)

    def post_copy(self) -> None:
        """Have the guest go on at the destination now, with what of its memory is there; the rest is fetched."""
        self._source.call(f"let {self._domain.name} go on", self._domain.handle.migrateStartPostCopy, 0)

    def _run(self, target: Connection, move: LiveMove) -> None:
        handle, flags = self._domain.handle, _flags(move)
        is_direct = not flags & libvirt.VIR_MIGRATE_PEER2PEER
        function, where = (handle.migrate3, target.raw) if is_direct else (handle.migrateToURI3, target.uri)
        try:
            self._source.call(f"move {self._domain.name} to {target.uri}", function, where, _parameters(move), flags)
        except BaseException as exc:  # pylint: disable=broad-exception-caught
            # It is raised where the move is waited for.
            self._error = exc
        self._done.set()


def _parameters(move: LiveMove) -> dict[str, t.Any]:
    options = move.options
    found: dict[str, t.Any] = {}
    if move.xml is not None:
        found[libvirt.VIR_MIGRATE_PARAM_DEST_XML] = move.xml
    if move.persistent_xml is not None:
        found[libvirt.VIR_MIGRATE_PARAM_PERSIST_XML] = move.persistent_xml
    if move.uri is not None:
        found[libvirt.VIR_MIGRATE_PARAM_URI] = move.uri
    if move.copied:
        found[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = list(move.copied)
    if options.bandwidth_mb is not None:
        found[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = options.bandwidth_mb
        if options.may_post_copy or move.is_again:
            found[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY] = options.bandwidth_mb
    if options.parallel_connections is not None:
        found[libvirt.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS] = options.parallel_connections
    if options.compression:
        found[libvirt.VIR_MIGRATE_PARAM_COMPRESSION] = _XBZRLE
    return found


def _flags(move: LiveMove) -> int:
    options = move.options
    # The source's definition stays until its volumes are gone: it is what tells the next run of them.
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PERSIST_DEST
    for wanted, flag in (
        (bool(move.copied), libvirt.VIR_MIGRATE_NON_SHARED_INC),
        (move.is_shared_unseen, libvirt.VIR_MIGRATE_UNSAFE),
        (options.auto_converge, libvirt.VIR_MIGRATE_AUTO_CONVERGE),
        (options.compression, libvirt.VIR_MIGRATE_COMPRESSED),
        (options.parallel_connections is not None, libvirt.VIR_MIGRATE_PARALLEL),
        (options.may_post_copy or move.is_again, libvirt.VIR_MIGRATE_POSTCOPY),
        (move.is_again, getattr(libvirt, "VIR_MIGRATE_POSTCOPY_RESUME", 0)),
        (options.transport == TLS, libvirt.VIR_MIGRATE_TLS),
        (options.peer_to_peer, libvirt.VIR_MIGRATE_PEER2PEER),
    ):
        flags |= flag if wanted else 0
    return int(flags)


def is_moving(connection: Connection, domain: Domain) -> bool:
    """Tell whether a move of the guest, out or in, goes on, whoever began it."""
    stats = _stats(connection, domain, 0)
    known = {getattr(libvirt, name, None) for name in (_INCOMING, _OUTGOING)}
    return bool(stats.get("type")) and stats.get("operation") in known


@dataclass(frozen=True)
class Headway:
    """How far a move is: bytes that were sent and that there are, of memory and disks, and how often the memory was."""

    done: int = 0
    total: int = 0
    iterations: int = 0


def headway(connection: Connection, domain: Domain) -> Headway:
    """Return how far the move is that goes on."""
    stats = _stats(connection, domain, 0)
    total = int(stats.get("memory_total", 0)) + int(stats.get("disk_total", 0))
    left = int(stats.get("memory_remaining", 0)) + int(stats.get("disk_remaining", 0))
    return Headway(max(0, total - left), total, int(stats.get("memory_iteration", 0)))


def is_split(connection: Connection, domain: Domain) -> bool:
    """Tell whether a guest stands still since a move by post-copy broke: it is in two parts, of which none goes on by itself."""
    state, reason = connection.call(f"read the state of {domain.name}", domain.handle.state)[:2]
    known = getattr(libvirt, "VIR_DOMAIN_PAUSED_POSTCOPY_FAILED", None)
    return bool(state == libvirt.VIR_DOMAIN_PAUSED and reason == known)


def is_too_early(error: DriverError) -> bool:
    """Tell whether something was refused for what goes on at the moment."""
    return bool(error.details.get("libvirt_code") == libvirt.VIR_ERR_OPERATION_INVALID)


def completed(connection: Connection, domain: Domain) -> Figures:
    """Return what the last move took."""
    flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
    return _figures(_stats(connection, domain, flags))


def wait_until_still(connection: Connection, domain: Domain, seconds: float, pause: float = 0.5) -> bool:
    """Tell whether no move of the guest goes on any more, within so many seconds."""
    end = time.monotonic() + seconds
    while is_moving(connection, domain):
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def _stats(connection: Connection, domain: Domain, flags: int) -> dict[str, t.Any]:
    doing = f"ask how far the move of {domain.name} is"
    try:
        return supported(connection, doing, domain.handle.jobStats, flags) or {}
    except DriverError:
        # A guest that is off, or gone, has no job.
        return {}


def _figures(stats: t.Mapping[str, t.Any]) -> Figures:
    return Figures(
        total_ms=stats.get("time_elapsed"),
        downtime_ms=stats.get("downtime"),
        memory_bytes=stats.get("memory_processed"),
        disk_bytes=stats.get("disk_processed"),
        iterations=stats.get("memory_iteration"),
    )


def cpu_obstacle(connection: Connection, cpu: str, virt_type: str, arch: str | None, machine: str | None) -> str | None:
    """Return in libvirt's words what this hypervisor lacks for a guest with that ``<cpu>``; None where it has all."""
    return _incompatible(connection, connection.raw.compareHypervisorCPU, None, arch, machine, virt_type, cpu)


def host_cpu_obstacle(connection: Connection, cpu: str) -> str | None:
    """Return what this host's own CPU lacks of another host's, for a guest that was given that as it is."""
    return _incompatible(connection, connection.raw.compareCPU, cpu)


def _incompatible(connection: Connection, compare: t.Callable[..., t.Any], *what: str | None) -> str | None:
    try:
        connection.call("compare the CPU", compare, *what, libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)
    except DriverError as exc:
        if exc.details.get("libvirt_code") == libvirt.VIR_ERR_CPU_INCOMPATIBLE:
            return exc.message.partition(": ")[2]
        # Where it can't be compared, the move itself shows it, and breaks off.
    return None
