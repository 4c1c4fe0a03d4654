# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What the machine where the module runs lends to those who get an image."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..progress import SILENT, Progress
from .signature import RunCommand


@dataclass(frozen=True)
class Tools:
    """Where files without a name lie, what runs programs, and who is told how far it is."""

    directory: str | None = None
    run: RunCommand | None = None
    progress: Progress = SILENT
    announced: t.Callable[[int], None] = lambda _bytes: None
    """Told how much room the image will take, where that is known before most of it comes; it may refuse."""


NOTHING = Tools()
"""The system's own directory; nobody runs programs or looks."""
