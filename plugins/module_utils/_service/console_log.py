# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The log of a serial console, read through its storage pool: the same on the hypervisor and from elsewhere."""

from __future__ import annotations

import itertools
import posixpath
import typing as t
from dataclasses import dataclass

from .._driver.connection import Connection
from .._driver.storage import Pool, Volume, pool_of_path
from .._errors import SpecError
from .console_text import console_lines


@dataclass(frozen=True)
class LogTail:
    """The end of a log; ``is_cut`` says that there is more before it."""

    lines: tuple[str, ...] = ()
    is_cut: bool = False


def read_log(connection: Connection, path: str, most_lines: int, most_bytes: int) -> LogTail:
    """Return the end of the log at ``path``; a log that is not there yet is empty."""
    pool = pool_of_path(connection, path)
    if pool is None:
        raise SpecError(
            "log",
            f"the log {path} lies in no running storage pool, through which it would be read",
            f"define and start a pool of type dir for {posixpath.dirname(path)}, or set log: false",
        )
    # Files come into being and grow behind the pool's back.
    pool.refresh()
    data, is_cut = _tail(_newest_first(pool, posixpath.basename(path)), most_bytes)
    lines = console_lines(data, is_cut)
    return LogTail(tuple(lines[-most_lines:]), is_cut or len(lines) > most_lines)


def _newest_first(pool: Pool, name: str) -> t.Iterator[Volume]:
    """Give the log and then those that it was rotated to, of which 0 is the youngest."""
    for candidate in itertools.chain([name], (f"{name}.{number}" for number in itertools.count())):
        volume = pool.find(candidate)
        if volume is None:
            return
        yield volume


def _tail(newest_first: t.Iterable[Volume], most_bytes: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    room = most_bytes
    for volume in newest_first:
        part, size = volume.read_tail(room)
        parts.insert(0, part)
        room -= len(part)
        if size > len(part):
            return b"".join(parts), True
    return b"".join(parts), False
