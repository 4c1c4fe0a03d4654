# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what an instance needs for its image."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.image_fit import refuse_unfit
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_metadata import ImageMetadata
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.factories import FLAVOR, instance_spec

GIB = 1024**3
ALL = ImageMetadata(architecture="x86_64", firmware="uefi", min_disk_gb=4, min_memory_mb=512)


def fits(metadata: ImageMetadata, disk_gb: int = 4, memory_mb: int = 512, **declared: t.Any) -> None:
    """Judge an instance that has an image of 2.5 GiB."""
    flavor = {**FLAVOR, "disk_gb": disk_gb, "memory_mb": memory_mb}
    refuse_unfit(instance_spec(image="debian", flavor=flavor, **declared), "x86_64", 5 * GIB // 2, metadata)


def test_what_fits() -> None:
    """Exactly what is needed is enough, and without a size of its own a disk has the image's."""
    fits(ALL, boot={"firmware": "efi"})
    fits(ImageMetadata(), disk_gb=3, memory_mb=1)
    fits(ImageMetadata(min_disk_gb=3), disk_gb=0)
    fits(ImageMetadata(firmware="bios"))


@pytest.mark.parametrize(
    ("metadata", "declared", "words"),
    [
        (ImageMetadata(), {"disk_gb": 2}, ["flavor.disk_gb: 2 GiB is smaller", "at least 3, or 0 for"]),
        (ALL, {"disk_gb": 3}, ["flavor.disk_gb: 3 GiB is smaller", "it must be at least 4."]),
        (ALL, {"disk_gb": 0}, ["flavor.disk_gb: the image's own size, 3 GiB, is smaller", "at least 4."]),
        (ALL, {"memory_mb": 511}, ["flavor.memory_mb: 511 MiB is less", "at least 512"]),
        (ALL, {}, ["boot.firmware: image debian needs uefi", "declare boot.firmware: efi"]),
        (ImageMetadata(firmware="bios"), {"boot": {"firmware": "efi"}}, ["needs bios", "declare boot.firmware: bios"]),
        (ImageMetadata(architecture="aarch64"), {}, ["image: debian is for aarch64", "web-1 would be x86_64", "arch:"]),
    ],
)
def test_what_does_not_fit(metadata: ImageMetadata, declared: dict[str, t.Any], words: list[str]) -> None:
    """The option is named, and what would be right."""
    with pytest.raises(SpecError) as caught:
        fits(metadata, **declared)
    for word in words:
        assert word in str(caught.value)
