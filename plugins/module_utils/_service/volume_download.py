# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""A volume's content as a file on the machine where the module runs: whole or not there."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

from .._driver.connection import Connection
from .._driver.storage import Volume
from .._errors import ComputeError, ConflictError
from .image_usage import refuse_written

_PRIVATE = 0o600


def refuse_download(connection: Connection, volume: Volume) -> None:
    """Refuse a volume whose content would not be a whole disk, or is being written."""
    what = f"volume {volume.name} of pool {volume.pool}"
    if volume.backing:
        raise ConflictError(
            f"Option dest: {what} holds only what differs from {volume.backing[0]}; make a volume with it as its source, and"
            " download that.",
            {"option": "dest"},
        )
    refuse_written(connection, volume, what, "dest", "read")


def download(volume: Volume, dest: str) -> None:
    """Write the volume to ``dest``, for its owner alone; what a run that was killed left is written over."""
    target = Path(dest)
    part = target.with_name(f".{target.name}.kilonova-part")
    try:
        part.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(part, flags, _PRIVATE), "wb") as file:
            _fill(volume, t.cast(t.BinaryIO, file))
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as exc:
        _remove(part)
        raise ComputeError(f"Option dest: cannot write {dest}: {exc.strerror}.", {"option": "dest"}) from exc
    except BaseException:
        _remove(part)
        raise


def _fill(volume: Volume, file: t.BinaryIO) -> None:
    volume.download_sparse(file)
    # A hole at the end is in no write.
    file.truncate(file.tell())


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        part.unlink()
