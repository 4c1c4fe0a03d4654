# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The secrets that libvirt keeps for encrypted volumes and for pools: found, defined, given a value, undefined."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import NotFoundError
from .._xml.secret import SecretDescription, read_secret, write_secret
from .capabilities import supported
from .connection import Connection, libvirt


def find_volume_secret(connection: Connection, path: str) -> Secret | None:
    """Return the secret of the volume at ``path``, or None."""
    return find_secret(connection, "volume", path)


def find_secret(connection: Connection, usage: str, path: str) -> Secret | None:
    """Return the secret of that ``usage`` for ``path``, or what it is called instead; or None."""
    look_up, code = connection.raw.secretLookupByUsage, getattr(libvirt, f"VIR_SECRET_USAGE_TYPE_{usage.upper()}")
    try:
        raw = supported(connection, f"look up the secret of {path}", look_up, code, path)
    except NotFoundError:
        return None
    return Secret(connection, raw, path) if raw is not None else None


def define_secret(connection: Connection, secret: SecretDescription) -> Secret:
    """Make a secret, or change it; one that is there keeps its value."""
    doing = f"define the secret of {secret.path}"
    raw = connection.call(doing, connection.raw.secretDefineXML, write_secret(secret), 0)
    return Secret(connection, raw, secret.path)


class Secret:
    """One secret; use :func:`find_secret`."""

    def __init__(self, connection: Connection, raw: t.Any, path: str) -> None:
        """Take libvirt's own ``raw`` secret and what it is for, such as a volume's path."""
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
