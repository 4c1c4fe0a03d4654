# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Chains of backing files as they are read: from all volumes of all running pools, and from all that is known of domains.

A look may be thorough. Then libvirt looks at its pools again before, since guests, their snapshots and people make files in
them behind its back, and whatever can't be looked into is told, since it may lie on anything.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, field

from .._driver.connection import Connection
from .._driver.domain import has_saved_memory, live_xml, saved_xml
from .._driver.guests import GuestReading, read_guests, snapshotted
from .._driver.snapshot import snapshot_texts
from .._driver.storage import Pool, Volume, running_pools, stopped_pools
from .._errors import DriverError, NotFoundError
from .._spec.record import InstanceRecord
from .._xml.document import parse
from .._xml.record import find_record
from .._xml.volume import DiskSource, read_disk_sources, read_snapshot_sources


@dataclass(frozen=True)
class DomainUse:
    """The paths a domain's disks lie on; ``unreadable`` are those of which it can't be told what lies below."""

    name: str
    paths: frozenset[str]
    unreadable: tuple[str, ...] = ()
    pools: frozenset[str] = frozenset()
    """The pools that its disks name, whether these run or not."""
    is_active: bool = False
    claims: frozenset[str] = frozenset()
    """Digests of the images that disks of its are yet to be made from."""


@dataclass
class Volumes:
    """All volumes of all running pools; what was read of them is kept in them."""

    is_thorough: bool = False
    handles: dict[tuple[str, str], Volume] = field(default_factory=dict)
    """By the names of pool and volume."""
    located: dict[tuple[str, str], str] = field(default_factory=dict)
    """Their paths."""
    labels: dict[str, str] = field(default_factory=dict)
    """By path, what a volume is called."""
    pools: dict[str, str] = field(default_factory=dict)
    """By path, its pool."""
    names: dict[str, str] = field(default_factory=dict)
    """By path, its name."""
    backing: dict[str, str] = field(default_factory=dict)
    """By path, what it lies on."""
    running: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    """Where files are volumes, and what is no volume is not there."""
    doubts: list[str] = field(default_factory=list)
    """In words what can't be looked into."""

    def is_missing(self, path: str) -> bool:
        """Tell whether there is no such file."""
        return path not in self.labels and posixpath.dirname(path) in self.directories

    def locate(self, source: DiskSource) -> str | None:
        """Return the path of what a disk lies on, if there is one."""
        if source.pool and source.volume:
            return self.located.get((source.pool, source.volume))
        return source.path and _normal(source.path)


def read_volumes(connection: Connection, thorough: bool) -> Volumes:
    """Read all volumes of all running pools."""
    found = Volumes(thorough)
    for pool in running_pools(connection):
        found.running.add(pool.name)
        if thorough:
            _look_again(pool, found)
        volumes = pool.volumes()
        add = _add_remote if _is_remote(pool, volumes) else _add
        for name, volume in volumes.items():
            add(found, pool, name, volume)
    if thorough:
        found.doubts += [f"storage pool {name}, which is not running" for name in stopped_pools(connection)]
        found.doubts += [
            f"{found.labels[upper]}, which lies on {lower} in no running pool"
            for upper, lower in sorted(found.backing.items())
            if lower not in found.labels and not found.is_missing(lower)
        ]
    return found


def _look_again(pool: Pool, found: Volumes) -> None:
    try:
        pool.refresh()
        description = pool.describe()
    except DriverError as exc:
        found.doubts.append(f"storage pool {pool.name}, which can't be looked into ({exc})")
        return
    if description.holds_files and description.path:
        found.directories.add(_normal(description.path))


def _add(found: Volumes, pool: Pool, name: str, volume: Volume) -> None:
    try:
        below = volume.backing
        path = _normal(volume.path)
    except NotFoundError:
        return
    except DriverError as exc:
        if not found.is_thorough:
            raise
        found.doubts.append(f"volume {name} of pool {pool.name}, which can't be read ({exc})")
        return
    _note(found, pool, name, volume, path)
    if below:
        found.backing[path] = _normal(below[0])


