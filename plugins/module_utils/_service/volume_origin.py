# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""The volume or image that a new volume becomes a copy of: found, and judged before any program opens it."""

from __future__ import annotations

from .._driver.connection import Connection
from .._driver.storage import Volume, find_pool, find_volume
from .._errors import ImageError, NotFoundError
from .._spec._image.qcow2 import BACKING_FILE
from .._spec._image.signatures import detect
from .._spec.image_format import inspect
from .._spec.image_record import is_data_volume
from .._spec.volume import Origin, unfinished_name
from .image_catalog import find_image
from .image_usage import refuse_written


def find_origin(connection: Connection, origin: Origin) -> Volume:
    """Return what is copied, or refuse one that is not there, not whole, being written, or leads elsewhere."""
    pool = find_pool(connection, origin.pool)
    name = find_image(connection, pool, origin.name).volume if origin.is_image else origin.name
    volume = pool.find(name)
    if volume is None or pool.find(unfinished_name(name)):
        problem = "is not finished; run again what makes it" if volume else "is not there"
        raise NotFoundError(f"Option source: {origin} {problem}.", {"option": "source"})
    if not origin.is_image:
        refuse_written(connection, volume, str(origin), "source", "copied")
        _refuse_leading_elsewhere(connection, origin, volume)
    return volume


def _refuse_leading_elsewhere(connection: Connection, origin: Origin, volume: Volume) -> None:
    """Refuse what would make the hypervisor read another file: a guest can make its raw disk look like such an image.

    What libvirt takes for raw is copied byte by byte. A qcow2 may lie on a published image, which anybody may read.
    """
    length = volume.description.physical_bytes or volume.capacity
    read = volume.reader(length)
    if volume.format in (None, "raw"):
        if "luks" in detect(read, length):
            # It is longer than what a guest sees of it, which is what would be copied.
            raise ImageError(f"Option source: {origin} is encrypted, and can't be copied.")
        return
    if volume.format != "qcow2":
        raise ImageError(f"Option source: {origin} looks like {volume.format}, and only raw and qcow2 can be copied.")
    problems = list(inspect(read, length).problems)
    if BACKING_FILE in problems:
        below = find_volume(connection, volume.backing[0]) if volume.backing else None
        if below and is_data_volume(below.name):
            problems.remove(BACKING_FILE)
    if problems:
        raise ImageError(f"Option source: {origin} is not copied: it {' and it '.join(problems)}.")
