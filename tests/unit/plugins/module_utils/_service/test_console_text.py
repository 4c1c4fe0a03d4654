# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Tests of a serial console's bytes as text."""

from __future__ import annotations

import unicodedata

import pytest
from ansible_collections.kilonova.compute.plugins.module_utils._service.console_text import console_lines
from hypothesis import example, given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\n\nlogin: ", ["one", "", "login: "]),
        (b"one\r\ntwo\r\r\nthree", ["one", "two", "three"]),
        (b"10%\r20%\rdone\n", ["10%", "20%", "done"]),
        (b"\x1b[0;32m OK \x1b[0m started\n", [" OK  started"]),
        (b"\x1b[2J\x1b[01;01H\x1b=\x1b[?25lGRUB", ["GRUB"]),
        (b"\x1b]0;root@web: ~\x07# ls\n", ["# ls"]),
        (b"\x1b]0;root@web: ~\x1b\\# ls\n", ["# ls"]),
        (b"\x1bP1$r0m\x1b\\x\n", ["x"]),
        (b"\x1b]0;never ends\nnext\n", ["0;never ends", "next"]),
        (b"a\0b\x07c\x08d\x7f\n", ["abcd"]),
        (b"caf\xc3\xa9 \xff\n", ["caf\u00e9 \ufffd"]),
        (b"\xc2\x9b31mred\n", ["31mred"]),
        (b"a\tb\n", ["a\tb"]),
        (b"end\x1b", ["end"]),
    ],
)
def test_what_a_person_reads(data: bytes, lines: list[str]) -> None:
    """Text stays, with its lines and tabs; what steers a terminal goes."""
    assert console_lines(data, False) == lines


def test_a_cut_line_is_left_out() -> None:
    """Half of it would mislead; but it stays when there is nothing else."""
    assert console_lines(b"lf a line\nwhole\n", True) == ["whole"]
    assert console_lines(b"lf a line", True) == ["lf a line"]


@given(st.binary(), st.booleans())
@example(b"\x1b\x1b[[", False)
@example(b"\x1b" * 9, True)
def test_nothing_that_steers_a_terminal_is_left(data: bytes, is_cut: bool) -> None:
    """Whatever a guest prints."""
    for line in console_lines(data, is_cut):
        assert not [character for character in line if unicodedata.category(character) == "Cc" and character != "\t"]


@given(st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1)))
def test_plain_text_is_untouched(lines: list[str]) -> None:
    """Each line comes back as it was."""
    data = "".join(f"{line}\n" for line in lines).encode()
    assert console_lines(data, False) == lines
