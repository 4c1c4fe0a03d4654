# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image that is not published as it came: its disk is written anew, by code that opens no other file.

It is done here and not by the hypervisor, since libvirt knows no VHDX, converts within pools of files alone, and would
have to be given the image before.
"""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import replace

from ..._errors import ImageError
from ..._spec._image.disk import disk_clusters, write_disk
from ..._spec._image.inspection import file_reader
from ..._spec.image import ImageSpec
from ..._spec.image_format import check_safe, inspect, published_format
from .fetched import Fetched

_CHUNK_BYTES = 1024 * 1024


def convert(fetched: Fetched, spec: ImageSpec, file: t.BinaryIO) -> Fetched:
    """Return the image as it is to be published; what is written anew is written to the empty ``file``."""
    found = fetched.inspection
    target = published_format(found.format, spec.convert_to)
    if found.format == "iso":
        published = replace(found, format="raw")
        return replace(fetched, inspection=published, source_format="iso", source_digest=fetched.fetched_digest)
    if target == found.format:
        return fetched
    try:
        clusters = disk_clusters(
            file_reader(fetched.file, fetched.size_bytes), fetched.size_bytes, found, spec.max_size_bytes
        )
        write_disk(file, target, found.virtual_size_bytes, clusters)
    except ValueError as exc:
        raise ImageError(f"The {found.format} image is refused: {exc}.") from exc
    except OverflowError as exc:
        raise too_large(spec) from exc
    except OSError as exc:
        raise ImageError(f"Cannot convert the image {spec.source} to {target}: {exc.strerror}.") from exc
    return _verified(fetched, file, target)


def too_large(spec: ImageSpec) -> ImageError:
    """Return the error for an image that is larger than was declared."""
    return ImageError(
        f"Option max_size_gb: the image {spec.source} is larger than {spec.max_size_gb} GiB; raise it if that is right.",
        {"option": "max_size_gb"},
    )


def _verified(fetched: Fetched, file: t.BinaryIO, target: str) -> Fetched:
    """Judge what was written like any other image."""
    size = file.seek(0, os.SEEK_END)
    written = inspect(file_reader(file, size), size)
    check_safe(written, None)
    if (written.format, written.virtual_size_bytes) != (target, fetched.inspection.virtual_size_bytes):
        raise ImageError(
            f"The image's disk would be taken for {written.format} when it is published as {target};"
            " publish it with convert_to=qcow2."
        )
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return replace(
        fetched,
        file=file,
        digest=f"sha256:{digest.hexdigest()}",
        size_bytes=size,
        inspection=written,
        source_format=fetched.inspection.format,
        source_digest=fetched.fetched_digest,
    )
