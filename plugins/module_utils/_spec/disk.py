# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Volumes that a user declares beside the root disk."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._errors import SpecError
from .names import check_name

SERIAL_LENGTH = 20
"""More of a disk's serial number a guest does not see."""
_SERIAL = re.compile(r"[A-Za-z0-9_.+-]{1,20}")


@dataclass(frozen=True)
class VolumeSpec:
    """One more disk: the volume ``name`` of a pool, made for the instance where ``size_gb`` is given."""

    name: str
    pool: str | None
    size_gb: int | None
    format: str | None
    bus: str | None
    serial: str
    cache: str | None
    discard: str | None
    readonly: bool
    shareable: bool


def read_volumes(volumes: list[dict[str, t.Any]], name: str) -> tuple[VolumeSpec, ...]:
    """Validate option ``volumes`` of the instance ``name``."""
    found = tuple(_volume(volume, f"volumes[{index}]") for index, volume in enumerate(volumes))
    for option, values in (
        ("name", [(one.pool, one.name) for one in found]),
        ("serial", [one.serial for one in found]),
    ):
        twice = next((value for value in values if values.count(value) > 1), None)  # type: ignore[arg-type]
        if twice is not None:
            shown = twice[1] if isinstance(twice, tuple) else twice
            raise SpecError("volumes", f"instance {name} has the {option} {shown} twice", "each volume needs its own")
    return found


def _volume(volume: dict[str, t.Any], option: str) -> VolumeSpec:
    name = check_name(f"{option}.name", volume["name"])
    size = volume["size_gb"]
    if size is not None and size < 1:
        raise SpecError(f"{option}.size_gb", f"{size} is too small", "it must be at least 1")
    serial = volume["serial"] or re.sub(r"[^A-Za-z0-9_.+-]", "_", name)[:SERIAL_LENGTH]
    if not _SERIAL.fullmatch(serial):
        raise SpecError(
            f"{option}.serial",
            f"{serial!r} is not a serial number",
            "use 1 to 20 of the characters A-Z a-z 0-9 _ . + -",
        )
    if volume["shareable"] and size is not None and volume["format"] == "qcow2":
        raise SpecError(
            f"{option}.format", "a qcow2 volume can't be written by several guests at once", "declare format: raw"
        )
    return VolumeSpec(
        name=name,
        pool=volume["pool"],
        size_gb=size,
        format=volume["format"],
        bus=volume["bus"],
        serial=serial,
        cache=volume["cache"],
        discard=volume["discard"],
        readonly=bool(volume["readonly"]),
        shareable=bool(volume["shareable"]),
    )
