# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The scheduler's front door: a question in plain data, an answer in plain data."""

from __future__ import annotations

import typing as t

from .engine import make_plan
from .intake.problem import read_problem
from .intake.question import Question
from .result import as_result


def answer(question: Question) -> dict[str, t.Any]:
    """Return the plan, or raise :class:`ScheduleError` with one sentence."""
    return as_result(make_plan(read_problem(question)), question.instances)
