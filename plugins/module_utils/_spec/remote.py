# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Storage that is reached over a network: its servers, and who logs in there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PoolHost:
    """A server that a pool's data comes from."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        """Return it as it is shown."""
        return self.name if self.port is None else f"{self.name} port {self.port}"


@dataclass(frozen=True)
class PoolAuth:
    """Who logs in, and which of libvirt's secrets holds the password."""

    username: str
    secret_uuid: str | None = None
    secret_usage: str | None = None

    def __str__(self) -> str:
        """Return it as it is shown."""
        secret = f"secret {self.secret_uuid}" if self.secret_uuid else f"the secret for {self.secret_usage}"
        return f"{self.username} with {secret}"


@dataclass(frozen=True)
class RemoteSource:
    """How QEMU itself gets to a disk that is neither a file nor a device of the hypervisor: in a Ceph cluster."""

    hosts: tuple[PoolHost, ...] = ()
    auth: PoolAuth | None = None
