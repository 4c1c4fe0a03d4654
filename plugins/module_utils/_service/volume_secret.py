# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The passphrase of an encrypted volume, as a secret of libvirt: read, set, tried, forgotten."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import NAMESPACE_URL, uuid5

from .._driver.connection import Connection
from .._driver.host import capabilities
from .._driver.probe import try_to_start
from .._driver.secret import define_secret, find_volume_secret
from .._driver.storage import Pool, Volume, find_pool
from .._errors import DriverError, SpecError
from .._plan.volume_secret import SecretState
from .._spec.encryption import OPTION, EncryptionSpec
from .._spec.machine import Disk
from .._spec.target import first_target
from .._spec.volume import StoredVolumeSpec
from .._xml.probe import ProbeGuest, render_opener
from .._xml.secret import SecretDescription
from .remote_source import remote_source

_WRONG_KEY = "Invalid password"
"""What QEMU says; it is not translated."""


def path_of(pool: Pool, spec: StoredVolumeSpec, volume: Volume | None) -> str | None:
    """Return the path of a volume that is there, or will be; None in a pool that has none before."""
    if volume is not None:
        return volume.path
    directory = pool.describe().path
    return f"{directory.rstrip('/')}/{spec.name}" if directory else None


def read_secret_state(connection: Connection, path: str) -> SecretState | None:
    """Return the secret of the volume at ``path`` as it is."""
    secret = find_volume_secret(connection, path)
    if secret is None:
        return None
    found = secret.describe()
    return SecretState(secret.uuid, found.description, found.private)


def set_passphrase(connection: Connection, path: str, encryption: EncryptionSpec, volume: Volume | None) -> str:
    """Have libvirt keep the passphrase, which must open the ``volume`` that is there; return the secret's UUID.

    It is made private last, which can't be taken back: who finds one that is not private sets it again.
    """
    found = find_volume_secret(connection, path)
    uuid = found.uuid if found else str(uuid5(NAMESPACE_URL, path))
    if found is not None and found.describe().private:
        found.undefine()
    unfinished = SecretDescription(uuid, path, encryption.description())
    secret = define_secret(connection, unfinished)
    secret.set_value(encryption.value)
    if volume is not None:
        try:
            _open(connection, volume, uuid)
        except DriverError as exc:
            secret.undefine()
            if _WRONG_KEY in exc.message:
                raise SpecError(
                    OPTION, f"it does not open volume {volume.name}", "declare the one it was made with"
                ) from exc
            raise
    define_secret(connection, SecretDescription(uuid, path, unfinished.description, private=True))
    return uuid


def _open(connection: Connection, volume: Volume, uuid: str) -> None:
    """Have the hypervisor open the volume with the secret; there is no call for that alone, so a guest gets it and is not booted."""
    known = capabilities(connection)
    offered = known.virt_types(known.arch)
    guest = ProbeGuest("qemu" if "qemu" in offered or not offered else offered[0], known.arch)
    disk = replace(lies_on(connection, volume, uuid), target=first_target("virtio"), bus="virtio", readonly=True)
    try_to_start(connection, partial(render_opener, guest, disk))


def lies_on(connection: Connection, volume: Volume, secret: str | None) -> Disk:
    """Return what is known of a disk that lies on the volume; ``secret`` is the UUID of that which opens it."""
    if volume.is_remote:
        remote = remote_source(find_pool(connection, volume.pool))
        return Disk("", source=volume.path, format=volume.format or "raw", type="network", secret=secret, remote=remote)
    kind = "block" if volume.is_device else "file"
    return Disk("", source=volume.path, format=volume.format or "raw", type=kind, secret=secret)


def forget_passphrase(connection: Connection, path: str) -> None:
    """Have libvirt forget the passphrase of a volume that is gone."""
    secret = find_volume_secret(connection, path)
    if secret is not None:
        secret.undefine()
