# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Sees whether anybody opens a file, whoever it is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import typing as t
from pathlib import Path

_IN_OPEN = 0x20


class Watch:
    """Tells whether a file was opened since."""

    def __init__(self, descriptor: int) -> None:
        """Take an inotify descriptor that does not wait."""
        self._descriptor = descriptor

    def opened(self) -> bool:
        """Tell whether the file was opened since the last question."""
        try:
            return bool(os.read(self._descriptor, 65536))
        except BlockingIOError:
            return False


@contextlib.contextmanager
def watch(path: Path) -> t.Iterator[Watch]:
    """Watch the file at ``path`` as long as the block lasts."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    if descriptor < 0 or libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_OPEN) < 0:
        raise OSError(ctypes.get_errno(), "no inotify")
    try:
        yield Watch(descriptor)
    finally:
        os.close(descriptor)
