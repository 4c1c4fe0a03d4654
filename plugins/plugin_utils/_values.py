# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Readers of plain values that say in one sentence what is wrong with them."""

from __future__ import annotations

import re
import typing as t

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
NAME_RULE = (
    "a name begins with a letter or digit and has only letters, digits, dots, dashes and underscores, at most 63"
)


class ValuesError(ValueError):
    """A value is wrong: one sentence with the option and the remedy."""


def check_name(value: t.Any, where: str) -> str:
    """Return a name that is safe in XML, paths and on command lines."""
    if not isinstance(value, str) or not NAME_PATTERN.fullmatch(value):
        raise ValuesError(f"{where}: {value!r} is not a valid name; {NAME_RULE}.")
    return value


def whole_number(value: t.Any, where: str, least: int, most: int | None = None) -> int:
    """Return a whole number; text of digits will do, since that is what the command line gives."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValuesError(f"{where}: {value!r} is not a whole number; write for example {max(least, 1)}.")
    if value < least:
        raise ValuesError(f"{where}: {value} is too small; it must be at least {least}.")
    if most is not None and value > most:
        raise ValuesError(f"{where}: {value} is too large; it must be at most {most}.")
    return value


def boolean(value: t.Any, where: str) -> bool:
    """Return true or false; text would count as true, also "false"."""
    if not isinstance(value, bool):
        raise ValuesError(f"{where}: {value!r} is not a boolean; write true or false.")
    return value


def mapping(value: t.Any, where: str) -> dict[str, t.Any]:
    """Return a dictionary."""
    if not isinstance(value, dict):
        raise ValuesError(f"{where}: {value!r} is not a dictionary; write it with keys and values.")
    return value


def mappings(value: t.Any, where: str) -> list[dict[str, t.Any]]:
    """Return a list of dictionaries."""
    if not isinstance(value, list):
        raise ValuesError(f"{where}: {value!r} is not a list; write a list of dictionaries.")
    return [mapping(item, f"{where}[{index}]") for index, item in enumerate(value)]


def known_keys(value: dict[str, t.Any], where: str, known: t.Collection[str]) -> None:
    """Refuse a key that nobody would read."""
    for key in sorted(value):
        if key not in known:
            raise ValuesError(f"{where}: {key!r} is unknown; take one of {', '.join(sorted(known))}.")
