# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what a declared volume takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import (
    ConflictError,
    NotFoundError,
    SpecError,
)
from ansible_collections.kilonova.compute.plugins.module_utils._plan.volume import (
    Content,
    VolumeState,
    format_of_new,
    plan_volume,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.volume import Origin, StoredVolumeSpec

MIB = 1024**2
THERE = VolumeState(10 * MIB, "qcow2")
MISSING = VolumeState()
HALF = VolumeState(5 * MIB, "raw", unfinished=True)
COPY = StoredVolumeSpec("a", origin=Origin("b", "p"))
UPLOAD = StoredVolumeSpec("a", src="/srv/b")
GONE = StoredVolumeSpec("a", present=False)


def steps(spec: StoredVolumeSpec, state: VolumeState, content: Content | None = None) -> list[str]:
    """Return the planned steps in words."""
    return [action.verb for action in plan_volume(spec, state, content).actions]


def size(mib: int) -> StoredVolumeSpec:
    """Declare a size."""
    return StoredVolumeSpec("a", size=mib * MIB)


def test_a_volume_is_made_and_then_left_alone() -> None:
    """Its content is not compared."""
    assert steps(size(10), MISSING) == ["create_volume"]
    assert steps(size(10), THERE) == []
    assert steps(COPY, THERE) == []
    assert steps(UPLOAD, THERE) == []
    assert steps(COPY, MISSING, Content(MIB, "raw")) == ["fill_volume"]


def test_it_grows_and_does_not_shrink() -> None:
    """The refusal says to which size it can be declared."""
    plan = plan_volume(size(20), THERE)
    assert [(change.before, change.after) for change in plan.changes] == [("10 MiB", "20 MiB")]
    with pytest.raises(SpecError, match="declare at least 10 MiB"):
        plan_volume(size(9), THERE)


def test_what_devices_round_up_is_no_shrinking() -> None:
    """A volume group has extents of some MiB. An image in Ceph has not."""
    rounded = VolumeState(12 * MIB, "raw", in_files=False, rounded=True)
    assert steps(size(10), rounded) == []
    for state in (replace(rounded, capacity=200 * MIB), replace(rounded, rounded=False)):
        with pytest.raises(SpecError):
            plan_volume(size(10), state)


def test_a_new_volume_is_as_large_as_its_content_or_larger() -> None:
    """And never smaller."""
    content = Content(10 * MIB, "raw")
    assert plan_volume(COPY, MISSING, content).changes[0].after == "10 MiB"
    larger = StoredVolumeSpec("a", size=20 * MIB, origin=COPY.origin)
    assert plan_volume(larger, MISSING, content).changes[0].after == "20 MiB"
    with pytest.raises(SpecError, match="volume b of pool p has 10 MiB"):
        plan_volume(StoredVolumeSpec("a", size=9 * MIB, origin=COPY.origin), MISSING, content)


@pytest.mark.parametrize(
    ("spec", "in_files", "content", "expected"),
    [
        (size(1), True, None, "qcow2"),
        (size(1), False, None, "raw"),
        (StoredVolumeSpec("a", format="raw"), True, None, "raw"),
        (COPY, True, Content(1, "raw"), "raw"),
        (COPY, False, Content(1, "qcow2"), "raw"),
        (UPLOAD, False, Content(1, "qcow2"), "qcow2"),
    ],
)
def test_the_format_of_a_new_volume(
    spec: StoredVolumeSpec, in_files: bool, content: Content | None, expected: str
) -> None:
    """It is that of the content where the pool can hold it; only copies are converted."""
    assert format_of_new(spec, VolumeState(in_files=in_files), content) == expected


@pytest.mark.parametrize(
    ("spec", "state", "content", "words"),
    [
        (StoredVolumeSpec("a"), MISSING, None, "declare size, source, image or src"),
        (StoredVolumeSpec("a", format="raw"), THERE, None, "volume a holds qcow2"),
        (StoredVolumeSpec("a", size=MIB, format="qcow2"), VolumeState(in_files=False), None, "hold no qcow2"),
        (UPLOAD, VolumeState(in_files=False), Content(MIB, "qcow2"), "hold no qcow2"),
        (StoredVolumeSpec("a", src="/b", format="raw"), MISSING, Content(MIB, "qcow2"), "is not converted"),
    ],
)
def test_what_cannot_be_is_refused(
    spec: StoredVolumeSpec, state: VolumeState, content: Content | None, words: str
) -> None:
    """In one sentence with what would be right."""
    with pytest.raises((SpecError, NotFoundError), match=words):
        plan_volume(spec, state, content)


def test_a_copy_is_downloaded_once() -> None:
    """After all else, so that it is one of what is declared."""
    spec = StoredVolumeSpec("a", size=20 * MIB, dest="/srv/copy")
    assert steps(spec, THERE) == ["grow_volume", "download_volume"]
    assert steps(spec, MISSING) == ["create_volume", "download_volume"]
    assert steps(spec, VolumeState(20 * MIB, has_copy=True)) == []


def test_a_half_volume_is_made_anew() -> None:
    """Or removed; what only the mark is left of, too."""
    assert steps(COPY, HALF, Content(MIB, "raw")) == ["discard_unfinished_volume", "fill_volume"]
    assert steps(size(10), HALF) == ["discard_unfinished_volume", "create_volume"]
    assert steps(GONE, HALF) == ["delete_volume"]
    assert steps(GONE, VolumeState(unfinished=True)) == ["discard_unfinished_volume"]


def test_removal() -> None:
    """Wiped first where that is declared; nothing where there is nothing."""
    assert steps(GONE, THERE) == ["delete_volume"]
    assert steps(StoredVolumeSpec("a", present=False, wipe=True), THERE) == ["wipe_volume", "delete_volume"]
    assert steps(GONE, MISSING) == []


@pytest.mark.parametrize(
    ("spec", "unfinished", "words"),
    [
        (GONE, False, "can't be removed: .*detach it there first"),
        (size(20), False, "can't be grown here: .*among the volumes of its instance"),
        (size(20), True, "can't be finished: .*only half of it"),
    ],
)
def test_a_volume_in_use_stays_as_it_is(spec: StoredVolumeSpec, unfinished: bool, words: str) -> None:
    """Whoever uses it is named, and what to do."""
    state = VolumeState(10 * MIB, "qcow2", unfinished=unfinished, users=("domain web",))
    with pytest.raises(ConflictError, match=words) as caught:
        plan_volume(spec, state)
    assert caught.value.details == {"users": ["domain web"]}
