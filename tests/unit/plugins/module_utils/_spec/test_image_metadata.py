# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests for what is said of an image."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_metadata import ImageMetadata


@pytest.mark.parametrize(
    "params",
    [
        {"version": ""},
        {"version": "a\nb"},
        {"os": "a" * 201},
        {"architecture": "x86 64"},
        {"firmware": "coreboot"},
        {"min_disk_gb": -1},
        {"min_memory_mb": -1},
    ],
)
def test_bad_input_names_its_option(params: dict[str, t.Any]) -> None:
    """Each mistake has one sentence that begins with the option."""
    with pytest.raises(SpecError) as caught:
        ImageMetadata.from_params(params)
    assert caught.value.option == f"metadata.{next(iter(params))}"


def test_what_is_said_is_kept() -> None:
    """And goes over what was said before, which stays where nothing is said."""
    params = {
        "version": "1",
        "os": "Debian 12",
        "architecture": "x86_64",
        "firmware": "uefi",
        "min_disk_gb": 0,
        "min_memory_mb": 512,
    }
    found = ImageMetadata.from_params(params)
    assert found.said() == params
    assert ImageMetadata.from_params(None).said() == {}
    assert ImageMetadata(version="2").over(found).said() == {**params, "version": "2"}
