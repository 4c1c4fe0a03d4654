# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A JMESPath expression that a user gives, checked before it is needed; the only file with jmespath."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import MissingLibraryError, SpecError

try:
    import jmespath

    JMESPATH_IMPORT_ERROR: str | None = None
except ImportError as exc:
    jmespath = None  # type: ignore[assignment]
    JMESPATH_IMPORT_ERROR = str(exc)


@dataclass(frozen=True)
class Query:
    """An expression that was understood."""

    option: str
    compiled: t.Any

    @classmethod
    def of(cls, option: str, expression: str) -> Query:
        """Understand the ``expression`` given in ``option``."""
        if jmespath is None:
            raise MissingLibraryError(
                f"Option {option} needs the Python library jmespath, which is not installed where the module runs"
                f" ({JMESPATH_IMPORT_ERROR}): install python3-jmespath (Debian, Ubuntu, Fedora, EL) or jmespath."
            )
        try:
            return cls(option, jmespath.compile(expression))
        except (jmespath.exceptions.JMESPathError, RecursionError) as exc:
            raise _refusal(option, exc) from exc

    def apply(self, data: t.Any) -> t.Any:
        """Return what the expression makes of plain ``data``."""
        try:
            return self.compiled.search(data)
        except (jmespath.exceptions.JMESPathError, RecursionError) as exc:
            raise _refusal(self.option, exc) from exc

    def apply_to_list(self, data: list[t.Any]) -> list[t.Any]:
        """Return the same as a list: nothing is an empty one, and one thing a list of it."""
        answer = self.apply(data)
        if answer is None:
            return []
        return answer if isinstance(answer, list) else [answer]


def _refusal(option: str, exc: Exception) -> SpecError:
    # The library draws an arrow below the expression.
    reason = " ".join(str(exc).replace("^", " ").split()).rstrip(".")
    return SpecError(
        option, f"this JMESPath expression can't be used ({reason})", "see jmespath.org for how to write one"
    )
