# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""How far a module says that it is, as a line for people; what came from the other machine is not believed."""

from __future__ import annotations

import json
import typing as t

from ..module_utils._service.lock import ROOTS_DIRECTORY, USERS_DIRECTORY
from ..module_utils._service.progress import PHASES, SEVERAL, SUFFIX

_MIB = 1024**2
_LONGEST_NAME = 63
_MOST_LINES = 100


def reading_command(word: str) -> str:
    """Return what prints the file that a module called by ``word``, as whichever user it runs there."""
    # Only the user's number is left to the shell.
    name = f"{word}{SUFFIX}"
    return f'cat "{ROOTS_DIRECTORY}/{name}" 2>/dev/null || cat "{USERS_DIRECTORY}$(id -u)/{name}" 2>/dev/null'


def progress_lines(host: str, text: str) -> list[str]:
    """Return the lines for what a module wrote; none of what makes no sense."""
    try:
        content = json.loads(text)
    except ValueError:
        return []
    several = content.get(SEVERAL) if isinstance(content, dict) else None
    items = several[:_MOST_LINES] if isinstance(several, list) else [content]
    return [line for line in (_line(host, item) for item in items) if line is not None]


def _line(host: str, content: t.Any) -> str | None:
    try:
        name, phase, done, total = (content[key] for key in ("name", "phase", "done", "total"))
    except (KeyError, TypeError, IndexError):
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
