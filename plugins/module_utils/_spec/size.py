# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Sizes as people write them: a number with or without a unit, into bytes and back."""

from __future__ import annotations

import re
from decimal import Decimal

from .._errors import SpecError

_SIZE = re.compile(r"(\d{1,20}(?:\.\d{1,18})?)\s*([A-Za-z]*)", re.ASCII)
_LETTERS = "KMGTPE"
_LARGEST = 2**63 - 1
"""More bytes libvirt does not take."""
REMEDY = "give a number with a unit such as 10G or 10GiB (powers of 1024), 10GB (powers of 1000), or bytes without one"


def _units() -> dict[str, int]:
    found = {"": 1, "b": 1, "bytes": 1}
    for power, letter in enumerate(_LETTERS, start=1):
        found[letter.lower()] = found[f"{letter.lower()}ib"] = 1024**power
        found[f"{letter.lower()}b"] = 1000**power
    return found


_UNITS = _units()


def parse_size(option: str, text: str) -> int:
    """Return the bytes that ``text`` means, with libvirt's and QEMU's units: K, KiB are 1024, KB is 1000."""
    found = _SIZE.fullmatch(text.strip())
    factor = _UNITS.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise SpecError(option, f"{text!r} is not a size", REMEDY)
    exact = Decimal(found[1]) * factor
    size = int(exact)
    if size != exact:
        raise SpecError(option, f"{text!r} is no whole number of bytes", REMEDY)
    if size > _LARGEST:
        raise SpecError(option, f"{text!r} is more than there can be", "give at most 8191 PiB")
    return size


def format_size(size: int) -> str:
    """Return ``size`` in the largest unit that tells it exactly; :func:`parse_size` reads it."""
    for power in range(len(_LETTERS), 0, -1):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power} {_LETTERS[power - 1]}iB"
    return f"{size} bytes"
