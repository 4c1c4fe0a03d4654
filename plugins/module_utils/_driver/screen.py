# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A guest's screen as a picture, in whatever format its hypervisor makes it."""

from __future__ import annotations

import typing as t

from .._errors import DriverError
from .capabilities import supported
from .connection import Connection
from .stream import open_stream, receive

PICTURE_LIMIT_BYTES = 128 * 1024 * 1024
"""How much of a picture is taken: the guest chooses how large its screen is."""


class _Picture:
    """Keeps what comes, up to the limit."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        """Take ``data``, or refuse a picture that is too large."""
        self.data += data
        if len(self.data) > PICTURE_LIMIT_BYTES:
            raise DriverError(
                f"Cannot take a screenshot of {self._name}: the picture is larger than {PICTURE_LIMIT_BYTES} bytes."
            )


def screenshot(connection: Connection, name: str, handle: t.Any) -> bytes | None:
    """Return a picture of the running guest's first screen; None where the driver takes none."""

    def take_screenshot() -> bytes:
        picture = _Picture(name)
        with open_stream(connection) as stream:
            handle.screenshot(stream, 0, 0)
            receive(stream, picture)
        return bytes(picture.data)

    return t.cast("bytes | None", supported(connection, f"take a screenshot of {name}", take_screenshot))
