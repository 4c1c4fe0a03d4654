# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of the terms of an action."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.action import ActionSpec

PARAMS: dict[str, t.Any] = {
    "name": "web-1",
    "fleet": "shop",
    "action": "reboot",
    "reboot_type": "soft",
    "image": None,
    "pool": None,
    "force": False,
    "wait": False,
    "wait_timeout": 300,
}


def test_options_become_terms() -> None:
    """Waiting has its seconds only where it is asked for."""
    assert ActionSpec.from_params(PARAMS) == ActionSpec("web-1", "shop", "reboot")
    params = {
        **PARAMS,
        "action": "rebuild",
        "reboot_type": "hard",
        "image": "i",
        "pool": "p",
        "force": True,
        "wait": True,
    }
    assert ActionSpec.from_params(params) == ActionSpec("web-1", "shop", "rebuild", True, "i", "p", True, 300)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "-x"}, "Option name:"),
        ({"wait_timeout": -1}, "Option wait_timeout: -1 is too small"),
        ({"image": "guest"}, "Option image: reboot takes none; leave it out"),
        ({"pool": "fast", "action": "shelve"}, "Option pool: shelve takes none"),
    ],
)
def test_terms_that_make_no_sense_are_refused(changes: dict[str, t.Any], words: str) -> None:
    """Each names its option."""
    with pytest.raises(SpecError, match=words):
        ActionSpec.from_params({**PARAMS, **changes})
