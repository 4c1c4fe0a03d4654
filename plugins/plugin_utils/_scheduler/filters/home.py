# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Filters for an instance that is on a host already."""

from __future__ import annotations

from ..model import Demand
from ..state import HostState
from .base import Filter


class StickyFilter(Filter):
    """What is on a host stays there, and stays made from its image."""

    name = "StickyFilter"

    def __init__(self, home: str, made_from: str | None, image: str) -> None:
        """Take the instance's host, the image it was made from (None if unknown), and the declared one."""
        self._home, self._made_from, self._image = home, made_from, image

    def passes(self, host: HostState, demand: Demand) -> bool:
        """Tell whether this is the instance's host and its image is the declared one."""
        return host.name == self._home and self._made_from in (None, self._image)

    def message(self, host: HostState, demand: Demand) -> str:
        """Say what cannot be done in place."""
        if host.name != self._home:
            return f"would need a move: the instance is on {self._home}"
        origin = f"from image {self._made_from}" if self._made_from else "without an image"
        declared = self._image or "one without an image"
        return f"was made {origin} and can't become {declared} in place; remove it and create it anew"
