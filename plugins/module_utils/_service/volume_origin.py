# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The volume or image that a new volume becomes a copy of: found, and judged before any program opens it."""

from __future__ import annotations

import typing as t

from .._driver.connection import Connection
from .._driver.secret import find_volume_secret
from .._driver.storage import Pool, Volume, find_pool, find_volume
from .._errors import ImageError, NotFoundError
from .._spec._image.qcow2 import BACKING_FILE, ENCRYPTED
from .._spec._image.signatures import detect
from .._spec.image_format import inspect
from .._spec.image_record import is_data_volume
from .._spec.volume import Origin, unfinished_name
from .image_catalog import find_image
from .image_usage import refuse_written
from .pool_limits import refuse_copy


class Use(t.NamedTuple):
    """What a volume is wanted for: by which option, and what is done to it in words."""

    option: str
    verb: str
    opener: str = ""
    """Who else than libvirt may open one that is encrypted, in a sentence."""


_COPIED = Use("source", "copied")


def attached_by(option: str) -> Use:
    """Return that a guest is to get a volume."""
    return Use(option, "attached", " If the guest has encrypted it and opens it itself, declare format: raw.")


def find_origin(connection: Connection, origin: Origin, goal: Pool) -> Volume:
    """Return what is copied to pool ``goal``, or refuse one that is not there, not whole, being written, or leads elsewhere."""
    pool = find_pool(connection, origin.pool)
    refuse_copy(goal.describe(), pool.describe(), "image" if origin.is_image else _COPIED.option)
    name = find_image(connection, pool, origin.name).volume if origin.is_image else origin.name
    volume = pool.find(name)
    if volume is None or pool.find(unfinished_name(name)):
        problem = "is not finished; run again what makes it" if volume else "is not there"
        raise NotFoundError(f"Option source: {origin} {problem}.", {"option": "source"})
    if not origin.is_image:
        refuse_written(connection, volume, str(origin), _COPIED.option, _COPIED.verb)
        refuse_leading_elsewhere(connection, volume, str(origin), _COPIED)
    return volume


def refuse_leading_elsewhere(
    connection: Connection, volume: Volume, what: str, use: Use, opened_inside: bool = False
) -> None:
    """Refuse what would make the hypervisor read another file: a guest can make its raw disk look like such an image.

    What libvirt takes for raw is read byte by byte. A qcow2 may lie on a published image, which anybody may read.
    ``opened_inside`` lets pass what a guest has encrypted itself.
    """
    if volume.is_remote:
        # Libvirt can't read it, and takes it for raw whatever it holds.
        return
    length = volume.description.physical_bytes or volume.capacity
    read = volume.reader(length)
    encrypted = volume.description.encryption is not None or "luks" in detect(read, length)
    if encrypted and not opened_inside and find_volume_secret(connection, volume.path) is None:
        raise ImageError(
            f"Option {use.option}: {what} is encrypted, and its passphrase is not on this host; declare it with"
            f" compute_volume, encryption first.{use.opener}"
        )
    if volume.format in (None, "raw"):
        return
    if volume.format != "qcow2":
        raise ImageError(
            f"Option {use.option}: {what} looks like {volume.format}, and only raw and qcow2 can be {use.verb}."
        )
    problems = [problem for problem in inspect(read, length).problems if not (encrypted and problem == ENCRYPTED)]
    if BACKING_FILE in problems:
        below = find_volume(connection, volume.backing[0]) if volume.backing else None
        if below and is_data_volume(below.name):
            problems.remove(BACKING_FILE)
    if problems:
        raise ImageError(f"Option {use.option}: {what} is not {use.verb}: it {' and it '.join(problems)}.")
