# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 The kilonova.compute contributors

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""OR-tools' CP-SAT as solver, where it can be imported. With one worker and a limit of steps it is deterministic."""

from __future__ import annotations

import importlib
import typing as t

from .program import Program, Solution, Solver

_STEPS = 20.0
"""What OR-tools calls deterministic time: a number of steps, about seconds of a usual machine."""


def find_solver() -> Solver | None:
    """Return the solver, None where OR-tools is not installed."""
    try:
        cp_model = importlib.import_module("ortools.sat.python.cp_model")
    except ImportError:
        return None
    return lambda program, gains: _solve(cp_model, program, gains)


def _solve(cp_model: t.Any, program: Program, gains: t.Sequence[int]) -> Solution | None:
    model = cp_model.CpModel()
    variables = [model.new_int_var(0, most, f"v{index}") for index, most in enumerate(program.most)]
    for row in program.rows:
        model.add(_sum(cp_model, [(variables[index], factor) for index, factor in row.terms]) <= row.most)
    for cut in program.cuts:
        smaller = []
        for index, number in cut:
            smaller.append(model.new_bool_var(""))
            model.add(variables[index] < number).only_enforce_if(smaller[-1])
        model.add_bool_or(smaller)
    for variable, value in zip(variables, program.hint):
        model.add_hint(variable, value)
    model.maximize(_sum(cp_model, [(variables[index], gain) for index, gain in enumerate(gains) if gain]))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = _STEPS
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return Solution(tuple(solver.value(variable) for variable in variables), status == cp_model.OPTIMAL)


def _sum(cp_model: t.Any, terms: t.Sequence[tuple[t.Any, int]]) -> t.Any:
    return cp_model.LinearExpr.weighted_sum(
        [variable for variable, _factor in terms], [factor for _variable, factor in terms]
    )
