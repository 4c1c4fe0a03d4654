# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of sizes as people write them."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._errors import SpecError
from ansible_collections.kilonova.compute.plugins.module_utils._spec.size import format_size, parse_size
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.integers(0, 2**63 - 1)
LETTERS = "KMGTP"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10", 10),
        ("10 bytes", 10),
        ("10B", 10),
        ("512M", 512 * 1024**2),
        ("10G", 10 * 1024**3),
        ("10GiB", 10 * 1024**3),
        ("10 gib", 10 * 1024**3),
        ("10 GB", 10 * 1000**3),
        (" 10kb ", 10_000),
        ("1.5k", 1536),
        ("2T", 2 * 1024**4),
        ("7E", 7 * 1024**6),
        ("0", 0),
    ],
)
def test_usual_units(text: str, size: int) -> None:
    """With libvirt's and QEMU's meaning."""
    assert parse_size("size", text) == size


@pytest.mark.parametrize(
    "text", ["", "G", "-1", "1,5G", "1e3", "10 GG", "10 G i B", "ten", "1_0", "\u0661G", "1.G", "1.5", "0.3k"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    """Without a guess at what was meant."""
    with pytest.raises(SpecError, match=r"Option size: .*; give a number with a unit"):
        parse_size("size", text)


def test_more_than_libvirt_takes_is_refused() -> None:
    """The last size there can be is 8 EiB less a byte."""
    assert parse_size("size", str(2**63 - 1)) == 2**63 - 1
    with pytest.raises(SpecError, match="more than there can be"):
        parse_size("size", "8E")


@given(SIZES)
def test_what_is_shown_is_read(size: int) -> None:
    """And means the same."""
    assert parse_size("size", format_size(size)) == size


@given(st.integers(0, 8191), st.sampled_from(range(1, 6)), st.sampled_from(["", " "]), st.booleans())
def test_units_are_powers(number: int, power: int, space: str, small: bool) -> None:
    """Of 1024 with a letter or with iB, of 1000 with B, in capitals or not."""
    letter = LETTERS[power - 1]
    for suffix, base in (("", 1024), ("iB", 1024), ("B", 1000)):
        unit = f"{letter}{suffix}"
        text = f"{number}{space}{unit.lower() if small else unit}"
        assert parse_size("size", text) == number * base**power
