# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A lock on the machine where the module runs: between runs and threads of one user, gone with its holder.

Runs on different machines are not kept apart by it; what they share is protected by the order of their steps.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
import typing as t
from pathlib import Path

from .._errors import ComputeError, WaitTimeoutError

_PAUSE_SECONDS = 0.1
_HOST_SECONDS = 600.0
_PRIVATE = 0o700

ROOTS_DIRECTORY = "/run/kilonova-compute"
USERS_DIRECTORY = "/tmp/kilonova-compute-"
"""With the user's number behind it."""


@contextlib.contextmanager
def host_lock(key: str, timeout: float, what: str | None = None, directory: str | None = None) -> t.Iterator[None]:
    """Hold the lock ``key``, waiting at most ``timeout`` seconds; ``what`` names it in the error's sentence."""
    name = hashlib.sha256(key.encode("utf-8")).hexdigest() + ".lock"
    end = time.monotonic() + timeout
    while True:
        path, descriptor = _open(directory, name)
        is_held = is_stale = False
        try:
            is_held = _acquire(path, descriptor)
            is_stale = is_held and not _is_still(path, descriptor)
            if is_held and not is_stale:
                try:
                    yield
                finally:
                    _tidy(path, descriptor)
                return
        finally:
            os.close(descriptor)
        if is_stale:
            continue
        if time.monotonic() >= end:
            raise WaitTimeoutError(
                f"Another run still works on {what or key} after {timeout:g} seconds;"
                f" wait for it or end it (it holds the lock {path})."
            )
        time.sleep(_PAUSE_SECONDS)


def instance_lock(host_uuid: str, name: str) -> contextlib.AbstractContextManager[None]:
    """Keep other runs here off an instance that is worked on."""
    return host_lock(f"instance {host_uuid} {name}", _HOST_SECONDS, f"instance {name}")


def claims_lock(host_uuid: str) -> contextlib.AbstractContextManager[None]:
    """Keep other runs here from promising a host's room while it is promised; held last and shortly."""
    return host_lock(f"host {host_uuid}", _HOST_SECONDS, "this host")


def image_lock(pool_uuid: str, name: str, timeout: float) -> contextlib.AbstractContextManager[None]:
    """Keep other runs here off what an image's name stands for; taken before the lock of its data."""
    return host_lock(f"image {pool_uuid} {name}", timeout, f"image {name}")


def image_data_lock(pool_uuid: str, volume: str, pool: str, timeout: float) -> contextlib.AbstractContextManager[None]:
    """Keep other runs here off the volume with an image's data."""
    return host_lock(f"image data {pool_uuid} {volume}", timeout, f"volume {volume} of pool {pool}")


def image_cache_lock(pool_uuid: str, pool: str, timeout: float) -> contextlib.AbstractContextManager[None]:
    """Keep other runs here from taking the room that is made for an image; taken after the lock of its name."""
    return host_lock(f"image cache {pool_uuid}", timeout, f"the images of pool {pool}")


def _open(directory: str | None, name: str) -> tuple[Path, int]:
    while True:
        path = private_directory(directory) / name
        try:
            return path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            # The last holder took the empty directory away in between.
            continue
        except OSError as exc:
            raise ComputeError(f"Cannot open the lock {path}: {exc}.") from exc


def _tidy(path: Path, descriptor: int) -> None:
    """Remove the lock's file while it is held; who waits for it sees that it is gone, and makes another."""
    with contextlib.suppress(OSError):
        if _is_still(path, descriptor):
            path.unlink()
        path.parent.rmdir()


def _acquire(path: Path, descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        if exc.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
            return False
        raise ComputeError(f"Cannot take the lock {path}: {exc}.") from exc
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Tell whether the locked file is the one other runs would open: its last holder removed it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def private_directory(directory: str | None) -> Path:
    """Return the user's own directory of locks.

    It must be the same for every run of a user, with and without a login session, so the environment does not count.
    """
    user = os.geteuid()
    path = Path(directory or (ROOTS_DIRECTORY if user == 0 else f"{USERS_DIRECTORY}{user}"))
    found = None
    while found is None:
        try:
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=_PRIVATE)
        except OSError as exc:
            raise ComputeError(f"Cannot make the directory of locks {path}: {exc}.") from exc
        # Taken away in between it is made again, as in _open.
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or stat.S_IMODE(found.st_mode) & 0o022:
        raise ComputeError(f"The directory of locks {path} must belong to user id {user} alone; remove what is there.")
    return path
