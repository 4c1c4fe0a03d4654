# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of which images go: pure, by example and as properties of any cache."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import CapacityError, ConflictError
from ansible_collections.kilonova.compute.plugins.module_utils._plan.image_cache import (
    CachedImage,
    CacheState,
    choose,
    plan_cache,
    plan_room,
    total_size,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_cache import CacheSpec
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_000_000
DAY = 86400
UNUSED = CachedImage("data", ("debian",), 100)
USED = CachedImage("used", ("fedora",), 100, users=("domain web",))
LEFTOVER = CachedImage("half", (), 100)


def steps(spec: CacheSpec, *images: CachedImage, blind_spots: tuple[str, ...] = (), now: int = NOW) -> list[str]:
    """Return what is planned."""
    return [action.describe() for action in plan_cache(spec, CacheState(images, (), blind_spots), now).actions]


def test_what_is_unused_is_noted_once() -> None:
    """And the note goes when something lies on the image again."""
    assert steps(CacheSpec(), UNUSED) == ["note_unused data"]
    assert steps(CacheSpec(), replace(UNUSED, unused_since=NOW - 1)) == []
    assert steps(CacheSpec(), USED) == []
    assert steps(CacheSpec(), replace(USED, unused_since=NOW - 1)) == ["note_used used"]


def test_old_images_go_with_all_their_names() -> None:
    """To the second; what was not looked at before is as young as can be."""
    spec = CacheSpec(unused_for=DAY)
    noted = replace(UNUSED, names=("a", "b"), unused_since=NOW - DAY)
    assert steps(spec, noted) == ["unpublish_image a", "unpublish_image b", "remove_volume data"]
    assert steps(spec, noted, now=NOW - 1) == []
    assert steps(spec, UNUSED) == ["note_unused data"]
    assert steps(CacheSpec(unused_for=0), UNUSED) == ["unpublish_image debian", "remove_volume data"]


@pytest.mark.parametrize("spec", [CacheSpec(unused_for=0), CacheSpec(max_size=0)])
def test_what_must_stay(spec: CacheSpec) -> None:
    """In use, to be kept, nowhere else to be had, or being written."""
    images = (
        USED,
        replace(UNUSED, volume="made-here", can_return=False),
        replace(UNUSED, volume="kept", names=("debian", "alias")),
        replace(LEFTOVER, is_worked_on=True),
        replace(LEFTOVER, volume="older", users=("volume disk of pool default",)),
    )
    assert choose(replace(spec, keep=frozenset({"alias"})), CacheState(images), NOW) == []


def test_leftovers_go_in_any_case() -> None:
    """They are of no use to anybody; so are notes on what is not there."""
    assert steps(CacheSpec(), LEFTOVER) == ["remove_volume half"]
    plan = plan_cache(CacheSpec(), CacheState((), ("note",)), NOW)
    assert [action.describe() for action in plan.actions] == ["remove_volume note"]


def test_size() -> None:
    """The longest unused goes first, then what was fetched first, and no more than needed."""
    images = (
        replace(UNUSED, volume="new", fetched_at="2026-02-01T00:00:00Z"),
        replace(UNUSED, volume="newer", fetched_at="2026-03-01T00:00:00Z"),
        replace(UNUSED, volume="oldest", unused_since=NOW - 9),
        USED,
    )

    def gone(size: int) -> list[str]:
        return [image.volume for image in choose(CacheSpec(max_size=size), CacheState(images), NOW)]

    assert gone(400) == []
    assert gone(399) == ["oldest"]
    assert gone(300) == ["oldest"]
    assert gone(200) == ["oldest", "new"]
    assert gone(0) == ["oldest", "new", "newer"]


def room(needed: int, *images: CachedImage, size: int = 300, blind_spots: tuple[str, ...] = ()) -> list[str]:
    """Return what goes to make room."""
    spec = CacheSpec(max_size=size, keep=frozenset({"kept"}))
    plan = plan_room(spec, CacheState(images, (), blind_spots), needed, NOW)
    return [action.target for action in plan.actions if action.verb == "remove_volume"]


def test_room_for_one_more() -> None:
    """No more goes than has to, and where that is not enough, who takes the room is named."""
    old, older = replace(UNUSED, volume="old", unused_since=NOW - 1), replace(
        UNUSED, volume="older", unused_since=NOW - 2
    )
    assert room(0, USED, old, older) == []
    assert room(1, USED, old, older) == ["older"]
    assert room(200, USED, old, older) == ["older", "old"]
    with pytest.raises(CapacityError, match=r"100 bytes are taken by fedora \(in use by domain web\)") as caught:
        room(201, USED, old, older)
    assert caught.value.details == {"option": "cache_max_size", "size_bytes": 100, "needed_bytes": 201}
    with pytest.raises(CapacityError, match="nothing is taken"):
        room(301)


@pytest.mark.parametrize(
    ("changes", "blind_spots", "words"),
    [
        ({"names": ("kept",)}, (), r"kept \(to be kept\)"),
        ({"can_return": False}, (), r"debian \(nowhere else to be had\)"),
        ({"names": (), "is_worked_on": True}, (), r"data \(just worked on\)"),
        ({}, ("storage pool x",), r"debian \(perhaps in use by storage pool x\)"),
    ],
)
def test_why_there_is_no_room(changes: dict[str, t.Any], blind_spots: tuple[str, ...], words: str) -> None:
    """Each that stays is told with its reason; what can't be looked into hinders nobody while there is room."""
    image = replace(UNUSED, **changes)
    assert room(200, image, LEFTOVER if not blind_spots else image, size=400, blind_spots=blind_spots) in ([], ["half"])
    with pytest.raises(CapacityError, match=words):
        room(201, image, blind_spots=blind_spots)


def test_a_clock_that_is_ahead_makes_nothing_old() -> None:
    """A note of tomorrow counts as one of now."""
    assert steps(CacheSpec(unused_for=1), replace(UNUSED, unused_since=NOW + DAY)) == []


def test_what_cannot_be_looked_into_keeps_all() -> None:
    """It is told as soon as anything would go, and nothing is noted that is not known."""
    with pytest.raises(ConflictError, match="storage pool old, which is not running; /x of domain web") as caught:
        steps(
            CacheSpec(unused_for=0), UNUSED, blind_spots=("storage pool old, which is not running", "/x of domain web")
        )
    assert caught.value.details["unreadable"] == ["storage pool old, which is not running", "/x of domain web"]
    assert steps(CacheSpec(unused_for=DAY), UNUSED, USED, blind_spots=("x",)) == []


IMAGES = st.builds(
    CachedImage,
    volume=st.text("abcdefgh", min_size=4, max_size=8),
    names=st.lists(st.sampled_from("uvwxyz"), max_size=3, unique=True).map(tuple),
    size=st.integers(0, 1000),
    users=st.sampled_from([(), (), ("domain web",)]),
    unused_since=st.none() | st.integers(NOW - 5 * DAY, NOW + DAY),
    fetched_at=st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]),
    can_return=st.sampled_from([True, True, False]),
    is_worked_on=st.booleans(),
)
STATES = st.builds(CacheState, images=st.lists(IMAGES, max_size=8, unique_by=lambda one: one.volume).map(tuple))
SPECS = st.builds(
    CacheSpec,
    unused_for=st.none() | st.integers(0, 5 * DAY),
    max_size=st.none() | st.integers(0, 3000),
    keep=st.sets(st.sampled_from("uvwxyz"), max_size=2).map(frozenset),
)


