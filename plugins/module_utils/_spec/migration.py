# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An instance that is to be on another host: where, and by which way it gets there. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .lifecycle import Limits
from .names import check_name, is_one_word

LIVE, COLD = MODES = ("live", "cold")
ABORT, PAUSE, POST_COPY = ON_TIMEOUT = ("abort", "pause", "post_copy")
DIRECT, TLS = TRANSPORTS = ("direct", "tls")
"""How memory and disks get there: from QEMU to QEMU in the clear or encrypted, or through the connection of the daemons."""

MIGRATE, MOVED, ARRIVE = "migrate", "moved", "arrive"
"""What ``Begun.action`` says of a move, with the other host's UUID as its target.

The source has the first of them while the instance is there, and the second from the moment on from which only the
destination's copy counts. The destination has the third until it has all of the instance.
"""
MOVING = frozenset({MIGRATE, MOVED, ARRIVE})


@dataclass(frozen=True)
class Destination:
    """The host that the instance shall be on."""

    uri: str
    pool: str = "default"
    migrate_uri: str | None = None
    """Where the source's QEMU sends to; None leaves it to libvirt, which takes the host's name."""

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], option: str = "destination") -> Destination:
        """Validate the destination that ``option`` holds."""
        for key, example in (("uri", "qemu+ssh://root@kvm2/system"), ("migrate_uri", "tcp://192.0.2.2")):
            value = params.get(key)
            if value is not None and (not value or not is_one_word(value) or ":" not in value):
                raise SpecError(f"{option}.{key}", f"{value!r} is not a URI", f"give it as {example}")
        if not params["pool"]:
            raise SpecError(f"{option}.pool", "it is empty", "name a storage pool of the destination")
        return cls(params["uri"], params["pool"], params.get("migrate_uri"))


@dataclass(frozen=True)
class LiveOptions:
    """How the memory of a guest that runs is moved."""

    bandwidth_mb: int | None = None
    """MiB per second."""
    auto_converge: bool = True
    compression: bool = False
    parallel_connections: int | None = None
    timeout: int = 3600
    """Seconds; 0 is no limit."""
    on_timeout: str = ABORT
    post_copy: bool = False
    """Let the guest go on at the destination once all of its memory was sent, and fetch what it wrote since."""
    transport: str = DIRECT
    peer_to_peer: bool = False
    """Let the source's daemon itself speak with the destination's."""

    @property
    def may_post_copy(self) -> bool:
        """Tell whether the guest may go on at the destination before all of its memory is there."""
        return self.post_copy or self.on_timeout == POST_COPY

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> LiveOptions:
        """Validate the options."""
        for key, least in (("bandwidth_mb", 1), ("parallel_connections", 1), ("timeout", 0)):
            value = params[key]
            if value is not None and value < least:
                raise SpecError(key, f"{value} is too small", f"give at least {least}")
        if params["compression"] and params["parallel_connections"]:
            raise SpecError("compression", "QEMU can't compress on parallel connections", "take one of both")
        found = cls(
            bandwidth_mb=params["bandwidth_mb"],
            auto_converge=params["auto_converge"],
            compression=params["compression"],
            parallel_connections=params["parallel_connections"],
            timeout=params["timeout"],
            on_timeout=params["on_timeout"],
            post_copy=params["post_copy"],
            transport=params["transport"],
            peer_to_peer=params["peer_to_peer"],
        )
        if found.may_post_copy and found.parallel_connections:
            raise SpecError(
                "parallel_connections", "QEMU can't do post-copy on parallel connections", "take one of both"
            )
        return found


@dataclass(frozen=True)
class MovingTraits:
    """What of a definition ties an instance to its host."""

    host_devices: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    """Tags of the host's directories that the guest has."""
    tpm: bool = False
    firmware_state: bool = False
    """It has variables of UEFI firmware in a file of their own."""
    pinned: bool = False
    """It has CPUs, cells or huge pages of its host."""
    foreign_disks: tuple[str, ...] = ()
    """Targets of disks that lie on no file, or are encrypted or transient."""
    sealed: bool = False
    """Its memory is encrypted by the processor."""
    cpu: str | None = None
    """The element ``<cpu>``."""
    cpu_mode: str | None = None


@dataclass(frozen=True)
class MigrationSpec:
    """One instance that shall be on another host."""

    name: str
    fleet: str | None
    destination: Destination
    mode: str | None
    """live or cold; None is live when it runs."""
    live: LiveOptions
    limits: Limits
    force: bool = False
    shutdown_timeout: int = 60
    to: str | None = None
    """What the destination is called, of many."""

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> MigrationSpec:
        """Validate the module's options for one instance."""
        if params["destination"]["uri"] == params["uri"]:
            raise SpecError("destination.uri", "it is the same as uri", "give the URI of the other host")
        return cls(
            name=check_name("name", params["name"]),
            fleet=params["fleet"],
            destination=Destination.from_params(params["destination"]),
            mode=params["mode"],
            **common_options(params),
        )


def common_options(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Validate what holds for every instance that is moved."""
    if params["shutdown_timeout"] < 0:
        raise SpecError("shutdown_timeout", f"{params['shutdown_timeout']} is too small", "it is in seconds, 0 or more")
    return {
        "live": LiveOptions.from_params(params),
        "limits": Limits.from_params(params["limits"]),
        "force": params["force"],
        "shutdown_timeout": params["shutdown_timeout"],
    }
