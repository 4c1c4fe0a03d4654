# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Spans of time as people write them."""

from __future__ import annotations

import re

from .._errors import SpecError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE = re.compile(r"(\d{1,9}) ?([smhdw])", re.ASCII)


def parse_age(option: str, text: str) -> int:
    """Return the seconds that ``text`` means."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise SpecError(option, f"{text!r} is no age", "give a number with s, m, h, d or w, such as 7d")
    return int(found.group(1)) * _SECONDS[found.group(2)]