def since(image: CachedImage) -> int:
    """Return since when it counts as unused."""
    return NOW if image.unused_since is None else min(image.unused_since, NOW)


def removable(spec: CacheSpec, state: CacheState) -> list[CachedImage]:
    """Return the named images that may go at all."""
    return [
        image
        for image in state.images
        if image.names and not image.users and image.can_return and not spec.keep.intersection(image.names)
    ]


@given(SPECS, STATES)
def test_only_what_may_go_goes(spec: CacheSpec, state: CacheState) -> None:
    """Nothing in use, kept, made here or worked on ever goes; and nothing goes twice."""
    going = choose(spec, state, NOW)
    assert len({image.volume for image in going}) == len(going)
    for image in going:
        assert not image.users
        assert image in removable(spec, state) or (not image.names and not image.is_worked_on)


@given(SPECS, STATES)
def test_the_size_is_reached_if_it_can_be(spec: CacheSpec, state: CacheState) -> None:
    """Or else nothing is left that may go; and no more goes than has to."""
    going = choose(spec, state, NOW)
    left = [image for image in state.images if image not in going]
    if spec.max_size is not None:
        assert total_size(left) <= spec.max_size or not [image for image in removable(spec, state) if image in left]
    for image in going:
        is_old = spec.unused_for is not None and NOW - since(image) >= spec.unused_for
        if image.names and not is_old:
            assert spec.max_size is not None
            younger = going[going.index(image) :]
            assert total_size(left) + total_size(younger) > spec.max_size


@given(SPECS, STATES, st.integers(1, 1500))
def test_room_is_made_or_refused(spec: CacheSpec, state: CacheState, needed: int) -> None:
    """It fits afterwards; it is refused only where all that may go would not be enough."""
    limit = spec.max_size or 0
    may_go = [*removable(spec, state), *(image for image in state.images if image.is_leftover)]
    stays = [image for image in state.images if image not in may_go]
    try:
        plan = plan_room(spec, state, needed, NOW)
    except CapacityError:
        assert total_size(stays) + needed > limit
        return
    gone = {action.target for action in plan.actions if action.verb == "remove_volume"}
    assert not gone & {image.volume for image in stays}
    assert total_size(image for image in state.images if image.volume not in gone) + needed <= limit


@given(SPECS, STATES)
def test_the_longest_unused_go_first(spec: CacheSpec, state: CacheState) -> None:
    """Whatever stays that may go was not unused for longer than what goes."""
    going = choose(spec, state, NOW)
    gone = [since(image) for image in going if image.names]
    assert gone == sorted(gone)
    stays = [since(image) for image in removable(spec, state) if image not in going]
    if gone and stays:
        assert max(gone) <= min(stays)


@given(SPECS, STATES)
def test_a_second_run_has_nothing_to_do(spec: CacheSpec, state: CacheState) -> None:
    """What is done in the plan's words leaves a state of which nothing is planned."""
    plan = plan_cache(spec, state, NOW)
    done = [action.target for action in plan.actions if action.verb == "remove_volume"]
    noted = {action.target: action.verb for action in plan.actions if action.verb.startswith("note_")}
    times: dict[str, t.Any] = {"note_unused": NOW, "note_used": None}
    left = tuple(
        replace(image, unused_since=times[noted[image.volume]]) if image.volume in noted else image
        for image in state.images
        if image.volume not in done
    )
    assert plan_cache(spec, replace(state, images=left), NOW).actions == ()
