# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How far a module says that it is, as a line for people; what came from the other machine is not believed."""

from __future__ import annotations

import json
import typing as t

from ..module_utils._service.lock import ROOTS_DIRECTORY, USERS_DIRECTORY
from ..module_utils._service.progress import PHASES, SUFFIX

_MIB = 1024**2
_LONGEST_NAME = 63


def reading_command(word: str) -> str:
    """Return what prints the file that a module called by ``word``, as whichever user it runs there."""
    # Only the user's number is left to the shell.
    name = f"{word}{SUFFIX}"
    return f'cat "{ROOTS_DIRECTORY}/{name}" 2>/dev/null || cat "{USERS_DIRECTORY}$(id -u)/{name}" 2>/dev/null'


def progress_line(host: str, text: str) -> str | None:
    """Return the line for what a module wrote; None where it wrote nothing that makes sense."""
    try:
        content = json.loads(text)
        name, phase, done, total = (content[key] for key in ("name", "phase", "done", "total"))
    except (ValueError, KeyError, TypeError):
        return None
    if phase not in PHASES or not _is_name(name) or not _is_amount(done) or not (total is None or _is_amount(total)):
        return None
    return f"{host}: {name}: {phase} {_amount(done, total)}"


def _amount(done: int, total: int | None) -> str:
    if not total:
        return f"{done // _MIB} MiB"
    # What is packed may be more than was announced.
    percent = min(100, 100 * done // total)
    return f"{done // _MIB} of {-(-total // _MIB)} MiB ({percent} %)"


def _is_amount(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_name(value: t.Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
