# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of what is declared of a cache of images, and of the notes in it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_cache import (
    NOTE_BYTES,
    CacheSpec,
    digest_of,
    note_content,
    note_name,
    noted_volume,
    read_note,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.image_record import (
    data_volume_name,
    image_name,
    is_data_volume,
)
from ansible_collections.kilonova.compute.plugins.module_utils._spec.instant import written
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "ab" * 32
PARAMS: dict[str, t.Any] = {"pool": "default", "unused_for": None, "max_size": None, "keep": []}


def test_what_is_declared() -> None:
    """Sizes and ages become numbers; nothing is a default."""
    assert CacheSpec.from_params(PARAMS) == CacheSpec()
    declared = {"pool": "fast", "unused_for": "2 w", "max_size": "1.5 GiB", "keep": ["a", "b", "a"]}
    assert CacheSpec.from_params(declared) == CacheSpec("fast", 14 * 86400, 3 * 2**29, frozenset({"a", "b"}))
    assert CacheSpec.from_params({**PARAMS, "unused_for": "0s", "max_size": "0"}) == CacheSpec("default", 0, 0)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("pool", "", "Option pool: it is empty"),
        ("unused_for", "7 days", "Option unused_for: '7 days' is no age"),
        ("unused_for", "-1d", "Option unused_for: '-1d' is no age"),
        ("unused_for", "٣d", "is no age"),
        ("max_size", "much", "Option max_size: 'much' is not a size"),
        ("keep", ["a", "b/c"], r"Option keep\[1\]: 'b/c' is not a valid name"),
    ],
)
def test_bad_input_is_refused(option: str, value: t.Any, words: str) -> None:
    """One sentence says which option, and what is wrong with it."""
    with pytest.raises(SpecError, match=words):
        CacheSpec.from_params({**PARAMS, option: value})


@pytest.mark.parametrize("image_format", ["qcow2", "raw"])
def test_names_of_notes(image_format: str) -> None:
    """A note is known by its name, and taken neither for data nor for a record."""
    volume = data_volume_name(DIGEST, image_format)
    note = note_name(volume)
    assert noted_volume(note) == volume
    assert digest_of(volume) == DIGEST
    assert not is_data_volume(note)
    assert image_name(note) is None
    assert noted_volume(volume) is noted_volume("kilonova-image-unused.json") is None


@given(st.integers(0, 4_000_000_000))
def test_a_note_says_its_time(seconds: int) -> None:
    """To the second, in one size for all."""
    content = note_content(seconds)
    assert len(content) == NOTE_BYTES
    assert read_note(content) == seconds
    assert written(seconds).encode() in content


@given(st.binary(max_size=NOTE_BYTES))
def test_no_content_of_a_note_is_an_error(content: bytes) -> None:
    """What can't be read counts as nothing said."""
    assert read_note(content) is None or content.strip()


def test_a_note_that_was_not_written_says_nothing() -> None:
    """It was made and not yet filled."""
    assert read_note(bytes(NOTE_BYTES)) is None
