# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An image as modules show it. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from .._spec.image_record import ImageRecord


def image_row(record: ImageRecord, path: str | None, pool: str) -> dict[str, t.Any]:
    """Return what is known of an image whose data is at ``path``."""
    return {
        "name": record.name,
        "digest": record.digest,
        "format": record.format,
        "source_format": record.fetched_format,
        "source_digest": record.fetched_digest,
        "virtual_size_bytes": record.virtual_size_bytes,
        "size_bytes": record.size_bytes,
        "volume": record.volume,
        "path": path,
        "pool": pool,
        "source": record.source,
        "fetched_at": record.fetched_at,
        "checksum": record.checksum,
        "signed_by": record.signed_by,
        "metadata": asdict(record.metadata),
    }
