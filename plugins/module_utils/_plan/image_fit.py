# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether a new instance is what its image needs, by the image itself and by what its publisher says of it."""

from __future__ import annotations

from .._errors import SpecError
from .._spec.image_metadata import ImageMetadata
from .._spec.instance import InstanceSpec

_GIB = 1024**3
_FIRMWARE = {"bios": "bios", "uefi": "efi"}
"""What libvirt calls it."""


def refuse_unfit(spec: InstanceSpec, arch: str, virtual_size_bytes: int, metadata: ImageMetadata) -> None:
    """Refuse an instance on a host of architecture ``arch`` that its image could not boot in."""
    flavor = spec.flavor
    own_gb = -(-virtual_size_bytes // _GIB)
    least_gb = max(own_gb, metadata.min_disk_gb or 0)
    disk_gb = flavor.disk_gb if flavor else 0
    if (disk_gb or own_gb) < least_gb:
        has = f"{disk_gb} GiB is smaller" if disk_gb else f"the image's own size, {own_gb} GiB, is smaller"
        or_own = ", or 0 for the image's own size" if least_gb == own_gb else ""
        raise SpecError(
            "flavor.disk_gb", f"{has} than image {spec.image} needs", f"it must be at least {least_gb}{or_own}"
        )
    memory_mb = metadata.min_memory_mb or 0
    if flavor and flavor.memory_mb < memory_mb:
        raise SpecError(
            "flavor.memory_mb",
            f"{flavor.memory_mb} MiB is less than image {spec.image} needs",
            f"it must be at least {memory_mb}",
        )
    if metadata.architecture not in (None, arch):
        raise SpecError(
            "image",
            f"{spec.image} is for {metadata.architecture}, and instance {spec.name} would be {arch}",
            f"take another image, or declare arch: {metadata.architecture}",
        )
    firmware = _FIRMWARE.get(metadata.firmware or "")
    if firmware not in (None, spec.boot.firmware or "bios"):
        raise SpecError(
            "boot.firmware", f"image {spec.image} needs {metadata.firmware}", f"declare boot.firmware: {firmware}"
        )
