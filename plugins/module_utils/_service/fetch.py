# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Getting an image's bytes on the machine where the module runs: hashed and judged before anything else sees them."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t
from dataclasses import replace

from .._errors import ImageError
from .._spec._image.inspection import file_reader
from .._spec.image import ImageSpec
from .._spec.image_format import check_safe, inspect
from ._image.convert import convert
from ._image.fetched import Fetched, scratch_file
from ._image.intake import Digests, Intake
from ._image.transfer import Transfer
from ._image.unpack import MAGIC_BYTES, find_unpacker

_CHUNK_BYTES = 1024 * 1024


@contextlib.contextmanager
def fetch(spec: ImageSpec, directory: str | None) -> t.Iterator[Fetched]:
    """Give the image that ``spec`` names; what is fetched or written anew lies in files without a name in ``directory``."""
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(scratch_file(directory))
        if spec.url:
            intake = Intake(spec, scratch)
            Transfer(spec.url, spec.transport, intake, "the image").run()
            fetched = _judge(spec, scratch, intake)
        else:
            file = stack.enter_context(_open(str(spec.path)))
            fetched = replace(_read(spec, file, scratch), mtime_ns=os.fstat(file.fileno()).st_mtime_ns)
        yield convert(fetched, spec, stack.enter_context(scratch_file(directory)))


def _read(spec: ImageSpec, file: t.BinaryIO, scratch: t.BinaryIO) -> Fetched:
    """Hash a file where it is; only what is packed is copied."""
    try:
        packed = find_unpacker(file.read(MAGIC_BYTES)) is not None
        file.seek(0)
        taker = Intake(spec, scratch) if packed else Digests(spec.checksum)
        while chunk := file.read(_CHUNK_BYTES):
            taker.update(chunk)
    except OSError as exc:
        raise ImageError(f"Cannot read the image {spec.path}: {exc.strerror}.") from exc
    return _judge(spec, scratch if packed else file, taker)


def _judge(spec: ImageSpec, file: t.BinaryIO, taker: Intake | Digests) -> Fetched:
    taker.verify(spec.source)
    size = file.seek(0, os.SEEK_END)
    inspection = inspect(file_reader(file, size), size)
    check_safe(inspection, spec.format)
    digest = taker.content_digest
    return Fetched(file, digest, size, inspection, source_digest=taker.digest if taker.digest != digest else None)


def _open(path: str) -> t.BinaryIO:
    try:
        # Looked at before it is opened, which would wait for ever on a pipe.
        if stat.S_ISREG(os.stat(path).st_mode):
            return open(path, "rb")
    except OSError as exc:
        raise ImageError(f"Cannot read the image {path}: {exc.strerror}.") from exc
    raise ImageError(f"Cannot read the image {path}: it is not a file.")


def source_mtime_ns(spec: ImageSpec) -> int | None:
    """Return when the file of ``spec`` was changed last; None for a URL or a file that is not there."""
    if not spec.path:
        return None
    try:
        return os.stat(spec.path).st_mtime_ns
    except OSError:
        return None