def _is_remote(pool: Pool, volumes: t.Mapping[str, Volume]) -> bool:
    """Tell whether a pool's volumes are nowhere on the hypervisor, without a call where they have paths."""
    first = next(iter(volumes.values()), None)
    return first is not None and not first.raw.key().startswith("/") and pool.describe().is_remote


def _add_remote(found: Volumes, pool: Pool, name: str, volume: Volume) -> None:
    """Add a volume that libvirt would have to connect to a cluster to read; it knows of none what that lies on."""
    _note(found, pool, name, volume, volume.raw.key())


def _note(found: Volumes, pool: Pool, name: str, volume: Volume, path: str) -> None:
    found.handles[pool.name, name] = volume
    found.located[pool.name, name] = path
    found.pools[path] = pool.name
    found.names[path] = name
    found.labels[path] = f"volume {name} of pool {pool.name}"


def read_domains(connection: Connection, volumes: Volumes) -> list[DomainUse]:
    """Read all domains: as they are defined, as they run or were saved, and as their snapshots remember them."""
    found = []
    with_snapshots = snapshotted(connection)
    for domain in read_guests(connection):
        try:
            found.append(_read_domain(connection, domain, volumes, domain.uuid in with_snapshots))
        except NotFoundError:
            continue
    return found


def _read_domain(connection: Connection, domain: GuestReading, volumes: Volumes, with_snapshots: bool) -> DomainUse:
    defined = read_disk_sources(domain.xml)
    others = tuple(_other_sources(connection, domain, volumes, with_snapshots))
    followed = {source.path for source in others if source.is_followed}
    sources = (*defined, *others)
    return DomainUse(
        domain.name,
        frozenset(path for source in sources if (path := volumes.locate(source))),
        tuple(dict.fromkeys(words for source in sources if (words := _unreadable(source, volumes, followed)))),
        frozenset(source.pool for source in sources if source.pool),
        domain.is_active,
        frozenset(_claims(find_record(parse(domain.xml)), volumes)),
    )


def _other_sources(
    connection: Connection, domain: GuestReading, volumes: Volumes, with_snapshots: bool
) -> t.Iterator[DiskSource]:
    if domain.is_active:
        yield from read_disk_sources(live_xml(connection, domain))
    elif domain.has_saved_memory:
        text = saved_xml(connection, domain)
        if text is not None:
            yield from read_disk_sources(text)
        elif has_saved_memory(connection, domain):
            volumes.doubts.append(f"the saved memory of domain {domain.name}, which can't be read")
    if with_snapshots:
        for text in snapshot_texts(connection, domain):
            yield from read_snapshot_sources(text)


def _unreadable(source: DiskSource, volumes: Volumes, followed: t.Collection[str | None]) -> str | None:
    """Return what a disk lies on if it can't be told what lies below that."""
    if source.format == "raw":
        return None
    if source.pool:
        is_known = source.pool in volumes.running
        return None if is_known else f"volume {source.volume} of pool {source.pool}"
    path = source.path and _normal(source.path)
    if not path or source.format is None or path in volumes.labels or source.path in followed:
        return None
    return None if volumes.is_missing(path) else path


def _claims(record: InstanceRecord | None, volumes: Volumes) -> t.Iterator[str]:
    """Give the digests of images that a domain is defined to have disks of, which are not there yet."""
    if record is None:
        return
    root = record.root
    if record.image_digest and root and (root.pool, root.volume) not in volumes.located:
        yield record.image_digest
    if record.begun and record.begun.image_digest:
        yield record.begun.image_digest


def _normal(path: str) -> str:
    """Return a path of the host in the one form that it is compared in; other places have names of their own."""
    return posixpath.normpath(path) if path.startswith("/") else path
