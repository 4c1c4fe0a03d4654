# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of numbers in libvirt's documents."""

from __future__ import annotations

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._xml.document import XmlError, parse
from ansible_collections.kilonova.compute.plugins.module_utils._xml.numbers import (
    format_id_set,
    kib_of,
    parse_id_set,
    pci_address,
    pci_parts,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "kib"),
    [
        ("<m unit='KiB'>8</m>", 8),
        ("<m>8</m>", 8),
        ("<m unit='MiB'> 8 </m>", 8192),
        ("<m unit='GiB'>1</m>", 1024**2),
        ("<m unit='furlong'>8</m>", 0),
        ("<m/>", 0),
    ],
)
def test_kib(text: str, kib: int) -> None:
    """Units count, and what cannot be read is nothing."""
    assert kib_of(parse(text)) == kib


def test_kib_of_an_attribute_or_of_nothing() -> None:
    """The unit stands beside an amount that is given apart."""
    assert kib_of(parse("<pages unit='KiB' size='2048'>7</pages>"), "2048") == 2048
    assert kib_of(None) == 0


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("0", (0,)),
        ("3,0-1", (0, 1, 3)),
        ("0-4,^2", (0, 1, 3, 4)),
        ("0-3,^1-2,8", (0, 3, 8)),
        ("", ()),
        ("x,1", (1,)),
    ],
)
def test_id_sets(text: str, ids: tuple[int, ...]) -> None:
    """Single numbers, ranges, and what is taken out again."""
    assert parse_id_set(text) == ids


@pytest.mark.parametrize(
    ("parts", "address"),
    [
        (("0", "59", "0", "1"), "0000:3b:00.1"),
        (("0x0000", "0x3b", "0x00", "0x1"), "0000:3b:00.1"),
        (("65536", None, "31", "junk"), "10000:00:1f.0"),
    ],
)
def test_pci_addresses(parts: tuple[str | None, str | None, str | None, str | None], address: str) -> None:
    """Devices tell decimal numbers, domains hexadecimal ones."""
    assert pci_address(*parts) == address


@pytest.mark.parametrize(("ids", "text"), [((), ""), ((8, 0, 1, 2, 3), "0-3,8"), ((1, 2), "1-2"), ((5, 5), "5")])
def test_writes_id_sets(ids: tuple[int, ...], text: str) -> None:
    """As libvirt does, in order and each once."""
    assert format_id_set(ids) == text


@given(st.sets(st.integers(0, 60)))
def test_any_id_set_reads_back(ids: set[int]) -> None:
    """Nothing is lost between ranges."""
    assert parse_id_set(format_id_set(ids)) == tuple(sorted(ids))


@pytest.mark.parametrize("address", ["0000:3b:1f.7", "10000:00:00.0"])
def test_a_pci_address_comes_back(address: str) -> None:
    """Out of its parts."""
    assert pci_address(*pci_parts(address.upper()).values()) == address


@pytest.mark.parametrize("address", ["3b:00.1", "0000:3b:00.8", "0000:3b:00.1 ", ""])
def test_refuses_what_is_no_pci_address(address: str) -> None:
    """Only the whole address is one."""
    with pytest.raises(XmlError, match=r"is not a PCI address such as 0000:3b:00\.1\.$"):
        pci_parts(address)
