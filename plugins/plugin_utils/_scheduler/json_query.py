# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The expressions of JsonFilter: lists of an operator and its arguments, ``$name.key`` standing for what a host has."""

from __future__ import annotations

import operator
import typing as t
from collections.abc import Callable

from .._values import ValuesError

Lookup = Callable[[str], t.Any]

_COMPARISONS: dict[str, Callable[[t.Any, t.Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_OPERATORS = (*_COMPARISONS, "in", "not", "or", "and")
_DEEPEST = 50


def check_query(query: t.Any, where: str, depth: int = 0) -> None:
    """Refuse what is no expression."""
    if not isinstance(query, list) or (query and not isinstance(query[0], str)):
        raise ValuesError(f"{where}: {query!r} is not an expression; write for example ['>=', '$free_ram_mb', 1024].")
    if depth > _DEEPEST:
        raise ValuesError(f"{where}: it is nested more than {_DEEPEST} deep; make it simpler.")
    if query and query[0] not in _OPERATORS:
        raise ValuesError(f"{where}: operator {query[0]!r} is unknown; take one of {', '.join(_OPERATORS)}.")
    for argument in query[1:]:
        if isinstance(argument, list):
            check_query(argument, where, depth + 1)


def query_holds(query: list[t.Any], lookup: Lookup) -> bool:
    """Tell whether an expression is true of a host; of a list of results one true one is enough."""
    result = _value(query, lookup)
    return any(result) if isinstance(result, list) else bool(result)


def _value(query: list[t.Any], lookup: Lookup) -> t.Any:
    if not query:
        return True
    arguments = []
    for argument in query[1:]:
        value = argument
        if isinstance(argument, list):
            value = _value(argument, lookup)
        elif isinstance(argument, str):
            value = lookup(argument[1:]) if argument.startswith("$") else argument or None
        # What a host does not have is left out of the comparison.
        if value is not None:
            arguments.append(value)
    return _apply(query[0], arguments)


def _apply(sign: str, arguments: list[t.Any]) -> t.Any:
    if sign == "not":
        return [not argument for argument in arguments]
    if sign in ("or", "and"):
        return any(arguments) if sign == "or" else all(arguments)
    if len(arguments) < 2:  # noqa: PLR2004 - one value can't be compared
        return False
    first, *rest = arguments
    if sign == "in":
        return first in rest
    try:
        return all(_COMPARISONS[sign](first, other) for other in rest)
    except TypeError:
        # A number against a text: Nova fails there, here the host merely does not pass.
        return False
