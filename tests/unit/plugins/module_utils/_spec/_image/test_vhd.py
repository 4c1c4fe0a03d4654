# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the data of VHD images; what is refused is tested with all formats in test_image_format.py."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.vhd import vhd_blocks
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import (
    disk,
    fixed_vhd,
    reader,
    vhd,
    whole,
)


@pytest.mark.parametrize("make", [vhd, fixed_vhd])
def test_data_is_the_disk(make: t.Callable[[], bytes]) -> None:
    """Every block comes at its place, in rising order."""
    content = make()
    assert whole(vhd_blocks(reader(content), len(content))) == disk()
