# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Users' own rules: JMESPath expressions over a host's facts."""

from __future__ import annotations

import functools
import typing as t

from .._values import ValuesError

try:
    import jmespath
    from jmespath.exceptions import JMESPathError
except ImportError:
    HAS_JMESPATH = False
else:
    HAS_JMESPATH = True


def check_expression(value: t.Any, where: str) -> str | None:
    """Return an expression, or raise :class:`ValuesError` if it can't be one or the library is not there."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ValuesError(f"{where}: require {value!r} is not an expression; write for example memory_mb > `64000`.")
    if not HAS_JMESPATH:
        raise ValuesError(f"{where}: require needs the Python library jmespath on the controller; install it there.")
    try:
        _compiled(value)
    except JMESPathError as exc:
        reason = " ".join(str(exc).split())
        raise ValuesError(f"{where}: require {value!r} is not JMESPath ({reason}); see https://jmespath.org.") from exc
    return value


def result_of(expression: str, facts: t.Mapping[str, t.Any]) -> t.Any:
    """Return what an expression, checked before, yields; it fails with :class:`ValueError` on facts of wrong types."""
    return _compiled(expression).search(facts)


@functools.lru_cache(maxsize=256)
def _compiled(expression: str) -> t.Any:
    return jmespath.compile(expression)
