# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Flavors: how much of a host an instance gets."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._errors import SpecError


@dataclass(frozen=True)
class Flavor:
    """Nova's flavor: ``memory_mb`` is MiB, ``disk_gb`` is GiB of the root disk (0: as large as the image).

    Its extra specs say the same as options of the instance; see :class:`~.hardware.Hardware`.
    """

    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int

    @classmethod
    def from_params(cls, params: dict[str, t.Any], option: str = "flavor") -> Flavor:
        """Make a flavor of an option's value, or raise :class:`SpecError`."""
        for key, least in (("vcpus", 1), ("memory_mb", 1), ("disk_gb", 0)):
            if params[key] < least:
                raise SpecError(f"{option}.{key}", f"{params[key]} is too small", f"it must be at least {least}")
        return cls(params["name"], params["vcpus"], params["memory_mb"], params["disk_gb"])
