# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Ansible's tagged and lazy values turned into plain data, at the door of every filter."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping, Sequence


class PlainError(ValueError):
    """A value that has no plain form."""


def to_plain(value: t.Any, where: str) -> t.Any:
    """Return a copy of ``value`` made of plain dicts, lists, strings and numbers; ``where`` names it in errors."""
    if value is None or isinstance(value, bool):
        return value
    # The base classes' own methods drop what a tagged subclass carries.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return _number(float.__float__(value), where)
    return _container(value, where)


def _number(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise PlainError(f"{where} is {value}; it must be a finite number.")
    return value


def _container(value: t.Any, where: str) -> t.Any:
    if isinstance(value, Mapping):
        return {_key(key, where): to_plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [to_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    kind = type(value).__name__.lstrip("_")
    raise PlainError(
        f"{where} is of type {kind}; write a string, a number, true, false, a list or a dictionary "
        "(dates and times need quotes)."
    )


def _key(key: t.Any, where: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise PlainError(f"{where} has the key {key!r}, which is not a string; put it in quotes.")
