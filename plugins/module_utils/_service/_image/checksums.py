# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A checksum that is to be looked up in a file such as SHA256SUMS."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote, urlsplit

from ..._errors import ImageError
from ..._spec.image import ImageSpec, visible_url
from .transfer import Transfer

_MOST_BYTES = 4 * 1024**2


class _Text:
    """Takes a small text."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.content = bytearray()

    @property
    def received(self) -> int:
        """Return how much came."""
        return len(self.content)

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.content += chunk
        if len(self.content) > _MOST_BYTES:
            raise ImageError(f"Option checksum: what is at {self._source} is too large for a file of checksums.")

    def restart(self) -> None:
        """Forget what came, to begin anew."""
        self.content.clear()


def resolve_checksum(spec: ImageSpec) -> ImageSpec:
    """Return ``spec`` with the checksum that its file of checksums names."""
    wanted = spec.checksum_file
    if not wanted:
        return spec
    shown = visible_url(wanted.url)
    text = _Text(shown)
    if urlsplit(wanted.url).scheme.lower() == "file":
        _read(unquote(urlsplit(wanted.url).path), text)
    else:
        transport = spec.transport
        if (
            not spec.url
            or urlsplit(spec.url).netloc.rpartition("@")[2] != urlsplit(wanted.url).netloc.rpartition("@")[2]
        ):
            # They are the image's server's, and no other's.
            transport = replace(transport, username=None, password=None)
        Transfer(wanted.url, transport, text, "the checksums").run()
    return replace(spec, checksum=wanted.pick(text.content.decode("utf-8", "replace"), shown), checksum_file=None)


def _read(path: str, text: _Text) -> None:
    try:
        with open(path, "rb") as file:
            text.update(file.read(_MOST_BYTES + 1))
    except OSError as exc:
        raise ImageError(f"Cannot read the checksums {path}: {exc.strerror}.") from exc
