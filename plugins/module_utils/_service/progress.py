# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""How far a long transfer is, in a small file that the controller looks into while the module runs.

A module can say nothing before it ends. So whoever wants to know gives it a word by the environment, by which the file is
called, and reads the file meanwhile. Without the word nothing is written, and what can't be written is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
import typing as t
from pathlib import Path

from .._errors import ComputeError
from .lock import private_directory

VARIABLE = "KILONOVA_COMPUTE_PROGRESS"
SUFFIX = ".progress"
PHASES = ("downloading", "verifying", "copying", "converting", "publishing", "moving")
DOWNLOAD, VERIFY, COPY, CONVERT, PUBLISH, MOVE = PHASES
SEVERAL = "several"
"""The key of a list, where more than one thing is done at once."""

_GOOD_WORD = re.compile(r"[0-9a-f]{32}")
_EVERY_SECONDS = 1.0
_PRIVATE = 0o600
_STALE_SECONDS = 86400.0
"""A file that was not written for so long is of a run that was killed."""


class Progress:
    """What is being done with the image ``name``, and how far it is."""

    def __init__(self, name: str = "", word: str | None = None, directory: str | None = None) -> None:
        """Write nothing unless ``word`` is a good one."""
        self._name = name
        self._word = word if word and _GOOD_WORD.fullmatch(word) else None
        self._directory = directory
        self._phase = ""
        self._written = 0.0

    @staticmethod
    def from_environment(name: str) -> Progress:
        """Write where who runs the module looks."""
        return Progress(name, os.environ.get(VARIABLE))

    def note(self, phase: str, done: int, total: int | None = None) -> None:
        """Tell what is done, how many bytes are, and of how many, where that is known."""
        if self._word is None:
            return
        now = time.monotonic()
        if phase == self._phase and now - self._written < _EVERY_SECONDS:
            return
        if not self._phase:
            self._tidy()
        self._phase, self._written = phase, now
        self._write({"name": self._name, "phase": phase, "done": done, "total": total})

    def note_all(self, lines: t.Sequence[dict[str, t.Any]], is_new: bool) -> None:
        """Tell of several things at once, each as a line of :class:`Board`."""
        now = time.monotonic()
        if self._word is None or (not is_new and now - self._written < _EVERY_SECONDS):
            return
        if not self._phase:
            self._tidy()
        self._phase, self._written = SEVERAL, now
        self._write({SEVERAL: list(lines)})

    def end(self) -> None:
        """Leave no file behind."""
        if self._word is not None and self._phase:
            with contextlib.suppress(OSError):
                path = self._path(self._word)
                path.unlink()
                path.parent.rmdir()

    def _tidy(self) -> None:
        with contextlib.suppress(OSError, ComputeError):
            for path in private_directory(self._directory).glob(f"*{SUFFIX}"):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()

    def _write(self, content: dict[str, t.Any]) -> None:
        if self._word is None:
            return
        try:
            path = self._path(self._word)
            part = path.with_suffix(".part")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(part, flags, _PRIVATE), "w", encoding="ascii") as file:
                json.dump(content, file)
            # Whoever reads sees the last one or this one.
            part.replace(path)
        except (OSError, ComputeError):
            self._word = None

    def _path(self, word: str) -> Path:
        return private_directory(self._directory) / f"{word}{SUFFIX}"


SILENT = Progress()
"""Nobody looks."""


class Board:
    """Tells how far each of several things is that are done at once; used by their threads."""

    def __init__(self, word: str | None = None, directory: str | None = None) -> None:
        """Write nothing unless ``word`` is a good one."""
        self._progress = Progress("", word, directory)
        self._lock = threading.Lock()
        self._lines: dict[str, dict[str, t.Any]] = {}

    @staticmethod
    def from_environment() -> Board:
        """Write where who runs the module looks."""
        return Board(os.environ.get(VARIABLE))

    def note(self, name: str, phase: str, done: int, total: int | None = None) -> None:
        """Tell how far the thing ``name`` is."""
        with self._lock:
            is_new = self._lines.get(name, {}).get("phase") != phase
            self._lines[name] = {"name": name, "phase": phase, "done": done, "total": total}
            self._progress.note_all(list(self._lines.values()), is_new)

    def end(self, name: str) -> None:
        """Tell no more of it; when nothing is left, leave no file behind."""
        with self._lock:
            self._lines.pop(name, None)
            if not self._lines:
                self._progress.end()


SILENT_BOARD = Board()
"""Nobody looks."""


class CountedReader:
    """A file that tells how much of it was read since its beginning."""

    def __init__(self, file: t.BinaryIO, progress: Progress, phase: str, total: int | None) -> None:
        """Read ``file``, which is doing ``phase``."""
        self._file = file
        self._progress = progress
        self._what = phase, total
        self._done = 0

    @property
    def plain(self) -> t.BinaryIO:
        """Return the file itself, for what else is done with it."""
        return self._file

    def read(self, size: int = -1, /) -> bytes:
        """Give at most ``size`` bytes."""
        chunk = self._file.read(size)
        self._done += len(chunk)
        phase, total = self._what
        self._progress.note(phase, self._done, total)
        return chunk

    def seek(self, place: int, whence: int = os.SEEK_SET, /) -> int:
        """Go elsewhere, and count from there."""
        self._done = self._file.seek(place, whence) if whence else self._file.seek(place)
        return self._done

    def __getattr__(self, name: str) -> t.Any:
        """Be the file in everything else."""
        return getattr(self._file, name)


class CountedWriter:
    """A file that tells how much was written to it."""

    def __init__(self, file: t.BinaryIO, progress: Progress, phase: str) -> None:
        """Write to ``file``, which is doing ``phase``."""
        self._file = file
        self._progress = progress
        self._phase = phase
        self._done = 0

    def write(self, data: bytes, /) -> int:
        """Take the next bytes."""
        self._done += len(data)
        self._progress.note(self._phase, self._done)
        return self._file.write(data)

    def __getattr__(self, name: str) -> t.Any:
        """Be the file in everything else."""
        return getattr(self._file, name)
