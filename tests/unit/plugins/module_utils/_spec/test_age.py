# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of spans of time."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.age import parse_age


def test_ages() -> None:
    """Each unit, with and without a space."""
    assert [parse_age("age", text) for text in ("5s", "5 m", " 5h ", "5d", "5w")] == [5, 300, 18000, 432000, 3024000]


@pytest.mark.parametrize("text", ["", "5", "d", "5 days", "-5d", "5.5d", "\u0663d", "1d2h"])
def test_what_is_no_age(text: str) -> None:
    """One sentence says what would be."""
    with pytest.raises(
        SpecError, match=r"Option keep_for: .* is no age; give a number with s, m, h, d or w, such as 7d"
    ):
        parse_age("keep_for", text)
