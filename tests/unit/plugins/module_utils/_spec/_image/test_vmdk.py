# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for the data of VMDK images; what is refused is tested with all formats in test_image_format.py."""

from __future__ import annotations

import typing as t
import zlib

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._spec._image.vmdk import vmdk_blocks
from ansible_collections.kilonova.compute.tests.unit.plugins.module_utils.disk_images import (
    disk,
    patched,
    reader,
    streamed_vmdk,
    vmdk,
    whole,
)


@pytest.mark.parametrize("make", [vmdk, streamed_vmdk])
def test_data_is_the_disk(make: t.Callable[[], bytes]) -> None:
    """Every block comes at its place, in rising order."""
    content = make()
    assert whole(vmdk_blocks(reader(content), len(content))) == disk()


def test_grain_that_is_not_the_disks_is_refused() -> None:
    """A grain that breaks off, is none, or belongs elsewhere, is no zeros."""
    content = streamed_vmdk()
    first = 128 * 512
    for changes in ((first, b"\1"), (first + 8, b"\5\0\0"), (first + 8, b"\xff\xff\xff"), (first + 12, b"abcd")):
        with pytest.raises((ValueError, zlib.error)):
            whole(vmdk_blocks(reader(patched(content, changes)), len(content)))
