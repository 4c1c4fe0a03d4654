# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""A whole-number program as plain data, and what solves such ones."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Row:
    """The sum of coefficients times variables is no more than ``most``."""

    terms: tuple[tuple[int, int], ...]
    """(variable, coefficient)."""
    most: int


Cut = tuple[tuple[int, int], ...]
"""(variable, number): not all of these variables are that large or larger."""


@dataclass(frozen=True)
class Program:
    """Variables from 0 to ``most``, and what holds for them."""

    most: tuple[int, ...]
    rows: tuple[Row, ...]
    cuts: tuple[Cut, ...] = ()
    hint: tuple[int, ...] = ()
    """A solution to begin with."""

    def with_row(self, row: Row) -> Program:
        """Return the program with one more row."""
        return replace(self, rows=(*self.rows, row))

    def with_cut(self, cut: Cut) -> Program:
        """Return the program with one more cut."""
        return replace(self, cuts=(*self.cuts, cut))


@dataclass(frozen=True)
class Solution:
    """Values of all variables, and whether none are better."""

    values: tuple[int, ...]
    is_best: bool


class Solver(t.Protocol):
    """What finds the solution in which the sum of gains is the largest."""

    def __call__(self, program: Program, gains: t.Sequence[int]) -> Solution | None:
        """Return it, or the best that was found within the limit of steps; None if none was."""
