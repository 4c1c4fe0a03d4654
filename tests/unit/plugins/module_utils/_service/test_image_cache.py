# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a run tells of a cache of images. Pure."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._plan.image_cache import (
    CachedImage,
    CacheState,
    plan_cache,
)
from ansible_collections.kilonova.compute.plugins.module_utils._service.image_cache import CacheOutcome, as_result
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_cache import CacheSpec

NOW = 1_582_977_600
OLD = CachedImage("old", ("debian", "alias"), 70, unused_since=NOW)
USED = CachedImage("used", ("fedora",), 100, users=("domain web",))
SPEC = CacheSpec(max_size=90)


def test_what_is_told() -> None:
    """What went and what is left, in bytes; and that the rest is still too much."""
    plan = plan_cache(SPEC, CacheState((OLD, USED)), NOW)
    told = as_result(SPEC, CacheOutcome(plan, (OLD,), (USED,)))
    assert told["removed"] == [
        {
            "names": ["debian", "alias"],
            "volume": "old",
            "allocation_bytes": 70,
            "unused_since": "2020-02-29T12:00:00Z",
        }
    ]
    assert (told["freed_bytes"], told["size_bytes"], told["excess_bytes"]) == (70, 100, 10)
    assert told["actions"] == ["unpublish_image debian", "unpublish_image alias", "remove_volume old"]
    assert len(told["warnings"]) == 1
    assert "take 100 bytes, which is 10 more than max_size allows" in told["warnings"][0]


@pytest.mark.parametrize(("names", "called"), [(("debian", "alias"), "debian, alias"), ((), "old")])
def test_what_stayed_is_told(names: tuple[str, ...], called: str) -> None:
    """With the reason why."""
    image = CachedImage("old", names, 70)
    outcome = CacheOutcome(plan_cache(CacheSpec(), CacheState(), NOW), (), (image,), ((image, "somebody came"),))
    told = as_result(CacheSpec(), outcome)
    assert (told["changed"], told["removed"], told["excess_bytes"]) == (False, [], 0)
    assert told["warnings"] == [f"Image {called} of pool default stays: somebody came."]
