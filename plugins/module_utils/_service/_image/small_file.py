# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A small file that belongs to an image, from the web or from where the module runs."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote, urlsplit

from ..._errors import ImageError
from ..._spec.image import ImageSpec, visible_url
from .transfer import Transfer


class _Content:
    """Takes a small file."""

    def __init__(self, most_bytes: int, too_large: str) -> None:
        self._most_bytes = most_bytes
        self._too_large = too_large
        self.content = bytearray()

    @property
    def received(self) -> int:
        """Return how much came."""
        return len(self.content)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.content += chunk
        if len(self.content) > self._most_bytes:
            raise ImageError(self._too_large)

    def restart(self) -> None:
        """Forget what came, to begin anew."""
        self.content.clear()


def read_small_file(spec: ImageSpec, url: str, option: str, what: str, most_bytes: int) -> bytes:
    """Return what is at ``url``, which ``option`` holds: ``what`` belongs to the image of ``spec``."""
    file = _Content(most_bytes, f"Option {option}: what is at {visible_url(url)} is too large for {what}.")
    parts = urlsplit(url)
    if parts.scheme.lower() == "file":
        _read(unquote(parts.path), file, what, most_bytes)
        return bytes(file.content)
    transport = spec.transport
    if not spec.url or _server(spec.url) != _server(url):
        # They are the image's server's, and no other's, nor for the same without TLS.
        transport = replace(transport, username=None, password=None)
    Transfer(url, transport, file, what).run()
    return bytes(file.content)


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.rpartition("@")[2]


def _read(path: str, content: _Content, what: str, most_bytes: int) -> None:
    try:
        with open(path, "rb") as file:
            content.update(file.read(most_bytes + 1))
    except OSError as exc:
        raise ImageError(f"Cannot read {what} {path}: {exc.strerror}.") from exc
