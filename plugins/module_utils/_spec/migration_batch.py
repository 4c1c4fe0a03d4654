# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Many instances of one host that are to be on others, as a plan of the filters lists them. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .migration import MODES, Destination, MigrationSpec, common_options
from .names import check_name

_PLACE_KEYS = ("uri", "pool", "migrate_uri")


@dataclass(frozen=True)
class MigrationBatch:
    """The moves in the order in which they are begun."""

    moves: tuple[MigrationSpec, ...]
    concurrency: int = 1
    is_listed: bool = False
    """They were given as a list, so that is what is returned."""

    @classmethod
    def from_params(cls, params: dict[str, t.Any]) -> MigrationBatch:
        """Validate the module's options, for one instance or for many."""
        if params["concurrency"] < 1:
            raise SpecError("concurrency", f"{params['concurrency']} is too small", "give at least 1")
        if params["migrations"] is None:
            return cls((MigrationSpec.from_params(params),))
        places = {name: _place(f"destinations.{name}", given) for name, given in params["destinations"].items()}
        common = common_options(params)
        moves = tuple(
            _move(f"migrations[{index}]", given, params, places, common)
            for index, given in enumerate(params["migrations"])
        )
        names = [move.name for move in moves]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise SpecError(
                    f"migrations[{index}].name", f"{name} is there twice", "move each instance once in a task"
                )
        return cls(moves, params["concurrency"], is_listed=True)


def _place(option: str, given: t.Any) -> Destination:
    if not isinstance(given, dict) or not given.get("uri"):
        raise SpecError(option, "it has no uri", "give uri, and if need be pool and migrate_uri")
    unknown = sorted(str(key) for key in given if key not in _PLACE_KEYS)
    if unknown:
        raise SpecError(option, f"it has {', '.join(unknown)}", f"there are {', '.join(_PLACE_KEYS)}")
    for key, value in given.items():
        if value is not None and not isinstance(value, str):
            raise SpecError(f"{option}.{key}", f"{value!r} is no text", "give it in quotes")
    pool = given.get("pool")
    return Destination.from_params({**given, "pool": "default" if pool is None else pool}, option)


def _move(
    option: str,
    given: dict[str, t.Any],
    params: dict[str, t.Any],
    places: dict[str, Destination],
    common: dict[str, t.Any],
) -> MigrationSpec:
    """Return one of them; what else a plan says of it is for people."""
    for key in ("name", "to"):
        if not isinstance(given.get(key), str):
            raise SpecError(f"{option}.{key}", "it is missing", "each needs name and to, as in a plan of the filters")
    to = given["to"]
    if to not in places:
        known = ", ".join(sorted(places)) or "none"
        raise SpecError(f"{option}.to", f"there is no {to} in destinations", f"there are: {known}")
    if places[to].uri == params["uri"]:
        raise SpecError(f"{option}.to", f"the uri of {to} is the same as uri", "uri is the host that instances leave")
    mode = given.get("mode") or params["mode"]
    if mode not in (None, *MODES):
        raise SpecError(f"{option}.mode", f"{mode!r} is none", f"take {' or '.join(MODES)}, or leave it out")
    return MigrationSpec(
        name=check_name(f"{option}.name", given["name"]),
        fleet=given.get("fleet", params["fleet"]),
        destination=places[to],
        mode=mode,
        to=to,
        **common,
    )
