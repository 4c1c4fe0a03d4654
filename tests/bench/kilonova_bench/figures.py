# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

"""Interleaved rounds, and what is said of them: medians with the smallest and the largest."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .subjects import Subject


@dataclass(frozen=True)
class Round:
    """What each subject took in one round, by its key."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A quantity over the rounds of one run."""

    title: str
    median: float
    least: float
    most: float
    unit: str = "s"

    @classmethod
    def over(cls, title: str, values: Sequence[float], unit: str = "s") -> Figure:
        """Sum ``values`` up."""
        return cls(title, statistics.median(values), min(values), max(values), unit)

    def row(self) -> str:
        """Return the figure as a table's row."""
        return f"  {self.title:<62} {self.median:8.2f} {self.unit:<2} ({self.least:.2f} - {self.most:.2f})"


def interleave(subjects: Sequence[Subject], rounds: int, reset: Callable[[], None]) -> list[Round]:
    """Run A B C A B C ..., each from the same state and verified before its figure counts."""
    found = []
    for number in range(1, rounds + 1):
        taken = Round()
        for subject in subjects:
            reset()
            outcome = subject.run()
            subject.verify(outcome)
            taken.seconds[subject.key] = outcome.seconds
            taken.cpu_seconds[subject.key] = outcome.cpu_seconds
        reset()
        found.append(taken)
        shown = "  ".join(f"{key} {value:.2f}" for key, value in taken.seconds.items())
        print(f"round {number} of {rounds}: {shown}", file=sys.stderr)
    return found


def times_of(subjects: Sequence[Subject], rounds: Sequence[Round]) -> list[Figure]:
    """Return each subject's time, and the part of it that was work of its own processes."""
    figures = []
    for subject in subjects:
        figures.append(Figure.over(subject.title, [taken.seconds[subject.key] for taken in rounds]))
        figures.append(Figure.over("  CPU time of its own", [taken.cpu_seconds[subject.key] for taken in rounds]))
    return figures


def ratio(
    title: str,
    rounds: Sequence[Round],
    above: Callable[[dict[str, float]], float],
    below: Callable[[dict[str, float]], float],
) -> Figure:
    """Return a ratio whose two sides are of the same round each time, so that a busy machine slows both."""
    return Figure.over(title, [above(taken.seconds) / below(taken.seconds) for taken in rounds], "x")


def whole(key: str) -> Callable[[dict[str, float]], float]:
    """Return the way to a subject's time."""
    return lambda seconds: seconds[key]


def without_startup(key: str) -> Callable[[dict[str, float]], float]:
    """Return the way to a playbook's time less that of the one that does nothing."""
    return lambda seconds: seconds[key] - seconds["idle"]
