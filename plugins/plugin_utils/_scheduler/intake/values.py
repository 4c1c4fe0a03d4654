# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Readers of plain values that only the scheduler needs; see ``.._values`` for the others."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from fractions import Fraction

from ..._values import ValuesError, mapping, whole_number
from ..model import Pairs

MOST = 10**15
"""Far above any sensible amount."""


def text_of(value: t.Any) -> str:
    """Return a scalar as Nova's API would have it, where all metadata is text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def text_pairs(value: t.Any, where: str) -> Pairs:
    """Return the keys and values of a dictionary of scalars, ordered by key."""
    pairs = mapping({} if value is None else value, where)
    for key, item in pairs.items():
        if item is None or isinstance(item, (dict, list)):
            raise ValuesError(f"{where}.{key}: {item!r} is not text; write a string or a number.")
    return tuple(sorted((key, text_of(item)) for key, item in pairs.items()))


def texts(value: t.Any, where: str) -> tuple[str, ...]:
    """Return a list of texts; one alone will do."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
        raise ValuesError(f"{where}: {value!r} is not a list of names; write for example [name].")
    return tuple(items)


def name_set(value: t.Any, where: str) -> tuple[str, ...]:
    """Return names in order, each once."""
    return tuple(sorted(set(texts([] if value is None else value, where))))


def fraction_of(value: t.Any) -> Fraction | None:
    """Return a number exactly as it is written, so that 0.29 is 29/100; None if it is none."""
    try:
        return None if isinstance(value, bool) else Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        return None


def known_hosts(value: t.Any, where: str, known: Collection[str]) -> tuple[str, ...]:
    """Return names of hosts in order, each once."""
    names = name_set(value, where)
    for name in names:
        if name not in known:
            raise ValuesError(f"{where}: {name!r} is not a hypervisor; take some of {', '.join(sorted(known))}.")
    return names


def amount_of(facts: Mapping[str, t.Any], key: str, where: str, rounded: Callable[[float], int]) -> int:
    """Return one figure of the facts, in whole units and never below zero."""
    value = facts.get(key)
    if value is None:
        raise ValuesError(f"{where}: the facts lack {key}; gather them with kilonova.compute.compute_facts.")
    if isinstance(value, float) and math.isfinite(value):
        value = rounded(value)
    return max(0, whole_number(value, f"{where}.{key}", -MOST, MOST))


def time_of(value: t.Any, where: str) -> datetime:
    """Return a point in time; one without a zone is UTC."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, timezone.utc)
        found = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError) as exc:
        raise ValuesError(
            f"{where}: {value!r} is not a time; write it as 2026-01-31T12:00:00Z, or in seconds since 1970."
        ) from exc
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
