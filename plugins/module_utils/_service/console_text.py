# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The bytes of a serial console as text that people and terminals can take. Pure."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # titles and other strings
    r"|[ -/]*[0-~]"  # everything else
    r")?"
)
_LINE_ENDS = re.compile(r"\r*\n|\r+")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console_lines(data: bytes, is_cut: bool) -> list[str]:
    """Return the lines of ``data`` without what would steer a terminal; ``is_cut`` says that more was before it.

    Of a first line that is cut only the rest would be there, so it is left out unless it is all there is. A carriage
    return alone ends a line as well, so that nothing that was printed is lost.
    """
    text = data.decode("utf-8", errors="replace")
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", _ESCAPES.sub("", text)))
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines[1:] if is_cut and len(lines) > 1 else lines
