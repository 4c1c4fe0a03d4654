# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What a pool's images take of it, which no instance can be promised."""

from __future__ import annotations

import contextlib
import typing as t

from .._driver.connection import Connection
from .._driver.storage import Volume, find_pool
from .._errors import NotFoundError, UnsupportedError
from .._spec.image_record import image_name, is_image_content
from .facts_guests import GIB


def image_cache(volumes: t.Mapping[str, Volume]) -> dict[str, int]:
    """Return how many images are published among a pool's volumes, and how many GiB all their data takes, rounded up.

    Data that no image is published with any more counts too, as it does when instances lie on it.
    """
    size = 0
    for name, volume in volumes.items():
        with contextlib.suppress(NotFoundError):
            size += volume.allocation if is_image_content(name) else 0
    return {"images": sum(image_name(name) is not None for name in volumes), "size_gb": -(-size // GIB)}


def pool_volumes(connection: Connection, pool: str) -> t.Mapping[str, Volume]:
    """Return the pool's volumes; none where the hypervisor does not list them."""
    try:
        return find_pool(connection, pool).volumes()
    except UnsupportedError:
        return {}
