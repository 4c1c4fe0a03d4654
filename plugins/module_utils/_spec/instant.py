# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Instants as they are told and recorded: ISO 8601, in UTC, to the second."""

from __future__ import annotations

from datetime import datetime, timezone

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def written(seconds: float) -> str:
    """Return an instant, given in seconds since 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(_FORM)


def read_instant(text: str) -> int | None:
    """Return the seconds since 1970; None where the text is no such instant."""
    try:
        return int(datetime.strptime(text, _FORM).replace(tzinfo=timezone.utc).timestamp())
    except ValueError:
        return None
