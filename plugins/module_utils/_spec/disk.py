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
from .names import check_volume_name

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
    found = tuple(_volume(volume, f"volumes[{index}]", name) for index, volume in enumerate(volumes))
    for option, values in (
        ("name", [(one.pool, one.name) for one in found]),
        ("serial", [one.serial for one in found]),
    ):
        twice = next((value for value in values if values.count(value) > 1), None)  # type: ignore[arg-type]
        if twice is not None:
            shown = twice[1] if isinstance(twice, tuple) else twice
            raise SpecError("volumes", f"instance {name} has the {option} {shown} twice", "each volume needs its own")
    return found


def _volume(volume: dict[str, t.Any], option: str, instance: str) -> VolumeSpec:
    name, serial = _name_and_serial(volume["name"], volume["serial"], option, instance)
    size = volume["size_gb"]
    if size is not None and size < 1:
        raise SpecError(f"{option}.size_gb", f"{size} is too small", "it must be at least 1")
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


def _name_and_serial(name: str | None, serial: str | None, option: str, instance: str) -> tuple[str, str]:
    """Return both, of which either is enough."""
    if serial is not None:
        check_serial(f"{option}.serial", serial)
    if name is None and serial is None:
        raise SpecError(
            option, "it has neither name nor serial", f"give a serial such as data, and the volume is {instance}-data"
        )
    name = check_volume_name(f"{option}.name", f"{instance}-{serial}" if name is None else name)
    return name, serial or default_serial(name)


def check_serial(option: str, serial: str) -> None:
    """Refuse what is no serial number."""
    if not _SERIAL.fullmatch(serial):
        raise SpecError(
            option, f"{serial!r} is not a serial number", "use 1 to 20 of the characters A-Z a-z 0-9 _ . + -"
        )


def default_serial(name: str) -> str:
    """Return the serial number of the volume ``name`` where none is declared."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", name)[:SERIAL_LENGTH]
