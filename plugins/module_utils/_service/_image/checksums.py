# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A checksum that is to be looked up in a file such as SHA256SUMS."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..._spec.image import ImageSpec, visible_url
from .small_file import read_small_file

_MOST_BYTES = 4 * 1024**2


def resolve_checksum(spec: ImageSpec, verify: t.Callable[[bytes], str] | None = None) -> ImageSpec:
    """Return ``spec`` with the checksum that its file of checksums names, once ``verify`` told who signed that."""
    wanted = spec.checksum_file
    if not wanted:
        return spec
    content = read_small_file(spec, wanted.url, "checksum", "the checksums", _MOST_BYTES)
    signed_by = verify(content) if verify and spec.signature else None
    checksum = wanted.pick(content.decode("utf-8", "replace"), visible_url(wanted.url))
    return replace(spec, checksum=checksum, checksum_file=None, signed_by=signed_by)
