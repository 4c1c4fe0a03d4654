# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Plain data as YAML that every YAML parser reads alike: JSON, with the few places mended where the two differ.

Hypervisors have no YAML library. The text is part of what digests are made of, so it must not change for equal data.
"""

from __future__ import annotations

import json
import math
import re
import typing as t

from .._errors import SpecError

# What YAML takes for a line break or does not take at all, though JSON lets it stand in a string.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def write_yaml(data: t.Any, option: str) -> str:
    """Return ``data`` as text with its keys sorted; what cannot be written is refused as the value of ``option``."""
    return _write(data, option, "\n") + "\n"


def check_text(option: str, text: str) -> str:
    """Return ``text`` if it is one: Ansible passes bytes that are not UTF-8 as lone surrogates."""
    if _SURROGATE.search(text) or "\0" in text:
        raise SpecError(option, "it holds bytes that are not text in UTF-8", "give text; nothing packed or binary")
    return text


def _write(data: t.Any, option: str, margin: str) -> str:
    if data is None or isinstance(data, (bool, int)):
        return json.dumps(data)
    if isinstance(data, float):
        return _number(data, option)
    if isinstance(data, str):
        return _quoted(check_text(option, data))
    deeper = margin + " "
    if isinstance(data, (list, tuple)):
        return _joined("[", [_write(item, option, deeper) for item in data], "]", margin)
    if isinstance(data, dict):
        pairs = (
            f"{_quoted(check_text(option, str(key)))}: {_write(data[key], option, deeper)}"
            for key in sorted(data, key=str)
        )
        return _joined("{", list(pairs), "}", margin)
    raise SpecError(option, f"it holds a {type(data).__name__}", "give strings, numbers, booleans, lists, dictionaries")


def _joined(opening: str, items: list[str], closing: str, margin: str) -> str:
    if not items:
        return opening + closing
    separator = f",{margin} "
    return f"{opening}{margin} {separator.join(items)}{margin}{closing}"


def _quoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _number(value: float, option: str) -> str:
    if not math.isfinite(value):
        raise SpecError(option, f"it holds the number {value}", "give a finite one")
    mantissa, exponent, power = repr(value).partition("e")
    # Without a dot, YAML 1.1 takes a number with an exponent for a string.
    return mantissa + (".0" if exponent and "." not in mantissa else "") + exponent + power
