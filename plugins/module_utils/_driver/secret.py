# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The secrets that libvirt keeps for encrypted volumes: found, defined, given a value, undefined."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import NotFoundError
from .._xml.secret import SecretDescription, read_secret, write_secret
from .capabilities import supported
from .connection import Connection, libvirt


def find_volume_secret(connection: Connection, path: str) -> VolumeSecret | None:
    """Return the secret of the volume at ``path``, or None."""
    look_up = connection.raw.secretLookupByUsage
    try:
        raw = supported(
            connection, f"look up the secret of {path}", look_up, libvirt.VIR_SECRET_USAGE_TYPE_VOLUME, path
        )
    except NotFoundError:
        return None
    return VolumeSecret(connection, raw, path) if raw is not None else None


def define_volume_secret(connection: Connection, secret: SecretDescription) -> VolumeSecret:
    """Make a secret, or change it; one that is there keeps its value."""
    doing = f"define the secret of {secret.path}"
    return VolumeSecret(
        connection, connection.call(doing, connection.raw.secretDefineXML, write_secret(secret), 0), secret.path
    )


class VolumeSecret:
    """The secret of one volume; use :func:`find_volume_secret`."""

    def __init__(self, connection: Connection, raw: t.Any, path: str) -> None:
        """Take libvirt's own ``raw`` secret and the volume's path."""
        self._connection = connection
        self._raw = raw
        self._path = path
        self.uuid: str = raw.UUIDString()

    def describe(self) -> SecretDescription:
        """Read what the secret is."""
        doing = f"read the secret of {self._path}"
        return read_secret(self._connection.call(doing, self._raw.XMLDesc, 0))

    def set_value(self, value: bytes) -> None:
        """Give it the value that it is for."""
        self._connection.call(f"set the secret of {self._path}", self._raw.setValue, value, 0)

    def undefine(self) -> None:
        """Forget it; one that is gone already is fine."""
        with contextlib.suppress(NotFoundError):
            self._connection.call(f"undefine the secret of {self._path}", self._raw.undefine)
