# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a user may declare as a patch."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.patch import PatchSpec, patches_from_params

EMPTY: dict[str, t.Any] = {"path": "devices", "attribute": None, "value": None, "xml": None}


def test_makes_patches() -> None:
    """Each knows what it was declared as."""
    several = patches_from_params(
        [
            {**EMPTY, "action": "set", "attribute": "cache", "value": ""},
            {**EMPTY, "action": "add", "xml": "<a/>"},
            {**EMPTY, "action": "remove"},
        ]
    )
    assert several == (
        PatchSpec("xml_patch[0]", "devices", "set", "cache", ""),
        PatchSpec("xml_patch[1]", "devices", "add", xml="<a/>"),
        PatchSpec("xml_patch[2]", "devices", "remove"),
    )


def test_a_digest_is_of_what_a_patch_does() -> None:
    """Its place in the list does not count, all else does."""
    patch = PatchSpec("xml_patch[0]", "devices", "remove")
    assert patch.digest() == PatchSpec("xml_patch[7]", "devices", "remove").digest()
    assert patch.digest() != PatchSpec("xml_patch[0]", "devices", "remove", "a").digest()


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"action": "set"}, "xml_patch[0].value: it is missing; action: set needs it"),
        ({"action": "add"}, "xml_patch[0].xml: it is missing; action: add needs it"),
        (
            {"action": "add", "xml": "<a/>", "value": "1"},
            "xml_patch[0].value: action: add has no use for it; it takes xml",
        ),
        ({"action": "remove", "xml": "<a/>"}, "xml_patch[0].xml: action: remove has no use for it; it takes attribute"),
        (
            {"action": "set", "value": "1", "xml": "<a/>"},
            "xml_patch[0].xml: action: set has no use for it; it takes attribute and value",
        ),
        (
            {"action": "set", "value": "1", "attribute": "a b"},
            "xml_patch[0].attribute: 'a b' is no attribute's name; write for example cache",
        ),
        (
            {"action": "remove", "path": " "},
            "xml_patch[0].path: it is empty; write an XPath expression such as devices/disk",
        ),
    ],
)
def test_refuses_what_makes_no_sense(params: dict[str, t.Any], problem: str) -> None:
    """One sentence: the option, what is wrong, and what would be right."""
    with pytest.raises(SpecError) as caught:
        patches_from_params([{**EMPTY, **params}])
    assert str(caught.value) == f"Option {problem}."
