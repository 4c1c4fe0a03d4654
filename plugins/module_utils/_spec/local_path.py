# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Files of the machine where the module runs."""

from __future__ import annotations

import os

from .._errors import SpecError


def local_path(option: str, path: str) -> str:
    """Return ``path`` without detours if it says where a file is from whichever directory one looks."""
    if not os.path.isabs(path) or "\0" in path:
        raise SpecError(option, f"{path!r} is not an absolute path", "give it from the root directory on")
    return os.path.normpath(path)
