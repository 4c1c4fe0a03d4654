# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""The libraries for zstd that are installed here, each to be had alone, and none of them."""

from __future__ import annotations

import contextlib
import importlib
import sys
import typing as t
from unittest import mock

from ansible_collections.kilonova.compute.plugins.module_utils._spec._image import zstd

NAMES = ("compression.zstd", "backports.zstd", "zstandard")


def _is_there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


INSTALLED = tuple(name for name in NAMES if _is_there(name))


@contextlib.contextmanager
def only(name: str | None) -> t.Iterator[None]:
    """Hide every library but one."""
    hidden = dict.fromkeys((other for other in NAMES if other != name), None)
    zstd._opener.cache_clear()  # pylint: disable=protected-access  # what was found is kept
    try:
        with mock.patch.dict(sys.modules, t.cast("dict[str, t.Any]", hidden)):
            yield
    finally:
        zstd._opener.cache_clear()  # pylint: disable=protected-access
