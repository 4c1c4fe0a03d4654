# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""Whether facts are fresh enough to plan by, by the caller's clock: the scheduler itself looks at none."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ..._values import ValuesError, whole_number
from .question import Question
from .values import MOST, time_of

_REPORTED_AT = "reported_at"


@dataclass(frozen=True)
class Age:
    """How old facts may be, in seconds before ``now``."""

    most: int
    now: datetime
    option: str

    def fault(self, reported_at: t.Any, where: str) -> str | None:
        """Return what is wrong with facts of that time, with the remedy; None if they will do."""
        if reported_at is None:
            raise ValuesError(
                f"{where}: the facts lack {_REPORTED_AT}, by which {self.option} judges them; gather them with"
                " kilonova.compute.compute_facts."
            )
        age = (self.now - time_of(reported_at, f"{where}.{_REPORTED_AT}")).total_seconds()
        if abs(age) <= self.most:
            return None
        if age < 0:
            return (
                f"they are of {reported_at}, {-age:.0f} s after now, and {self.option} is {self.most} s;"
                " set the clocks right"
            )
        return (
            f"they are of {reported_at}, {age:.0f} s ago, and {self.option} is {self.most} s;"
            " gather them anew with kilonova.compute.compute_facts"
        )


def read_age(question: Question) -> Age | None:
    """Return how old facts may be; None if nobody asks."""
    if question.max_facts_age is None:
        return None
    option = f"{question.prefix}max_facts_age"
    most = whole_number(question.max_facts_age, option, 0, MOST)
    if question.now is None:
        raise ValuesError(f"{option}: it needs to know the time; give now, for example now='2026-01-31T12:00:00Z'.")
    return Age(most, time_of(question.now, "now"), option)
