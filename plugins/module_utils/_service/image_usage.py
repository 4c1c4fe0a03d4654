# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Who lies on a volume: every other volume and every domain of the host whose chain of backing files leads to it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._driver.connection import Connection
from .._driver.domain import live_xml
from .._driver.guests import read_guests
from .._driver.storage import Volume, running_pools
from .._errors import ConflictError, NotFoundError
from .._xml.volume import DiskSource, read_disk_sources


@dataclass(frozen=True)
class DomainUse:
    """The paths a domain's disks lie on; ``unreadable`` are those of which it can't be told what lies below."""

    name: str
    paths: frozenset[str]
    unreadable: tuple[str, ...] = ()
    pools: frozenset[str] = frozenset()
    """The pools that its disks name, whether these run or not."""
    is_active: bool = False


@dataclass(frozen=True)
class Usage:
    """All chains of a host: what each volume is called and lies on, and what each domain uses."""

    labels: dict[str, str]
    backing: dict[str, str]
    domains: tuple[DomainUse, ...]
    pools: dict[str, str] = field(default_factory=dict)
    """The pool of each volume, by its path."""

    def users(self, path: str) -> list[str]:
        """Return in words who lies on ``path``, directly or through others."""
        return self.volumes_on(path) + self.domains_on({path})

    def possible_users(self, path: str) -> list[str]:
        """Return in words who lies on ``path``, or if nobody is seen to, who might."""
        return self.users(path) or [f"perhaps {disk}, which is in no running pool" for disk in self.unreadable]

    def volumes_on(self, path: str) -> list[str]:
        """Return in words the volumes that lie on ``path``, directly or through others."""
        return sorted(self.labels[upper] for upper in self._chain({path}) - {path})

    def domains_on(self, paths: t.Collection[str], running: bool = False) -> list[str]:
        """Return in words the domains, or the running ones, that lie on any of ``paths``, directly or through others."""
        return [f"domain {name}" for name in self.domain_names(paths, running)]

    def domain_names(self, paths: t.Collection[str], running: bool = False) -> list[str]:
        """Return the names of the same."""
        chain = self._chain(paths)
        found = (domain for domain in self.domains if domain.is_active or not running)
        return [domain.name for domain in found if domain.paths & chain]

    def domains_naming(self, pool: str) -> list[str]:
        """Return in words the domains with a disk that is declared as a volume of ``pool``."""
        return [f"domain {domain.name}" for domain in self.domains if pool in domain.pools]

    def _chain(self, paths: t.Collection[str]) -> set[str]:
        chain = set(paths)
        grown = True
        while grown:
            above = {upper for upper, lower in self.backing.items() if lower in chain}
            grown = not above <= chain
            chain |= above
        return chain

    @property
    def unreadable(self) -> list[str]:
        """Return in words which disks can't be looked into, so that they may lie on anything."""
        return [f"{path} of domain {domain.name}" for domain in self.domains for path in domain.unreadable]


def read_usage(connection: Connection) -> Usage:
    """Read all volumes of all running pools, and all domains."""
    labels: dict[str, str] = {}
    backing: dict[str, str] = {}
    located: dict[tuple[str, str], str] = {}
    pools: dict[str, str] = {}
    for pool in running_pools(connection):
        for name, volume in pool.volumes().items():
            try:
                below = volume.backing
            except NotFoundError:
                continue
            path = located[pool.name, name] = volume.path
            pools[path] = pool.name
            labels[path] = f"volume {name} of pool {pool.name}"
            if below:
                backing[path] = below[0]
    return Usage(labels, backing, tuple(_read_domains(connection, labels, located)), pools)


def _read_domains(
    connection: Connection, labels: dict[str, str], located: dict[tuple[str, str], str]
) -> list[DomainUse]:
    found = []
    for domain in read_guests(connection):
        sources = read_disk_sources(domain.xml)
        paths = {path for source in sources if (path := _locate(source, located))}
        below: set[str] = set()
        if domain.is_active:
            try:
                below = {source.path for source in read_disk_sources(live_xml(connection, domain)) if source.path}
            except NotFoundError:
                continue
        unreadable = tuple(
            source.path
            for source in sources
            if source.path and source.path not in labels and source.format not in (None, "raw") and not domain.is_active
        )
        named = frozenset(source.pool for source in sources if source.pool)
        found.append(DomainUse(domain.name, frozenset(paths | below), unreadable, named, domain.is_active))
    return found


def _locate(source: DiskSource, located: dict[tuple[str, str], str]) -> str | None:
    if source.pool and source.volume:
        return located.get((source.pool, source.volume))
    return source.path


def refuse_written(connection: Connection, volume: Volume, what: str, option: str, verb: str) -> None:
    """Refuse to have a volume ``verb`` (copied, read), ``what`` ``option`` declares, while a running domain may write to it."""
    users = read_usage(connection).domains_on({volume.path}, running=True)
    if users:
        raise ConflictError(
            f"Option {option}: {what} is in use by {', '.join(users)}, which may write while it is {verb}; stop it first.",
            {"option": option, "users": users},
        )
