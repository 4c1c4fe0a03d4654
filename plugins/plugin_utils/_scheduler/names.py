# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""An order of names that people expect: hv2 before hv10."""

from __future__ import annotations

import re
import typing as t

_DIGITS = re.compile(r"([0-9]+)")

NameKey = tuple[tuple[t.Union[str, int], ...], str]


def natural_key(name: str) -> NameKey:
    """Return a sort key that compares runs of digits as numbers; the name itself tells hv1 and hv01 apart."""
    # The split alternates text and digits, so text is only ever compared with text.
    parts = tuple(int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(name)))
    return parts, name
