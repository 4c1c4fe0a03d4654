# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Which options hold secrets, and how the arguments of a module are shown without them.

AnsibleModule hides the value of a ``no_log`` option wherever it occurs in a result. For one secret word that is right.
Of a document it takes each value inside, and since those are words as common as "8" or the instance's own name, it would
blank the module's own results. So documents are left out where they stand, in the arguments, and nothing of them is
ever put into a result.
"""

from __future__ import annotations

import typing as t

CENSORED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
_DOCUMENTS = frozenset({"raw", "dict", "list", "json", "jsonarg"})

Spec = t.Mapping[str, t.Mapping[str, t.Any]]
Params = t.Mapping[str, t.Any]


def has_nested_secrets(spec: Spec, nested: bool = False) -> bool:
    """Tell whether an option inside of another is secret: the log would show its lines, as it searches for the whole."""
    return any(
        (nested and bool(option.get("no_log"))) or has_nested_secrets(option.get("options") or {}, True)
        for option in spec.values()
    )


def censored(spec: Spec, params: Params) -> dict[str, t.Any]:
    """Return the arguments with each secret replaced by a constant."""
    shown: dict[str, t.Any] = {}
    for name, option in spec.items():
        value = params.get(name)
        if option.get("no_log") and value is not None:
            shown[name] = CENSORED
        elif option.get("options") and value is not None:
            items = [censored(option["options"], item) for item in _items(value)]
            shown[name] = items if isinstance(value, list) else items[0]
        else:
            shown[name] = value
    return shown


def secret_words(spec: Spec, params: Params) -> t.Iterator[str]:
    """Give the values of secret options that are a single text."""
    for name, option in spec.items():
        value = params.get(name)
        if value is None:
            continue
        if option.get("no_log"):
            if option.get("type", "str") not in _DOCUMENTS:
                yield str(value)
        elif option.get("options"):
            for item in _items(value):
                yield from secret_words(option["options"], item)


def _items(value: t.Any) -> list[Params]:
    return value if isinstance(value, list) else [value]
