# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Nova's grammar of requirements: an operator and what the host's value is compared with.

``=`` is a numeric >=, and ``<all-in>`` looks for each word anywhere in the text: both are as in Nova, since flavors
are moved from there.
"""

from __future__ import annotations

import operator
import typing as t
from collections.abc import Callable

from .._values import ValuesError

_OR = "<or>"
_ALL_IN = "<all-in>"
_NUMERIC: dict[str, Callable[[t.Any, t.Any], bool]] = {
    "=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTUAL: dict[str, Callable[[t.Any, t.Any], bool]] = {
    "<in>": operator.contains,
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}


def matches(value: str, requirement: str) -> bool:
    """Tell whether a host's value meets a requirement."""
    words = requirement.split()
    sign = words[0] if words else ""
    if sign == _OR:
        return value in words[1::2]
    if sign == _ALL_IN:
        return len(words) > 1 and all(word in value for word in words[1:])
    if sign in _TEXTUAL:
        return len(words) > 1 and _TEXTUAL[sign](value, words[1])
    if sign in _NUMERIC:
        left, right = _number(value), _number(words[1]) if len(words) > 1 else None
        return left is not None and right is not None and _NUMERIC[sign](left, right)
    return value == requirement


def check_requirement(requirement: str, where: str) -> None:
    """Refuse a requirement of which no value could ever be right."""
    words = requirement.split()
    if not words or words[0] not in (_OR, _ALL_IN, *_NUMERIC, *_TEXTUAL):
        return
    if len(words) == 1:
        raise ValuesError(f"{where}: nothing follows the operator {words[0]}; write for example '{words[0]} 1'.")
    if words[0] in _NUMERIC and _number(words[1]) is None:
        raise ValuesError(f"{where}: {words[1]!r} is not a number, and {words[0]} compares numbers; use s== for text.")


def _number(text: str) -> float | None:
    # Nova fails on a host whose value is no number; here the host merely does not pass.
    try:
        return float(text)
    except ValueError:
        return None
