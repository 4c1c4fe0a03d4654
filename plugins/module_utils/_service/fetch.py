# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Getting an image's bytes on the machine where the module runs: hashed and judged before anything else sees them."""

from __future__ import annotations

import contextlib
import os
import stat
import time
import typing as t
from dataclasses import replace

from .._driver.volume_file import VolumeFile
from .._errors import ImageError
from .._spec._image.inspection import file_reader
from .._spec.image import ImageSpec
from .._spec.image_checksum import Checksum
from .._spec.image_format import PACKED, check_safe, inspect, published_format
from ._image.convert import convert, too_large
from ._image.fetched import Fetched, scratch_file
from ._image.intake import Digests, Intake
from ._image.offer import Offer
from ._image.signature import verify
from ._image.tools import NOTHING, Tools
from ._image.transfer import Transfer
from ._image.unpack import MAGIC_BYTES, find_unpacker
from .progress import CONVERT, DOWNLOAD, PUBLISH, VERIFY, CountedReader, CountedWriter, Progress

_CHUNK_BYTES = 1024 * 1024


@contextlib.contextmanager
def fetch(spec: ImageSpec, offer: Offer | None = None, tools: Tools = NOTHING) -> t.Iterator[Fetched]:
    """Give the image that ``spec`` names, or what is on ``offer``.

    What is fetched or written anew lies in files without a name in the tools' directory.
    """
    with contextlib.ExitStack() as stack:
        scratch, converted = (stack.enter_context(scratch_file(tools.directory)) for _each in range(2))
        if spec.url:
            fetched = _from_web(spec, stack, scratch, tools)
        elif offer:
            fetched = _from_volume(spec, stack.enter_context(_open_volume(offer)), offer, scratch, tools)
        else:
            fetched = _from_file(spec, stack.enter_context(_open(str(spec.path))), scratch, tools)
        if isinstance(fetched.file, CountedReader):
            fetched = replace(fetched, file=fetched.file.plain)
        target = CountedWriter(converted, tools.progress, CONVERT)
        published = convert(fetched, spec, t.cast(t.BinaryIO, target))
        yield replace(published, file=_counted(published.file, tools.progress, PUBLISH, published.size_bytes))


def _from_web(spec: ImageSpec, stack: contextlib.ExitStack, scratch: t.BinaryIO, tools: Tools) -> Fetched:
    url = str(spec.url)
    if not spec.is_signed_itself:
        intake = Intake(spec, scratch, announced=tools.announced)
        Transfer(url, spec.transport, intake, "the image", tools.progress).run(intake.expect)
        return _judge(spec, scratch, intake)
    # What is signed is what comes, packed or not.
    stored = stack.enter_context(scratch_file(tools.directory))
    Transfer(url, spec.transport, Intake(spec, stored, unpack=False), "the image", tools.progress).run()
    return replace(_read(spec, stored, scratch), signed_by=verify(spec, stored, tools.run, tools.directory))


def _open_volume(offer: Offer) -> VolumeFile:
    return VolumeFile(offer.connection, offer.volume, offer.size_bytes)


def _from_volume(spec: ImageSpec, volume: VolumeFile, offer: Offer, scratch: t.BinaryIO, tools: Tools) -> Fetched:
    doing = DOWNLOAD if spec.host else VERIFY
    counted = _counted(Timed(volume, spec), tools.progress, doing, offer.size_bytes)
    fetched = _take(spec, offer, counted, scratch, tools.announced)
    return replace(fetched, taken_at=offer.taken_at)


def _from_file(spec: ImageSpec, file: t.BinaryIO, scratch: t.BinaryIO, tools: Tools) -> Fetched:
    status = os.fstat(file.fileno())
    counted = _counted(file, tools.progress, VERIFY, status.st_size)
    fetched = replace(_read(spec, counted, scratch), mtime_ns=status.st_mtime_ns)
    if spec.is_signed_itself:
        fetched = replace(fetched, signed_by=verify(spec, file, tools.run, tools.directory))
    return fetched


def _counted(file: t.Any, progress: Progress, phase: str, total: int) -> t.BinaryIO:
    return t.cast(t.BinaryIO, CountedReader(file, progress, phase, total))


def _read(spec: ImageSpec, file: t.BinaryIO, scratch: t.BinaryIO) -> Fetched:
    """Hash a file where it is; only what is packed is copied."""
    try:
        file.seek(0)
        packed = find_unpacker(file.read(MAGIC_BYTES)) is not None
        file.seek(0)
        taker = Intake(spec, scratch) if packed else Digests(spec.checksum)
        _pass_on(file, taker)
    except OSError as exc:
        raise ImageError(f"Cannot read the image {spec.source}: {exc.strerror}.") from exc
    return _judge(spec, scratch if packed else file, taker)


def _take(
    spec: ImageSpec, offer: Offer, file: t.BinaryIO, scratch: t.BinaryIO, announced: t.Callable[[int], None]
) -> Fetched:
    """Look at a volume where it is; only what is packed, or is to be converted, is copied."""
    if offer.record:
        # Of what it was made is its own hypervisor's word; what is published must be what that says it is.
        spec = replace(spec, checksum=Checksum.parse(offer.record.digest))
    found = inspect(offer.volume.reader(offer.size_bytes), offer.size_bytes)
    if published_format(found.format, spec.convert_to) != found.format or found.format in PACKED:
        taker = Intake(spec, scratch)
        _pass_on(file, taker)
        return replace(_judge(spec, scratch, taker), mtime_ns=offer.changed_ns)
    check_safe(found, spec.format)
    if offer.size_bytes > spec.max_size_bytes:
        raise too_large(spec)
    announced(offer.data_bytes)
    if offer.record:
        return Fetched(
            file, offer.record.digest, offer.size_bytes, found, elsewhere=True, allocated_bytes=offer.volume.allocation
        )
    digests = Digests(spec.checksum)
    _pass_on(file, digests)
    digests.verify(spec.source)
    return Fetched(
        file,
        digests.digest,
        offer.size_bytes,
        found,
        offer.changed_ns,
        elsewhere=True,
        allocated_bytes=offer.volume.allocation,
    )


def _pass_on(file: t.BinaryIO, taker: Intake | Digests) -> None:
    while chunk := file.read(_CHUNK_BYTES):
        taker.update(chunk)


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


class Timed:
    """Reads from what takes no longer than ``spec`` allows."""

    def __init__(self, file: VolumeFile, spec: ImageSpec) -> None:
        """Count from now on."""
        self._file = file
        self._spec = spec
        self._end = time.monotonic() + spec.timeout

    def seek(self, place: int, /) -> int:
        """Go back to the beginning."""
        return self._file.seek(place)

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""
        if time.monotonic() > self._end:
            raise ImageError(
                f"Cannot fetch the {self._spec.source}: it took longer than {self._spec.timeout} seconds; raise option timeout."
            )
        return self._file.read(size)


def source_mtime_ns(spec: ImageSpec) -> int | None:
    """Return when the file of ``spec`` was changed last; None for a URL or a file that is not there."""
    if not spec.path:
        return None
    try:
        return os.stat(spec.path).st_mtime_ns
    except OSError:
        return None
