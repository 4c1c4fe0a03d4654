# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Getting an image's bytes on the machine where the module runs: hashed and judged before anything else sees them."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import stat
import time
import typing as t
import urllib.error

from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url

from .._errors import ImageError
from .._spec._image.inspection import file_reader
from .._spec.image import Checksum, ImageSpec
from .._spec.image_format import check_safe, inspect
from ._image.convert import convert
from ._image.fetched import Fetched, scratch_file

_CHUNK_BYTES = 1024 * 1024
_SILENCE_SECONDS = 60
"""How long a server may send nothing, however long the whole fetch may take."""


@contextlib.contextmanager
def fetch(spec: ImageSpec, directory: str | None) -> t.Iterator[Fetched]:
    """Give the image that ``spec`` names; what is downloaded or converted lies in files without a name in ``directory``."""
    with contextlib.ExitStack() as stack:
        if spec.url:
            file = stack.enter_context(scratch_file(directory))
            digests, mtime_ns = _download(spec, file), None
        else:
            file = stack.enter_context(_open(str(spec.path)))
            digests, mtime_ns = _hash_file(spec, file), os.fstat(file.fileno()).st_mtime_ns
        fetched = _judge(spec, file, digests, mtime_ns)
        yield convert(fetched, spec, stack.enter_context(scratch_file(directory)))


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


class _Digests:
    """The image's own digest, and that of the declared algorithm."""

    def __init__(self, declared: Checksum | None) -> None:
        self._declared = declared
        self._hashes = {"sha256": hashlib.sha256()}
        if declared:
            self._hashes.setdefault(declared.algorithm, hashlib.new(declared.algorithm))

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        for one in self._hashes.values():
            one.update(chunk)

    def verify(self, source: str) -> str:
        """Return the image's digest, or refuse one that is not the declared one."""
        if self._declared:
            found = self._hashes[self._declared.algorithm].hexdigest()
            if found != self._declared.value:
                raise ImageError(
                    f"Option checksum: the image at {source} has {self._declared.algorithm}:{found}"
                    f" and not {self._declared}; nothing was published."
                )
        return f"sha256:{self._hashes['sha256'].hexdigest()}"


def _judge(spec: ImageSpec, file: t.BinaryIO, digests: _Digests, mtime_ns: int | None) -> Fetched:
    digest = digests.verify(spec.source)
    size = file.seek(0, os.SEEK_END)
    inspection = inspect(file_reader(file, size), size)
    check_safe(inspection, spec.format)
    return Fetched(file, digest, size, inspection, mtime_ns)


def _hash_file(spec: ImageSpec, file: t.BinaryIO) -> _Digests:
    digests = _Digests(spec.checksum)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            digests.update(chunk)
    except OSError as exc:
        raise ImageError(f"Cannot read the image {spec.path}: {exc.strerror}.") from exc
    return digests


def _download(spec: ImageSpec, file: t.BinaryIO) -> _Digests:
    """Write the URL's content to ``file``; every way it can go wrong has one sentence."""
    end = time.monotonic() + spec.timeout
    failed = f"Cannot fetch the image {spec.source}:"
    try:
        with contextlib.closing(
            open_url(str(spec.url), timeout=min(spec.timeout, _SILENCE_SECONDS), decompress=False)
        ) as response:
            return _receive(spec, response, file, end)
    except urllib.error.HTTPError as exc:
        raise ImageError(f"{failed} the server answered {exc.code} {exc.reason}.", {"status": exc.code}) from exc
    except urllib.error.URLError as exc:
        raise ImageError(f"{failed} {exc.reason}.") from exc
    except http.client.IncompleteRead as exc:
        raise ImageError(f"{failed} the body broke off.") from exc
    except (UrlConnectionError, SSLValidationError, OSError, http.client.HTTPException, ValueError) as exc:
        raise ImageError(f"{failed} {_reason(spec, exc)}.") from exc


def _reason(spec: ImageSpec, exc: Exception) -> str:
    """Return the error's words, which must not carry the URL's secrets along."""
    if isinstance(exc, TimeoutError):
        return "the server was silent for too long"
    return str(exc).replace(str(spec.url), spec.source).rstrip(".") or type(exc).__name__


def _receive(spec: ImageSpec, response: t.Any, file: t.BinaryIO, end: float) -> _Digests:
    digests = _Digests(spec.checksum)
    received = 0
    while chunk := response.read(_CHUNK_BYTES):
        digests.update(chunk)
        file.write(chunk)
        received += len(chunk)
        if time.monotonic() > end:
            raise ImageError(
                f"Cannot fetch the image {spec.source}: it took longer than {spec.timeout} seconds;"
                " raise option timeout or use a faster server."
            )
    announced = response.headers.get("Content-Length")
    if announced and announced.isdigit() and int(announced) != received:
        raise ImageError(
            f"Cannot fetch the image {spec.source}: the body broke off after {received} of {announced} bytes."
        )
    file.flush()
    return digests
