# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An upload with holes that ends even where the daemon forgets to answer.

When the daemon can't write any more, as in a pool that ran full, and what comes next is a hole, libvirt answers the hole,
which nobody waits for, and drops the stream: whoever waits for the stream's end then waits for ever. A call that hangs can't be
broken off from outside. So it is left to a thread with a connection of its own, which ends with the process.
"""

from __future__ import annotations

import threading
import typing as t

from .connection import Connection, libvirt
from .stream import Source, open_stream, send

STALL_SECONDS = 15.0
"""How long nothing may go on before it is looked at a second time."""


class _Watched:
    """Reads from a source, and tells how far that has come."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.taken = 0
        self.reading = False

    def read(self, size: int, /) -> bytes:
        """Give at most ``size`` bytes, none at the end."""
        self.reading = True
        try:
            chunk = self._source.read(size)
        finally:
            self.reading = False
        self.taken += len(chunk)
        return chunk


class _Upload:
    """One upload in a thread of its own."""

    def __init__(self, uri: str, key: str, source: _Watched, length: int) -> None:
        self._uri = uri
        self._key = key
        self._source = source
        self._length = length
        self.done = threading.Event()
        self.sent = 0
        self.error: BaseException | None = None
        threading.Thread(target=self._run, name="sparse upload", daemon=True).start()

    def _run(self) -> None:
        try:
            with Connection(self._uri) as connection:
                volume = connection.raw.storageVolLookupByKey(self._key)
                with open_stream(connection) as stream:
                    volume.upload(stream, 0, self._length, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
                    self.sent = send(stream, self._source, self._length, sparse=True)
        except BaseException as exc:  # pylint: disable=broad-exception-caught
            # It is raised where the upload is waited for.
            self.error = exc
        self.done.set()


def upload_sparse(uri: str, key: str, source: Source, length: int, written: t.Callable[[], t.Any]) -> int | None:
    """Fill a new volume with ``length`` bytes and return how many there were; None where the daemon stopped for good.

    ``written`` tells how far the daemon has come, in whatever form changes with it. However slow the source is, it is
    waited for.
    """
    watched = _Watched(source)
    upload = _Upload(uri, key, watched, length)
    before = None
    while not upload.done.wait(STALL_SECONDS):
        now = None if watched.reading else (watched.taken, written())
        if now is not None and now == before:
            return None
        before = now
    if upload.error:
        raise upload.error
    return upload.sent
