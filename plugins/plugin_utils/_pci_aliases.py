# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Devices that flavors ask for by an alias, as Nova's do, turned into the devices that instances declare."""

from __future__ import annotations

import re
import typing as t

from ._values import ValuesError, known_keys, mapping, whole_number

KEY = "pci_passthrough:alias"
_ID = re.compile(r"[0-9a-fA-F]{4}")
_IDS = ("vendor_id", "product_id")
_MOST = 64


def read_aliases(value: t.Any, option: str) -> dict[str, dict[str, str]]:
    """Return vendor and product of each alias."""
    aliases = {name: mapping(alias, f"{option}.{name}") for name, alias in mapping(value or {}, option).items()}
    for name, alias in aliases.items():
        known_keys(alias, f"{option}.{name}", _IDS)
        for key in _IDS:
            if not isinstance(alias.get(key), str) or not _ID.fullmatch(alias[key]):
                raise ValuesError(
                    f"{option}.{name}.{key}: {alias.get(key)!r} is not four hexadecimal digits; write it as '8086'."
                )
    return aliases


def spelled_out(instance: dict[str, t.Any], aliases: t.Mapping[str, dict[str, str]], option: str) -> dict[str, t.Any]:
    """Return an instance whose flavor asks for no alias; the devices that it meant are among ``pci_devices``."""
    flavor = instance["flavor"]
    specs = flavor["extra_specs"]
    if KEY not in specs:
        return instance
    where = f"Instance {instance['name']}: flavor.extra_specs[{KEY}]"
    devices = []
    for part in str(specs[KEY]).split(","):
        name, _colon, count = (text.strip() for text in part.partition(":"))
        if name not in aliases:
            known = f"take one of {', '.join(sorted(aliases))}" if aliases else "declare it"
            raise ValuesError(f"{where}: {name!r} is no alias in {option}; {known}.")
        devices.append({**aliases[name], "count": whole_number(count or 1, where, 1, _MOST)})
    return {
        **instance,
        "flavor": {**flavor, "extra_specs": {key: value for key, value in specs.items() if key != KEY}},
        "pci_devices": [*(instance.get("pci_devices") or []), *devices],
    }
