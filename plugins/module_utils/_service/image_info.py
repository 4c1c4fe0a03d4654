# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Published images as a list."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._driver.connection import Connection
from .._driver.storage import find_pool
from .._errors import SpecError
from .._spec.image_record import ImageRecord
from .._spec.instant import written
from .._spec.query import Query
from .image_catalog import ImageCatalog, is_whole
from .image_row import image_row
from .image_survey import StoredImage, Survey, take_survey


@dataclass(frozen=True)
class ImageInfoOptions:
    """Which images are asked for."""

    pool: str = "default"
    names: frozenset[str] | None = None
    """None is every name."""
    query: Query | None = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> ImageInfoOptions:
        """Validate the module's options."""
        if not params["pool"]:
            raise SpecError("pool", "it is empty", "name a storage pool of the hypervisor")
        return cls(
            pool=params["pool"],
            names=None if params["names"] is None else frozenset(params["names"]),
            query=None if params["query"] is None else Query.of("query", params["query"]),
        )


def list_images(connection: Connection, options: ImageInfoOptions) -> dict[str, t.Any]:
    """Return the published images by name, or what the query makes of them, and what can't be looked into."""
    survey = take_survey(ImageCatalog(connection, find_pool(connection, options.pool)), thorough=False)
    found = {
        record.name: _row(survey, image, record, options.pool)
        for image in survey.images
        for record in image.records
        if (options.names is None or record.name in options.names) and is_whole(image.volume, record)
    }
    rows = [found[name] for name in sorted(found)]
    images = rows if options.query is None else options.query.apply_to_list(rows)
    return {"images": images, "unreadable": survey.usage.blind_spots}


def _row(survey: Survey, image: StoredImage, record: ImageRecord, pool: str) -> dict[str, t.Any]:
    path, usage = image.volume.path, survey.usage
    is_used = bool(survey.users(image))
    since = None if is_used or image.unused_since is None else written(image.unused_since)
    volumes = [{"name": usage.names[upper], "pool": usage.pools[upper]} for upper in usage.paths_on(path)]
    return {
        **image_row(record, path, pool),
        "allocation_bytes": image.volume.allocation,
        "in_use": is_used,
        "used_by": {"instances": survey.instances(image), "volumes": volumes},
        "unused_since": since,
    }
