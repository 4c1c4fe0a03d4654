# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Flavors: how much of a host an instance gets."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError

TOPOLOGY_KEYS = ("hw:cpu_sockets", "hw:cpu_cores", "hw:cpu_threads")


@dataclass(frozen=True)
class Flavor:
    """Nova's flavor: ``memory_mb`` is MiB, ``disk_gb`` is GiB of the root disk (0: as large as the image)."""

    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None

    @classmethod
    def from_params(cls, params: dict[str, t.Any], option: str = "flavor") -> Flavor:
        """Make a flavor of an option's value, or raise :class:`SpecError`."""
        for key, least in (("vcpus", 1), ("memory_mb", 1), ("disk_gb", 0)):
            if params[key] < least:
                raise SpecError(f"{option}.{key}", f"{params[key]} is too small", f"it must be at least {least}")
        sockets, cores, threads = _topology(params, option)
        return cls(params["name"], params["vcpus"], params["memory_mb"], params["disk_gb"], sockets, cores, threads)


def _topology(params: dict[str, t.Any], option: str) -> tuple[int | None, int | None, int | None]:
    specs = params.get("extra_specs") or {}
    for key in sorted(specs):
        if key not in TOPOLOGY_KEYS:
            raise SpecError(
                f"{option}.extra_specs", f"{key!r} is not supported", f"supported are {', '.join(TOPOLOGY_KEYS)}"
            )
    if not specs:
        return None, None, None
    values = [_positive(specs.get(key, 1), f"{option}.extra_specs[{key}]") for key in TOPOLOGY_KEYS]
    product = values[0] * values[1] * values[2]
    if product != params["vcpus"]:
        raise SpecError(
            f"{option}.extra_specs",
            f"sockets x cores x threads is {product}, the flavor has {params['vcpus']} vCPUs",
            "they must be equal",
        )
    return values[0], values[1], values[2]


def _positive(value: t.Any, option: str) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number < 1:
        raise SpecError(option, f"{value!r} is not a whole number above 0", "write for example '2'")
    return number
