# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Who lies on a volume: every other volume and every domain of the host whose chain of backing files leads to it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._driver.connection import Connection
from .._driver.storage import Volume
from .._errors import ConflictError
from .chains import DomainUse, Volumes, read_domains, read_volumes


@dataclass(frozen=True)
class Usage:
    """All chains of a host: what each volume is called and lies on, and what each domain uses."""

    labels: dict[str, str]
    backing: dict[str, str]
    domains: tuple[DomainUse, ...]
    pools: dict[str, str] = field(default_factory=dict)
    """The pool of each volume, by its path."""
    names: dict[str, str] = field(default_factory=dict)
    """The name of each volume, by its path."""
    doubts: tuple[str, ...] = ()
    """In words what else can't be looked into, after a thorough look."""

    def users(self, path: str) -> list[str]:
        """Return in words who lies on ``path``, directly or through others."""
        return self.volumes_on(path) + self.domains_on({path})

    def possible_users(self, path: str) -> list[str]:
        """Return in words who lies on ``path``, or if nobody is seen to, who might."""
        return self.users(path) or [f"perhaps {one}" for one in self.blind_spots]

    def claimed_by(self, digest: str) -> list[str]:
        """Return in words the domains that are defined to get a disk from the image of this ``digest``."""
        return [f"domain {name}" for name in self.names_claiming(digest)]

    def names_claiming(self, digest: str) -> list[str]:
        """Return the names of those domains."""
        return [domain.name for domain in self.domains if digest in domain.claims]

    @property
    def blind_spots(self) -> list[str]:
        """Return in words all that can't be looked into, and why."""
        return [*(f"{disk}, which is in no running pool" for disk in self.unreadable), *self.doubts]

    def names_on(self, path: str) -> list[str]:
        """Return the names of the domains that lie on ``path``, directly or through others."""
        chain = self._chain({path})
        return [domain.name for domain in self.domains if domain.paths & chain]

    def paths_on(self, path: str) -> list[str]:
        """Return the paths of the volumes that lie on ``path``, directly or through others."""
        return sorted(self._chain({path}) - {path})

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


def read_usage(connection: Connection, thorough: bool = False) -> Usage:
    """Read all volumes of all running pools, and all domains."""
    return read_chains(connection, thorough)[0]


def read_chains(connection: Connection, thorough: bool) -> tuple[Usage, Volumes]:
    """Return the same with the volumes as they were read."""
    volumes = read_volumes(connection, thorough)
    domains = tuple(read_domains(connection, volumes))
    usage = Usage(volumes.labels, volumes.backing, domains, volumes.pools, volumes.names, tuple(volumes.doubts))
    return usage, volumes


def refuse_written(connection: Connection, volume: Volume, what: str, option: str, verb: str) -> None:
    """Refuse to have a volume ``verb`` (copied, read), ``what`` ``option`` declares, while a running domain may write to it."""
    users = read_usage(connection).domains_on({volume.path}, running=True)
    if users:
        raise ConflictError(
            f"Option {option}: {what} is in use by {', '.join(users)}, which may write while it is {verb}; stop it first.",
            {"option": option, "users": users},
        )
