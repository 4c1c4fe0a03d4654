# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Names of disks in a definition: a bus's own prefix, and letters."""

from __future__ import annotations

import string
import typing as t

_PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "ide": "hd"}


def first_target(bus: str) -> str:
    """Return the target device of the first disk on ``bus``."""
    return f"{_PREFIX[bus]}a"


def free_target(bus: str, taken: t.Collection[str]) -> str:
    """Return the first target device on ``bus`` that is not ``taken``."""
    tails = (f"{first}{last}" for first in ("", *string.ascii_lowercase) for last in string.ascii_lowercase)
    return next(name for tail in tails if (name := f"{_PREFIX[bus]}{tail}") not in taken)
